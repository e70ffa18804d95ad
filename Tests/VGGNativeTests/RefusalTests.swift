import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGNative

/// Any bytes give a model or a typed error.
@Suite struct RefusalTests {
  /// A file of all encodings.
  static let file: [UInt8] = {
    (try? withTemporaryFolder { folder in
      try VGGWFile.write(TestModels.model(TestModels.network(.aLRN)), to: "\(folder)/a.vggw", tool: "test")
      return Array(FileManager.default.contents(atPath: "\(folder)/a.vggw") ?? Data())
    }) ?? []
  }()

  static var manifestOffset: Int {
    Int(file[32..<40].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  /// Reads everything that a file has.
  private func readAll(_ bytes: [UInt8]) throws(FileError) {
    let file = try open(bytes)
    for tensor in file.model.tensors { _ = try tensor.values.array() }
    try file.checkStoredBytes()
    try file.checkValues()
  }

  @Test func everyTruncationIsRefused() throws {
    let whole = ByteRegion(copying: Self.file)
    let refused = try (0..<whole.count).filter { length in
      let part = try #require(whole.slice(at: 0, count: length))
      do throws(FileError) {
        _ = try VGGWFile.open(part, path: "x.vggw")
        return false
      } catch {
        return error.kind == .malformed && error.file == "x.vggw"
      }
    }
    #expect(refused.count == whole.count && whole.count > 5000)
    try readAll(Self.file)
    #expect(throws: FileError.self) { try open(Self.file + [0]) }
  }

  @Test func everyDamageIsFound() {
    var generator = SeededGenerator(seed: 11)
    let header = Array(0..<Header.byteCount)
    let others = (0..<2000).map { _ in Int.random(in: Header.byteCount..<Self.file.count, using: &generator) }
    let unseen = (header + others).filter { offset in
      var bytes = Self.file
      bytes[offset] ^= UInt8.random(in: 1...255, using: &generator)
      do throws(FileError) {
        let file = try open(bytes)
        // Damaged data must do no harm, even where nobody looks at the digests.
        for tensor in file.model.tensors { _ = try? tensor.values.array() }
        let isData = (Header.byteCount..<Self.manifestOffset).contains(offset)
        if isData { try file.checkStoredBytes() }
        return true
      } catch {
        return error.kind != .malformed && error.kind != .unsupported
      }
    }
    #expect(unseen.isEmpty)
  }

  @Test func damageIsLocated() throws {
    let record = try #require(open(Self.file).tensorRecords.first { $0.name == "conv3_1/weight" })
    var bytes = Self.file
    bytes[record.offset + 5] ^= 1
    let error = #expect(throws: FileError.self) { try open(bytes).checkStoredBytes() }
    #expect(error?.offset == record.offset && error?.place == "tensor conv3_1/weight, block 0 of 1")
    #expect(error?.code == "vggw.tensor.digest")
    let end = record.offset + record.storedBytes
    try #require(end % 64 != 0)
    bytes = Self.file
    bytes[end] = 1
    let padding = #expect(throws: FileError.self) { try open(bytes).checkStoredBytes() }
    #expect(padding?.code == "vggw.padding" && padding?.offset == end)
  }

  /// Damage that no digest tells, as in a file that somebody made on purpose.
  @Test func forgedManifestsGiveAModelOrAnError() {
    var generator = SeededGenerator(seed: 13)
    let manifest = Array(Self.file[Self.manifestOffset...])
    var accepted = 0
    for _ in 0..<3000 {
      var forged = manifest
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let position = Int.random(in: 0..<forged.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: forged.remove(at: position)
        case 1: forged.insert(UInt8.random(in: 0...255, using: &generator), at: position)
        case 2: forged[position] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &generator) ?? 0
        default: forged[position] = UInt8.random(in: 0...255, using: &generator)
        }
      }
      let header = Header(
        manifestOffset: Self.manifestOffset, manifest: forged, minorVersion: 0, requiredFeatures: 0)
      do throws(FileError) {
        try readAll(header.bytes + Self.file[Header.byteCount..<Self.manifestOffset] + forged)
        accepted += 1
      } catch {
        #expect(error.kind == .malformed || error.kind == .unsupported)
      }
    }
    // Labels, names and numbers of no consequence may differ; digests, offsets and shapes may not.
    #expect(accepted < 1000)
  }

