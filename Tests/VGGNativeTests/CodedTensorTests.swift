import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGNative

/// Codes of four bits, groups of scales and zero points: what is written is read, and what cannot be is refused.
@Suite struct CodedTensorTests {
  private func checkRoundTrip(of model: Model) throws {
    let file = try open(bytes(of: model))
    #expect(file.model.tensors.map(\.elementType) == model.tensors.map(\.elementType))
    #expect(file.model.tensors.map(\.storage) == model.tensors.map(\.storage))
    #expect(file.model.tensors.map(\.quantization) == model.tensors.map(\.quantization))
    #expect(try file.model.valueBits() == model.valueBits())
    #expect(try file.weightsDigest == VGGWFile.weightsDigest(of: model))
    try file.checkStoredBytes()
    try file.checkValues()
    #expect(file.formatVersion == (1, 4))
  }

  @Test(arguments: Architecture.allCases, CodedModels.firstEncodings)
  func writingAndReadingIsIdentity(_ architecture: Architecture, firstEncoding: Int) throws {
    try checkRoundTrip(of: CodedModels.model(architecture, firstEncoding: firstEncoding))
  }

  @Test(arguments: CodedModels.largeQuantizations)
  func largeTensorsAreReadInAnyRange(_ encoding: CodedModels.Encoding) throws {
    let model = try CodedModels.largeModel(encoding.type, encoding.grouping, encoding.storage)
    try checkRoundTrip(of: model)
    let read = try #require(open(bytes(of: model)).model.tensor("fc8/weight")?.values)
    let expected = try #require(try model.tensor("fc8/weight")?.values.array())
    var random = SeededGenerator(seed: 5)
    for _ in 0..<50 {
      let start = Int.random(in: 0..<expected.count, using: &random)
      let end = min(expected.count, start + Int.random(in: 1...200_000, using: &random))
      #expect(try read.withValues(start..<end) { values in Array(values) } == Array(expected[start..<end]))
    }
  }

  /// Only what needs them sets the bits; a scale for each channel of int8 is what it always was.
  @Test func featuresAreThoseThatAreNeeded() throws {
    for (encoding, features) in [
      (CodedModels.Encoding(type: .int8, grouping: .outputChannel), 0),
      (.init(type: .int4, grouping: .outputChannel), Header.int4),
      (.init(type: .int8, grouping: .outputChannel, isSymmetric: false), Header.groups),
      (.init(type: .int8, grouping: .tensor), Header.groups),
      (.init(type: .int8, grouping: .inputGroups(length: 32)), Header.groups),
      (.init(type: .int4, grouping: .inputGroups(length: 32)), Header.int4 | Header.groups),
    ] {
      var generator = SeededGenerator(seed: 1)
      let model = try TestModels.model(TestModels.network()).mappingTensors { tensor in
        guard tensor.name == "conv1_1/weight" else { return tensor }
        return CodedModels.tensor(
          tensor.name, tensor.role, tensor.shape, encoding, using: &generator)
      }
      let header = try bytes(of: model)
      #expect(header[16] == UInt8(features) && header[10] == (features == 0 ? 3 : 4))
    }
  }

  // MARK: Refusals

  private static let network = Result { try TestModels.network() }

  /// A file whose first tensor, `conv1_1/bias`, and second one, `conv1_1/weight` of 27 rows and 2 channels, have these.
  private func file(_ type: CodeType, _ grouping: Quantization.Grouping, isSymmetric: Bool = true) throws
    -> [UInt8]
  {
    var generator = SeededGenerator(seed: 2)
    let model = try TestModels.model(Self.network.get()).mappingTensors { tensor in
      guard tensor.name.hasPrefix("conv1_1/") else { return tensor }
      let encoding = CodedModels.Encoding(type: type, grouping: grouping, isSymmetric: isSymmetric)
      return CodedModels.tensor(
        tensor.name, tensor.role, tensor.shape, encoding, using: &generator)
    }
    return try bytes(of: model)
  }

  /// The same file with other parameters of `conv1_1/weight` in its manifest.
  private func forged(_ bytes: [UInt8], _ parameters: CodeParameters?) throws -> [UInt8] {
    let region = ByteRegion(copying: bytes)
    let header = try Header(reading: region, path: "x")
    let packed = try #require(region.slice(at: header.manifest.lowerBound, count: header.manifest.count))
    var manifest = try Manifest(unpacking: packed, path: "x", offset: 0)
    let index = try #require(manifest.tensors.firstIndex { $0.name == "conv1_1/weight" })
    let old = manifest.tensors[index]
    manifest.tensors[index] = TensorRecord(
      name: old.name, role: old.role, shape: old.shape, layout: old.layout, elementType: old.elementType,
      storage: old.storage, parameters: parameters, offset: old.offset, storedBytes: old.storedBytes,
      blockDigests: old.blockDigests, valuesDigest: old.valuesDigest)
    let forged = manifest.packed
    let newHeader = Header(
      manifestOffset: header.manifest.lowerBound, manifest: forged, minorVersion: manifest.minorVersion,
      requiredFeatures: manifest.requiredFeatures)
    return newHeader.bytes + bytes[Header.byteCount..<header.manifest.lowerBound] + forged
  }

