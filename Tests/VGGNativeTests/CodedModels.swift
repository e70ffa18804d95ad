import TestSupport
import VGGBytes
import VGGModel
import VGGTensors

/// Models of codes in all groupings, with and without zero points.
enum CodedModels {
  /// A way to store codes.
  struct Encoding: Sendable {
    let type: CodeType
    let grouping: Quantization.Grouping
    var isSymmetric = true
    var storage = Storage.raw
  }

  /// All ways.
  static let encodings: [Encoding] = [false, true].flatMap { isSymmetric in
    CodeType.allCases.flatMap { type in
      [.inputGroups(length: 5), .tensor, .inputGroups(length: 1), .inputGroups(length: 1000), .outputChannel]
        .flatMap { grouping in
          Storage.allCases.map {
            Encoding(type: type, grouping: grouping, isSymmetric: isSymmetric, storage: $0)
          }
        }
    }
  }

  /// Where to begin, so that in the end each tensor had many of them.
  static let firstEncodings = [0, 11, 27]

  /// A model whose tensors take all encodings in turn.
  static func model(_ architecture: Architecture = .aLRN, firstEncoding: Int = 0) throws -> Model {
    let network = try TestModels.network(architecture)
    var generator = SeededGenerator(seed: UInt64(firstEncoding) + 7)
    let tensors = network.tensorRequirements.enumerated().map { index, requirement in
      tensor(
        requirement.name, requirement.role, requirement.shape,
        encodings[(firstEncoding + index) % encodings.count], using: &generator)
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil, provenance: TestModels.provenance)
  }

  /// A tensor of random codes, half of them zero.
  static func tensor(
    _ name: String, _ role: Tensor.Role, _ shape: [Int], _ encoding: Encoding,
    using generator: inout SeededGenerator
  ) -> Tensor {
    let codes = (0..<shape.reduce(1, *)).map { _ in
      Bool.random(using: &generator) ? Int8.random(in: encoding.type.codes, using: &generator) : 0
    }
    let outputs = shape.last ?? 1
    let groupCount =
      switch encoding.grouping {
      case .tensor: 1
      case .outputChannel: outputs
      case .inputGroups(let length): (codes.count / outputs + length - 1) / length * outputs
      }
    let quantization = Quantization(
      encoding.type, by: encoding.grouping,
      scales: (0..<groupCount).map { _ in Float.random(in: 1e-6...1, using: &generator) },
      zeroPoints: encoding.isSymmetric
        ? [] : (0..<groupCount).map { _ in Int8.random(in: encoding.type.codes, using: &generator) })
    return Tensor(
      name: name, role: role, shape: shape, content: .codes(MemoryCodes(codes), quantization),
      storage: encoding.storage)
  }

  /// What large models are of: an odd number of codes, more than a block of digests, many blocks of the sparse form.
  static let largeQuantizations: [Encoding] = [
    Encoding(type: .int4, grouping: .inputGroups(length: 32), storage: .raw),
    Encoding(type: .int4, grouping: .inputGroups(length: 1), storage: .sparse),
    Encoding(type: .int8, grouping: .inputGroups(length: 1), isSymmetric: false, storage: .raw),
    Encoding(type: .int4, grouping: .outputChannel, storage: .sparse),
  ]

  /// A model with a large `fc8/weight`.
  static func largeModel(
    _ type: CodeType, _ grouping: Quantization.Grouping, _ storage: Storage
  ) throws -> Model {
    let network = try Network(
      .a, inputExtent: Extent(side: 96), widths: [1, 1, 1, 1, 127], denseWidths: [1003])
    var generator = SeededGenerator(seed: 3)
    let encoding = Encoding(type: type, grouping: grouping, storage: storage)
    let tensors = network.tensorRequirements.map {
      tensor($0.name, $0.role, $0.shape, encoding, using: &generator)
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil, provenance: TestModels.provenance)
  }
}
