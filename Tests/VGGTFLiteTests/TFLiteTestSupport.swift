import ModelTestSupport
import TestSupport
import Testing
import VGGBytes
import VGGExport
import VGGModel
import VGGSources
import VGGTFLite
import VGGTensors

/// What the weights of a test model are.
enum WeightKind: String, CaseIterable {
  case float32, float16, bfloat16, int8, int8OfTensor, int8WithZeroPoints, int4InGroups
}

/// Small networks, one for each thing that matters to a file.
struct TestNetwork: CustomTestStringConvertible {
  var testDescription: String
  var network: Network

  static let all: [TestNetwork] = {
    var all: [TestNetwork] = []
    func add(_ name: String, _ make: () throws -> Network) {
      guard let network = try? make() else { preconditionFailure("\(name) is no network") }
      all.append(TestNetwork(testDescription: name, network: network))
    }
    for architecture in Architecture.allCases {
      add(architecture.rawValue) { try small(architecture) }
      add("\(architecture.rawValue), rounding up") {
        try small(architecture, side: 37, pooling: Pooling(rounding: .ceiling))
      }
    }
    add("grey, no top") { try small(.b, channels: 1, dense: []) }
    add("any size") {
      let network = try small(.d, dense: [])
      return Network(
        architecture: .d, inputChannels: 3, inputExtent: nil, layers: network.layers)
    }
    for head in HeadActivation.allCases { add("\(head.rawValue)") { try small(.a, head: head) } }
    var overlapping = Pooling(rounding: .ceiling)
    overlapping.kernel = Extent(side: 3)
    add("without biases") { try small(.a, hasBiases: false) }
    for method in [Pooling.Method.maximum, .average] {
      add("global \(method.rawValue)") {
        try small(.a, side: 64, dense: [3], headPooling: Pooling(global: method))
      }
    }
    add("one output") { try small(.a, dense: [4, 1], head: .sigmoid) }
    add("poolings of 3x3, odd") { try small(.b, side: 63, pooling: overlapping) }
    add("poolings of 3x3") { try small(.a, side: 32, pooling: overlapping) }
    var padded = Pooling()
    (padded.kernel, padded.padding) = (Extent(side: 3), Extent(side: 1))
    add("padded poolings") { try small(.a, side: 32, pooling: padded) }
    padded.method = .average
    add("padded means") { try small(.a, side: 32, pooling: padded) }
    add("up to pool3") {
      let layers = try small(.a).layers
      return Network(
        architecture: .a, inputChannels: 3, inputExtent: Extent(side: 32),
        layers: Array(layers[...(layers.firstIndex { $0.name == "pool3" } ?? 0)]))
    }
    return all
  }()

  static func small(
    _ architecture: Architecture, side: Int = 32, channels: Int = 3, dense: [Int] = [5, 4, 3],
    pooling: Pooling = Pooling(), head: HeadActivation = .softmax, hasBiases: Bool = true,
    headPooling: Pooling? = nil
  ) throws -> Network {
    let plain = try Network(
      architecture, inputExtent: Extent(side: side), inputChannels: channels, widths: [2, 3, 3, 4, 4],
      denseWidths: [])
    var layers = plain.layers.map { layer in
      switch layer.operation {
      case .pooling: return Layer(name: layer.name, operation: .pooling(pooling))
      case .convolution(var convolution):
        convolution.hasBias = hasBiases
        return Layer(name: layer.name, operation: .convolution(convolution))
      default: return layer
      }
    }
    if let headPooling { layers.append(Layer(name: "pool6", operation: .pooling(headPooling))) }
    let features = Network(
      architecture: architecture, inputChannels: channels, inputExtent: Extent(side: side), layers: layers)
    var inputs = try features.outputShapes(for: Extent(side: side)).last?.count ?? 0
    let denses = dense.map { width in
      defer { inputs = width }
      var layer = Dense(inputs: inputs, outputs: width, activation: .relu)
      layer.hasBias = hasBiases
      return layer
    }
    return Network(
      architecture: architecture, inputChannels: channels, inputExtent: Extent(side: side),
      layers: layers + (Head(denses, activation: head)?.layers ?? []))
  }