  @Test(arguments: [
    (Quantization(scales: [1]), "vggw.manifest.scales"), (.init(scales: [1, 2, 3]), "vggw.manifest.scales"),
    (.init(scales: []), "vggw.manifest.scales"),
    (.init(scales: [1, .nan]), "vggw.manifest.scales"), (.init(scales: [1, -0.0]), "vggw.manifest.scales"),
    (.init(scales: [.infinity, 1]), "vggw.manifest.scales"),
    (.init(.int4, scales: [1, 1], zeroPoints: [0, 8]), "vggw.manifest.zero_points"),
    (.init(.int4, by: .tensor, scales: [1], zeroPoints: [-9]), "vggw.manifest.zero_points"),
    (.init(by: .tensor, scales: [1, 1]), "vggw.manifest.scales"),
    (.init(by: .tensor, scales: [-1]), "vggw.manifest.scales"),
    // More bytes of scales than the tensor has.
    (.init(by: .inputGroups(length: 1), scales: []), "vggw.tensor.stored_length"),
    (.init(by: .inputGroups(length: 27), scales: []), "vggw.tensor.stored_length"),
  ])
  func manifestsWithImpossibleParametersAreRefused(_ quantization: Quantization, _ code: String) throws {
    let bytes = try file(quantization.type, .outputChannel)
    var parameters = CodeParameters(quantization)
    if case .inputGroups(let length) = quantization.grouping {
      parameters = CodeParameters(groupsOf: length, in: [3, 3, 3, 2], hasZeroPoints: false)
    }
    let error = #expect(throws: FileError.self) { try open(forged(bytes, parameters)) }
    #expect(error?.code == code && error?.kind == .malformed)
    let none = #expect(throws: FileError.self) { try open(forged(bytes, nil)) }
    #expect(none?.code == "vggw.manifest.scales")
  }

  @Test func groupsOfNoElementsAreRefused() throws {
    let bytes = try file(.int4, .inputGroups(length: 8))
    for length in [Int.max, 1 << 37] {
      let parameters = CodeParameters(groupsOf: length, in: [3, 3, 3, 2], hasZeroPoints: false)
      let error = #expect(throws: FileError.self) { try open(forged(bytes, parameters)) }
      #expect(error?.code == "vggw.manifest.group_length")
    }
    // Fewer scales: what follows is then not as long as it must be.
    let parameters = CodeParameters(groupsOf: 1, in: [3, 3, 3, 2], hasZeroPoints: true)
    #expect(throws: FileError.self) { try open(forged(bytes, parameters)) }
    _ = try open(forged(bytes, CodeParameters(groupsOf: 8, in: [3, 3, 3, 2], hasZeroPoints: false)))
  }

  /// Scales in the data area are many: they are checked when they are needed.
  @Test func impossibleScalesInTheDataAreRefusedWhenTheyAreUsed() throws {
    let good = try file(.int4, .inputGroups(length: 8), isSymmetric: false)
    let record = try #require(open(good).tensorRecords.first { $0.name == "conv1_1/weight" })
    // Of the third group and the second channel: elements from 16 * 2 + 1 on.
    let scale = record.offset + 5 * 4
    for (offset, changed) in [
      (scale, withUnsafeBytes(of: Float.nan) { Array($0) }), (scale, [0, 0, 0, 0x80]),
      (record.offset + 8 * 4 + 5, [8]),
    ] {
      var bytes = good
      bytes.replaceSubrange(offset..<offset + changed.count, with: changed)
      let tensor = try #require(try open(bytes).model.tensor("conv1_1/weight"))
      let expected = try #require(open(good).model.tensor("conv1_1/weight"))
      let sound = try tensor.values.withValues(0..<32) { values in Array(values) }
      #expect(try sound == expected.values.withValues(0..<32) { values in Array(values) })
      #expect(throws: Never.self) { try tensor.values.withValues(32..<33) { _ in } }
      for range in [0..<54, 33..<34, 20..<40] {
        let error = #expect(throws: FileError.self) { try tensor.values.withValues(range) { _ in } }
        #expect(error?.code == "vggw.tensor.scales" && error?.place == "tensor conv1_1/weight, group 5")
      }
      // Kernels read all of them.
      let error = #expect(throws: FileError.self) { try lent(tensor) }
      #expect(error?.code == "vggw.tensor.scales")
      #expect(throws: FileError.self) { try open(bytes).checkStoredBytes() }
    }
    var bytes = good
    bytes[record.offset + 8 * 5] = 1
    let error = #expect(throws: FileError.self) { try open(bytes) }
    #expect(error?.code == "vggw.padding" && error?.offset == record.offset + 8 * 5)
  }

