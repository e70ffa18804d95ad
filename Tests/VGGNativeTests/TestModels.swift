import ModelTestSupport
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGNative

/// Small models with seeded values.
enum TestModels {
  /// The ways to store a tensor up to version 1.3: types of elements, and which of them are stored.
  static let encodings = ElementType.allCases.filter { $0 != .code(.int4) }.flatMap { type in
    Storage.allCases.map { (type, $0) }
  }

  static let provenance = {
    var provenance = Provenance(
      sourceName: "vgg_ü.caffemodel", sourceByteCount: 123_456, sourceSHA256: Array(0..<32), format: "caffe",
      generation: "caffe-v1", decisions: [.init(.flattenOrder(.chw), because: "Caffe has no other")],
      dropped: [.init("loss/label", because: "is no weight")], passes: passes)
    provenance.companions = [
      .init("deploy.prototxt", byteCount: 77, sha256: Array(32..<64)), .init("a", byteCount: 0),
    ]
    provenance.folded = [.init("bn1_1/gamma", into: "conv1_1", valuesDigest: Array(64..<96))]
    return provenance
  }()

  /// A pass of each kind that version 1.3 of the format knows.
  static let passes: [Pass] = [
    .quantize(to: .fp32), .quantize(to: .fp16), .quantize(to: .bf16),
    .quantize(QuantizationSettings(.int8, scaleRule: .largestMagnitude)),
    .quantize(
      QuantizationSettings(.int8, keeping: ["conv1_1", "fc8"], scaleRule: .largestMagnitude)),
    .prune(fraction: 0.9), .dropDense, .unknown("prune 0.5"),
  ]

  /// A network of a few thousand weights.
  static func network(_ architecture: Architecture = .d) throws -> Network {
    try Network(
      architecture, inputExtent: Extent(side: 32), widths: [2, 3, 4, 3, 5], denseWidths: [7, 6, 4])
  }

  /// Values of -128 to 127 that every element type can represent; three of four are zero.
  private static let largeValues = MemoryValues(
    (0..<UInt32(1152 * 1003)).map { index in
      let mixed = index &* 2_654_435_761
      return mixed >> 30 == 0 ? Float(Int(mixed >> 8 & 0xFF) - 128) : 0
    })