  /// Digests that fit each other, but not the values: the identity of other weights.
  @Test(arguments: ["fc6/weight", "conv1_1/bias", "conv3_2/weight"])
  func anIdentityOfOtherWeightsIsRefused(_ name: String) throws {
    let file = try open(Self.file)
    var manifest = try Manifest(
      unpacking: ByteRegion(copying: Array(Self.file[Self.manifestOffset...])), path: "x.vggw", offset: 0)
    let index = try #require(manifest.tensors.firstIndex { $0.name == name })
    let record = manifest.tensors[index]
    manifest.tensors[index] = TensorRecord(
      name: record.name, role: record.role, shape: record.shape, layout: record.layout,
      elementType: record.elementType, storage: record.storage, parameters: record.parameters,
      offset: record.offset, storedBytes: record.storedBytes, blockDigests: record.blockDigests,
      valuesDigest: Digest(of: [1]))
    let packed = manifest.packed
    let header = Header(
      manifestOffset: Self.manifestOffset, manifest: packed, minorVersion: file.formatVersion.minor,
      requiredFeatures: manifest.requiredFeatures)
    let bytes = header.bytes + Self.file[Header.byteCount..<Self.manifestOffset] + packed
    let error = #expect(throws: FileError.self) {
      let forged = try open(bytes)
      #expect(record.isEncoded)
      try forged.checkStoredBytes()
      try forged.checkValues()
    }
    #expect(error?.kind == .malformed, "\(String(describing: error))")
    #expect(error?.code == (record.isEncoded ? "vggw.tensor.values" : "vggw.manifest.values_digest"))
  }

  /// A claim of very many messages in few bytes must not cost memory out of proportion.
  @Test func expandingManifestsAreRefused() {
    let layers: [UInt8] = (0..<4_000_000).map { $0 % 2 == 0 ? 0x2A : 0 }
    var network: [UInt8] = [0x12]
    var length = layers.count
    while length >= 128 {
      network.append(UInt8(length & 0x7F) | 0x80)
      length >>= 7
    }
    network.append(UInt8(length))
    let manifest = network + layers
    let header = Header(
      manifestOffset: Header.byteCount, manifest: manifest, minorVersion: 0, requiredFeatures: 0)
    let error = #expect(throws: FileError.self) { try open(header.bytes + manifest) }
    #expect(error?.code == "vggw.manifest.message")
  }

  struct Edit: CustomTestStringConvertible {
    let offset: Int
    let bytes: [UInt8]
    let code: String
    let kind: FileError.Kind
    var testDescription: String { "\(code) at \(offset)" }
  }

  static let headerEdits = [
    Edit(offset: 0, bytes: [0x89], code: "vggw.header.magic", kind: .malformed),
    Edit(offset: 8, bytes: [2], code: "vggw.header.version", kind: .unsupported),
    Edit(offset: 12, bytes: [1, 2, 3, 4], code: "vggw.header.byte-order", kind: .malformed),
    Edit(offset: 16, bytes: [0x80], code: "vggw.header.features", kind: .unsupported),
    Edit(offset: 30, bytes: [1], code: "vggw.header.length", kind: .malformed),
    Edit(
      offset: 32, bytes: Array(repeating: 0xFF, count: 8), code: "vggw.header.manifest", kind: .malformed),
    Edit(
      offset: 40, bytes: Array(repeating: 0xFF, count: 8), code: "vggw.header.manifest", kind: .malformed),
    Edit(offset: 48, bytes: [1], code: "vggw.header.reserved", kind: .malformed),
    Edit(offset: 127, bytes: [1], code: "vggw.header.reserved", kind: .malformed),
    Edit(offset: 70, bytes: [1, 2, 3], code: "vggw.header.digest", kind: .malformed),
  ]

  @Test(arguments: headerEdits)
  func headersAreRefusedByName(_ edit: Edit) {
    var bytes = Self.file
    bytes.replaceSubrange(edit.offset..<edit.offset + edit.bytes.count, with: edit.bytes)
    let error = #expect(throws: FileError.self) { try open(bytes) }
    #expect(error?.code == edit.code && error?.kind == edit.kind)
  }

  @Test func transfersAsTextAreRecognised() {
    let damaged = Self.file.filter { $0 != 0x0D }
    let error = #expect(throws: FileError.self) { try open(damaged) }
    #expect(error?.problem == "looks like a vggconv model whose first bytes are damaged")
  }
}
