import ModelTestSupport
import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGExport
import VGGInterchange
import VGGModel
import VGGONNX
import VGGSources
import VGGTensors

/// A network small enough to be read thousands of times.
func smallNetwork(_ architecture: Architecture, dense: [Int] = [5, 4, 3]) throws -> Network {
  try Network(architecture, inputExtent: Extent(side: 64), widths: [2, 3, 3, 4, 4], denseWidths: dense)
}

/// How the weights of a test model are stored.
enum TestPrecision: CaseIterable {
  case float32, float16, bfloat16, int8, int8Tensor, int8ZeroPoints, int4, int8Groups, int4Groups
}

/// A model of random weights; biases stay real.
func randomModel(_ network: Network, _ precision: TestPrecision, labels: [String] = []) throws -> Model {
  var random = SeededGenerator(seed: 7)
  let tensors = network.tensorRequirements.map { requirement in
    let shape = requirement.shape
    let count = shape.reduce(1, *)
    let isWide = precision != .int4 && precision != .int4Groups
    let codes = (0..<count).map { _ in Int8.random(in: isWide ? -128...127 : -8...7, using: &random) }
    let values = MemoryValues(codes.map { Float($0) / 64 })
    func scales(_ count: Int) -> [Float] {
      (0..<count).map { _ in .random(in: 0.001...0.02, using: &random) }
    }
    func quantized(
      _ type: CodeType, _ grouping: Quantization.Grouping, hasZeroPoints: Bool = false
    ) -> Tensor.Content {
      let groups = grouping.count(in: shape)
      return .codes(
        MemoryCodes(codes),
        Quantization(
          type, by: grouping, scales: scales(groups),
          zeroPoints: hasZeroPoints ? (0..<groups).map { Int8($0 % 7 - 3) } : []))
    }
    let content: Tensor.Content
    switch precision {
    case _ where requirement.role == .bias: content = .real(values, as: .float32)
    case .float32: content = .real(MemoryValues(codes.map { Float($0) / 192 }), as: .float32)
    case .float16: content = .real(values, as: .float16)
    case .bfloat16: content = .real(values, as: .bfloat16)
    case .int8: content = quantized(.int8, .outputChannel)
    case .int8Tensor: content = quantized(.int8, .tensor)
    case .int8ZeroPoints: content = quantized(.int8, .outputChannel, hasZeroPoints: true)
    case .int4: content = quantized(.int4, .outputChannel)
    case .int8Groups: content = quantized(.int8, .inputGroups(length: 7))
    case .int4Groups: content = quantized(.int4, .inputGroups(length: 4), hasZeroPoints: true)
    }
    return Tensor(name: requirement.name, role: requirement.role, shape: shape, content: content)
  }
  return try Model(
    network: network, tensors: tensors,
    preprocessing: Preprocessing(
      channelOrder: .bgr, mean: [103.939, 116.779, 0.1], scale: [1, 1 / 3.0, 0.017], resize: .shorterSide(70)),
    labels: labels, provenance: testProvenance)
}

let testProvenance = Provenance(
  sourceName: "weights.h5", sourceByteCount: 1, sourceSHA256: Array(0..<32), format: "test",
  generation: "test")

/// What the files of an export hold; the first one has no suffix.
func files(_ export: Export) throws -> [[UInt8]] {
  try export.files.map { file in
    guard case .plain(let content) = file.content else { return [] }
    return try content.bytes(0..<content.byteCount)
  }
}

/// Imports a file that has everything in it.
func imported(_ bytes: [UInt8], options: ImportOptions = ImportOptions()) throws -> Model {
  try ONNXImporter.model(
    of: ByteRegion(copying: bytes), path: "x.onnx",
    companion: { (name) throws(FileError) in
      throw FileError(.missing, code: "test", file: name, "is not there")
    },
    options: options)
}

/// Writes a model and reads it again.
func roundTrip(_ model: Model, _ change: (inout ONNXExporter.Options) -> Void = { _ in }) throws -> Model {
  var options = ONNXExporter.Options(externalName: "x.onnx.data")
  change(&options)
  return try imported(files(try ONNXExporter.export(model, options))[0])
}

/// Expects two models to be the same in all that ONNX holds: network, values to the last bit, codes, scales, preprocessing, labels.
func expectEqual(_ read: Model, _ written: Model, sourceLocation: SourceLocation = #_sourceLocation) throws {
  #expect(read.network == written.network, sourceLocation: sourceLocation)
  #expect(read.preprocessing == written.preprocessing, sourceLocation: sourceLocation)
  #expect(read.labels == written.labels, sourceLocation: sourceLocation)
  #expect(read.integerArithmetic == written.integerArithmetic, sourceLocation: sourceLocation)
  try #require(read.tensors.count == written.tensors.count, sourceLocation: sourceLocation)
  for (left, right) in zip(read.tensors, written.tensors) {
    #expect(left.name == right.name && left.shape == right.shape, sourceLocation: sourceLocation)
    let bits = try [left, right].map { try $0.values.array().map(\.bitPattern) }
    #expect(bits[0] == bits[1], "\(left.name)", sourceLocation: sourceLocation)
    switch (left.content, right.content) {
    case (.codes(let own, let ownScales), .codes(let other, let otherScales)):
      #expect(ownScales == otherScales, "\(left.name)", sourceLocation: sourceLocation)
      #expect(try own.array() == other.array(), "\(left.name)", sourceLocation: sourceLocation)
    case (.bias(let own), .bias(let other)):
      #expect(
        own == other || own.codes == other.codes && own.scales == other.scales, sourceLocation: sourceLocation
      )
    case (.real, .real): break
    default: Issue.record("\(left.name) has become something else", sourceLocation: sourceLocation)
    }
  }
}

extension EngineOutput {
  /// What the last layer gives.
  var last: [Float] {
    switch self {
    case .classes(_, let map), .labels(_, let map), .values(let map), .features(let map): map.values
    }
  }
}