  /// A model with a tensor of more than one digest block and many sparse blocks, `fc8/weight`, not in memory.
  static func largeModel(encoding index: Int) throws -> Model {
    let network = try Network(
      .a, inputExtent: Extent(side: 96), widths: [1, 1, 1, 1, 128], denseWidths: [1003])
    let (type, storage) = encodings[index]
    let tensors = network.tensorRequirements.map { requirement in
      let isLarge = requirement.name == "fc8/weight"
      let count = requirement.shape.reduce(1, *)
      let values = isLarge ? largeValues : MemoryValues(Array(repeating: 1, count: count))
      let content: Tensor.Content =
        switch type {
        case .real(let type):
          .real(isLarge ? UnmappedValues(base: values) : values, as: type)
        case .code(let type):
          .codes(
            UnmappedCodes(base: values),
            Quantization(type, scales: Array(repeating: 1, count: requirement.shape.last ?? 1)))
        case .biasCode: preconditionFailure("belongs to models of integers")
        }
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape, content: content,
        storage: storage)
    }
    return try Model(network: network, tensors: tensors, preprocessing: nil, provenance: provenance)
  }

  /// A model whose tensors take all encodings in turn, beginning with the given one.
  static func model(
    _ network: Network, firstEncoding: Int = 0, density: Double = 0.5, seed: UInt64 = 1
  ) throws -> Model {
    var generator = SeededGenerator(seed: seed)
    let tensors = network.tensorRequirements.enumerated().map { index, requirement in
      let (type, storage) = encodings[(firstEncoding + index) % encodings.count]
      return tensor(requirement, type, storage, density: density, using: &generator)
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: .released(for: network.inputExtent),
      labels: network.classCount == 4 ? ["cat", "Hündin", "", "fish"] : [], provenance: provenance)
  }

  /// A tensor with random values that its encoding can represent; 0, -0 and extremes among them.
  static func tensor(
    _ requirement: TensorRequirement, _ type: ElementType, _ storage: Storage, density: Double,
    using generator: inout SeededGenerator
  ) -> Tensor {
    let count = requirement.shape.reduce(1, *)
    func elements<Element: Numeric>(_ element: (inout SeededGenerator) -> Element) -> [Element] {
      (0..<count).map { _ in
        Double.random(in: 0..<1, using: &generator) < density ? element(&generator) : 0
      }
    }
    let content: Tensor.Content
    switch type {
    case .real(let type):
      content = .real(
        MemoryValues(
          elements { generator in
            let bits = generator.next()
            return switch type {
            case .float32: Float(bitPattern: UInt32(truncatingIfNeeded: bits) & 0xBFFF_FFFF)
            case .float16: halfValue(UInt16(truncatingIfNeeded: bits) & 0xBFFF)
            case .bfloat16: Float(bitPattern: UInt32(truncatingIfNeeded: bits) & 0xBFFF_0000)
            }
          }), as: type)
    case .code(let type):
      let codes = elements { Int8.random(in: -128...127, using: &$0) }
      let scales = (0..<(requirement.shape.last ?? 1)).map { _ in
        Float.random(in: 1e-6...1, using: &generator)
      }
      content = .codes(MemoryCodes(codes), Quantization(type, scales: scales))
    case .biasCode: preconditionFailure("belongs to models of integers")
    }
    return Tensor(
      name: requirement.name, role: requirement.role, shape: requirement.shape, content: content,
      storage: storage)
  }

  /// A model that computes in integers.
  static func integerModel(
    _ architecture: Architecture = .aLRN, _ rounding: IntegerArithmetic.Rounding = .litert
  ) throws -> Model {
    try IntegerModels.model(
      network(architecture), rounding: rounding, labels: ["cat", "dog", "cow", "fox"], provenance: provenance)
  }

  /// The first convolutions of B, perhaps one more pooling, and two dense layers.
  static func partialNetwork(_ count: Int, _ activation: HeadActivation, _ sixth: Pooling?) throws -> Network
  {
    let whole = try Network(.b, inputExtent: Extent(side: 64), widths: [2, 3, 4, 3, 5], denseWidths: [])
    let end = try #require(whole.layers.firstIndex { $0.name == "pool\(count / 2)" })
    let features = Network(
      architecture: .b, inputChannels: 3, inputExtent: Extent(side: 64),
      layers: whole.layers[...end] + (sixth.map { [Layer(name: "pool6", operation: .pooling($0))] } ?? []))
    let inputs = try #require(try features.outputShapes(for: Extent(side: 64)).last).count
    let dense = [
      Dense(inputs: inputs, outputs: 4, activation: .relu), Dense(inputs: 4, outputs: 3, activation: .relu),
    ]
    return Network(
      architecture: .b, inputChannels: 3, inputExtent: Extent(side: 64),
      layers: features.layers + (Head(dense, activation: activation)?.layers ?? []))
  }

  /// The value of a finite IEEE binary16, by its definition.
  static func halfValue(_ bits: UInt16) -> Float {
    let fraction = Float(bits & 0x3FF)
    let exponent = Int(bits >> 10 & 0x1F)
    let magnitude =
      exponent == 0
      ? fraction * 0x1p-24 : Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction * 0x1p-10)
    return bits >> 15 == 0 ? magnitude : -magnitude
  }
}

extension Model {
  /// All values of all tensors, as bits: NaN and -0 count.
  func valueBits() throws -> [String: [UInt32]] {
    try Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, try $0.values.array().map(\.bitPattern)) })
  }
}

/// Values that must be read.
struct UnmappedValues: TensorValues {
  let base: MemoryValues
  var count: Int { base.count }
  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    base.read(range, into: destination)
  }
}

/// Codes that must be read.
struct UnmappedCodes: TensorCodes {
  let base: MemoryValues
  var count: Int { base.count }
  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    try base.withValues(range) { values throws(FileError) in
      for (index, value) in values.enumerated() { destination[index] = Int8(value) }
    }
  }
}