  /// A model of the network with random weights.
  func model(_ kind: WeightKind) throws -> Model {
    var random = SeededGenerator(seed: 5)
    let tensors = network.tensorRequirements.map { requirement in
      let count = requirement.shape.reduce(1, *)
      let codes = (0..<count).map { _ in Int8.random(in: -127...127, using: &random) }
      let isWeight = requirement.role == .weight
      let outputs = requirement.shape.last ?? 1
      func scales(_ count: Int) -> [Float] {
        (0..<count).map { _ in Float.random(in: 0.001...0.01, using: &random) }
      }
      let content: Tensor.Content
      switch kind {
      case .int8 where isWeight:
        content = .codes(MemoryCodes(codes), Quantization(scales: scales(outputs)))
      case .int8OfTensor where isWeight:
        content = .codes(MemoryCodes(codes), Quantization(by: .tensor, scales: scales(1)))
      case .int8WithZeroPoints where isWeight:
        content = .codes(
          MemoryCodes(codes),
          Quantization(scales: scales(outputs), zeroPoints: (0..<outputs).map { Int8($0 % 9 + 1) }))
      case .int4InGroups where isWeight:
        let grouping = Quantization.Grouping.inputGroups(length: 8)
        let rows = requirement.shape.dropLast().reduce(1, *)
        content = .codes(
          MemoryCodes(codes.map { $0 >> 4 }),
          Quantization(.int4, by: grouping, scales: scales((rows + 7) / 8 * outputs)))
      case .float16: content = .real(MemoryValues(codes.map { Float($0) / 64 }), as: .float16)
      case .bfloat16: content = .real(MemoryValues(codes.map { Float($0) / 64 }), as: .bfloat16)
      default: content = .real(MemoryValues(codes.map { Float($0) / 192 }), as: .float32)
      }
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape, content: content,
        storage: kind == .float32 && isWeight ? .sparse : .raw)
    }
    let order: Preprocessing.ChannelOrder = network.inputChannels == 1 ? .gray : .rgb
    return try Model(
      network: network, tensors: tensors,
      preprocessing: Preprocessing(
        channelOrder: order, mean: (0..<network.inputChannels).map { 1 / Double($0 + 3) },
        scale: (0..<network.inputChannels).map { _ in 1 / 255 }, resize: .stretch),
      labels: network.head.map { head in (0..<head.outputCount).map { "class \($0), “ü”" } } ?? [],
      provenance: Self.provenance)
  }

  /// A model that computes in integers.
  func integerModel(_ rounding: IntegerArithmetic.Rounding) throws -> Model {
    try IntegerModels.model(network, rounding: rounding, provenance: Self.provenance)
  }

  private static let provenance = Provenance(
    sourceName: "x.h5", sourceByteCount: 1, sourceSHA256: Array(0..<32), format: "test", generation: "test")
}

/// The bytes that a model is exported as.
func exported(
  _ model: Model, for runtime: TFLiteExporter.Runtime = .litert, dequantizes: Bool = false
) throws -> [UInt8] {
  let export = try TFLiteExporter.export(model, for: runtime, dequantizes: dequantizes)
  guard case .plain(let content) = export.files[0].content else { preconditionFailure("one file") }
  return try content.bytes(0..<content.byteCount)
}

func imported(_ bytes: [UInt8]) throws -> Model {
  try TFLiteImporter.model(of: ByteRegion(copying: bytes), path: "x.tflite", name: "x.tflite")
}

/// Requires that two models are the same, bit for bit; reals of 16 bits may have become float32.
func expectSame(_ model: Model, _ other: Model) throws {
  #expect(model.network == other.network)
  #expect(model.integerArithmetic == other.integerArithmetic)
  #expect(model.preprocessing == other.preprocessing)
  #expect(model.labels == other.labels)
  #expect(model.tensors.map(\.name) == other.tensors.map(\.name))
  for (tensor, other) in zip(model.tensors, other.tensors) {
    #expect(
      try tensor.values.array().map(\.bitPattern) == other.values.array().map(\.bitPattern), "\(tensor.name)")
    switch (tensor.content, other.content) {
    case (.real, .real): break
    case (.codes(let codes, let rule), .codes(let others, let otherRule)):
      #expect(try codes.array() == others.array(), "\(tensor.name)")
      #expect(rule == otherRule, "\(tensor.name)")
    case (.bias(let bias), .bias(let otherBias)): #expect(bias == otherBias, "\(tensor.name)")
    case (.codes(_, let rule), .real): #expect(rule.type == .int4, "\(tensor.name)")
    default: Issue.record("\(tensor.name) became something else")
    }
  }
}