  @Test func halfAByteThatIsLeftOverMustBeZero() throws {
    var generator = SeededGenerator(seed: 4)
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, 1], denseWidths: [3])
    for storage in Storage.allCases {
      let encoding = CodedModels.Encoding(type: .int4, grouping: .outputChannel, storage: storage)
      let tensors = network.tensorRequirements.map {
        CodedModels.tensor($0.name, $0.role, $0.shape, encoding, using: &generator)
      }
      let model = try Model(
        network: network,
        tensors: tensors.map { tensor in
          guard tensor.name == "fc8/bias", let quantization = tensor.quantization else { return tensor }
          return tensor.replacing(.codes(MemoryCodes([1, 2, 3]), quantization))
        }, preprocessing: nil, provenance: TestModels.provenance)
      var bytes = try bytes(of: model)
      let record = try #require(open(bytes).tensorRecords.first { $0.name == "fc8/bias" })
      bytes[record.offset + record.storedBytes - 1] |= 0x10
      let tensor = try #require(try open(bytes).model.tensor("fc8/bias"))
      let error = #expect(throws: FileError.self) { try tensor.values.array() }
      #expect(error?.code == "vggw.tensor.elements")
      if storage == .raw { #expect(throws: FileError.self) { try lent(tensor) } }
    }
  }

  private func lent(_ tensor: Tensor) throws(FileError) -> LentCodes? {
    guard case .codes(let codes, _) = tensor.content else { return nil }
    return try codes.lent()
  }

  /// Codes that lie in a file one after the other are lent as they are, and those of a sparse tensor are not.
  @Test(arguments: CodedModels.firstEncodings) func codesAreLentWhereTheyLie(_ firstEncoding: Int) throws {
    let model = try CodedModels.model(firstEncoding: firstEncoding)
    for tensor in try open(bytes(of: model)).model.tensors {
      guard case .codes(let codes, _) = tensor.content, tensor.count % 2 == 0 else { continue }
      let expected = try codes.array()
      guard let lent = try lent(tensor) else {
        #expect(tensor.storage == .sparse, "\(tensor.name)")
        continue
      }
      #expect(tensor.storage == .raw && lent.isPacked == (tensor.elementType == .code(.int4)))
      let seen = lent.region.withBytes { bytes in
        bytes.flatMap { byte in
          let code = Int8(bitPattern: byte)
          return lent.isPacked ? [(code << 4) >> 4, code >> 4] : [code]
        }
      }
      #expect(seen == expected, "\(tensor.name)")
    }
  }

  @Test func whatNoReaderAcceptsIsNotWritten() throws {
    for (codes, scale) in [([1, 8], 1), ([1, -9], 1), ([0, 0], Float.nan)] as [([Int8], Float)] {
      let model = try TestModels.model(Self.network.get()).mappingTensors { tensor in
        guard tensor.name == "conv1_1/bias" else { return tensor }
        let quantization = Quantization(.int4, by: .inputGroups(length: 32), scales: [1, scale])
        return tensor.replacing(.codes(MemoryCodes(codes), quantization), storage: .raw)
      }
      let error = #expect(throws: FileError.self) { try bytes(of: model) }
      #expect(error?.kind == .fault)
    }
  }

  /// Damage that no digest tells.
  @Test func forgedManifestsGiveAModelOrAnError() throws {
    let whole = try bytes(of: CodedModels.model())
    let header = try Header(reading: ByteRegion(copying: whole), path: "x")
    let manifest = Array(whole[header.manifest])
    var generator = SeededGenerator(seed: 17)
    for _ in 0..<2000 {
      var forged = manifest
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let position = Int.random(in: 0..<forged.count, using: &generator)
        forged[position] = [0, 1, 2, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
      }
      let newHeader = Header(
        manifestOffset: header.manifest.lowerBound, manifest: forged, minorVersion: 4,
        requiredFeatures: header.requiredFeatures)
      do throws(FileError) {
        let file = try open(
          newHeader.bytes + whole[Header.byteCount..<header.manifest.lowerBound] + forged)
        for tensor in file.model.tensors { _ = try tensor.values.array() }
        try file.checkValues()
      } catch {
        #expect(error.kind == .malformed || error.kind == .unsupported)
      }
    }
  }
}
