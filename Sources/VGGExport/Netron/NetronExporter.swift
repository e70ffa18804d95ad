internal import JSONKit
public import VGGModel
internal import VGGTensors

/// Describes the small JSON files that Netron (github.com/lutzroeder/netron) draws: layers, types, shapes and what codes stand for,
/// no values.
///
/// The format is Netron's own for programs without one (its `message.js`): values are named and typed in `arguments`, and
/// nodes name them. It has no place for quantisation, so that stands in attributes of the nodes.
public enum NetronExporter {
  /// What Netron knows a file by; it must be the first thing in it.
  private static let signature = "netron:vggconv"

  /// A model's graph.
  public static func export(_ model: Model) -> Export {
    let document = JSONValue.object([
      ("signature", .string(signature)), ("format", "vggw"),
      ("description", .string("VGG \(model.network.architecture.rawValue)")),
      ("metadata", .array(metadata(of: model).map(argument))), ("graphs", [graph(of: model)]),
    ])
    return Export(
      files: [ExportedFile(FileContent([.bytes(Array(document.compact.utf8) + [0x0A])]))],
      losses: [.other("holds no weights")])
  }

  private static func graph(of model: Model) -> JSONValue {
    let network = model.network
    let shapes = network.inputExtent.flatMap { try? network.outputShapes(for: $0) }
    let elementType = model.integerArithmetic == nil ? "float32" : "int8"
    func map(_ name: String, _ shape: FeatureShape?) -> JSONValue {
      value(name, elementType, shape.map { [$0.extent.height, $0.extent.width, $0.channels] })
    }
    var values = [
      map("input", network.inputExtent.map { FeatureShape(extent: $0, channels: network.inputChannels) })
    ]
    var nodes: [JSONValue] = []
    for (index, layer) in network.layers.enumerated() {
      values.append(map(layer.name, shapes?[index]))
      let tensors = layer.tensorRequirements.compactMap { model.tensor($0.name) }
      values += tensors.map { value($0.name, $0.elementType.name, $0.shape, isStored: true) }
      let (type, category) = layer.operation.netronType
      let inputs =
        [("input", index == 0 ? "input" : network.layers[index - 1].name)]
        + tensors.map { ($0.role.rawValue, $0.name) }
      nodes.append([
        "type": ["name": .string(type), "category": .string(category)], "name": .string(layer.name),
        "inputs": .array(inputs.map(connection)), "outputs": [connection("output", layer.name)],
        "attributes": .array(attributes(of: layer, at: index, in: model).map(argument)),
      ])
    }
    return [
      "name": .string("VGG \(network.architecture.rawValue)"), "inputs": [connection("input", "input")],
      "outputs": [connection("output", network.layers.last?.name ?? "input")], "nodes": .array(nodes),
      "arguments": .array(values),
    ]
  }

  /// A named value with a type; of a map nobody may know the extent.
  private static func value(
    _ name: String, _ type: String, _ shape: [Int]?, isStored: Bool = false
  ) -> JSONValue {
    let type: JSONValue = [
      "dataType": .string(type),
      "shape": ["dimensions": .array(shape.map { $0.map { .integer(Int64($0)) } } ?? ["?"])],
    ]
    return isStored
      ? ["name": .string(name), "initializer": ["type": type]] : ["name": .string(name), "type": type]
  }

  private static func connection(_ name: String, _ value: String) -> JSONValue {
    ["name": .string(name), "value": [.string(value)]]
  }

  private static func argument(_ name: String, _ value: String) -> JSONValue {
    ["name": .string(name), "value": .string(value)]
  }

  private static func metadata(of model: Model) -> [(String, String)] {
    var metadata = [
      ("parameters", "\(model.parameterCount)"), ("source", model.provenance.sourceName),
      ("source format", model.provenance.generation),
    ]
    if let rule = model.preprocessing {
      metadata.append(("channel order", rule.channelOrder.rawValue))
      metadata.append(("mean", rule.mean.map { "\($0)" }.joined(separator: ", ")))
      metadata.append(("scale", rule.scale.map { "\($0)" }.joined(separator: ", ")))
    }
    if let arithmetic = model.integerArithmetic {
      metadata.append(("rounding", arithmetic.rounding.rawValue))
    }
    if !model.labels.isEmpty { metadata.append(("classes", model.labels.joined(separator: ", "))) }
    return metadata
  }

  private static func attributes(of layer: Layer, at index: Int, in model: Model) -> [(String, String)] {
    var attributes = layer.operation.netronAttributes
    for tensor in layer.tensorRequirements.compactMap({ model.tensor($0.name) }) {
      if let quantization = tensor.quantization {
        attributes.append(("\(tensor.role.rawValue) codes", quantization.netronText))
      } else if case .bias(let codes) = tensor.content {
        attributes.append(("bias codes", "code * scale, \(codes.scales.netronText)"))
      }
      if tensor.storage == .sparse { attributes.append(("\(tensor.role.rawValue) storage", "sparse")) }
    }
    if let codes = model.integerArithmetic?.outputs[index] {
      attributes.append(("output codes", codes.netronText))
    }
    return attributes
  }
}

extension Layer.Operation {
  /// What Netron calls the layer, and the category that it has its colour by.
  fileprivate var netronType: (name: String, category: String) {
    switch self {
    case .convolution: ("Convolution", "Layer")
    case .dense: ("Dense", "Layer")
    case .pooling(let pooling): (pooling.method == .maximum ? "MaxPooling" : "AveragePooling", "Pool")
    case .normalization: ("LRN", "Normalization")
    case .softmax: ("Softmax", "Activation")
    case .sigmoid: ("Sigmoid", "Activation")
    }
  }

  /// The settings that people look for.
  fileprivate var netronAttributes: [(String, String)] {
    switch self {
    case .convolution(let convolution):
      [
        ("kernel", "\(convolution.kernel)"), ("stride", "\(convolution.stride)"),
        ("padding", "\(convolution.padding)"), ("activation", convolution.activation.rawValue),
      ]
    case .dense(let dense): [("activation", dense.activation.rawValue)]
    case .pooling(let pooling) where pooling.isGlobal: [("window", "the whole map")]
    case .pooling(let pooling):
      [
        ("window", "\(pooling.kernel)"), ("stride", "\(pooling.stride)"), ("padding", "\(pooling.padding)"),
        ("rounding", pooling.rounding.rawValue),
      ]
    case .normalization(let normalization):
      [
        ("size", "\(normalization.size)"), ("scale of each square", "\(normalization.scale)"),
        ("beta", "\(normalization.beta)"), ("k", "\(normalization.k)"),
        ("region", normalization.region.rawValue),
      ]
    case .softmax, .sigmoid: []
    }
  }
}

extension Quantization {
  /// What codes stand for, in a line.
  fileprivate var netronText: String {
    let rule = zeroPointCount == 0 ? "code * scale" : "(code - zero point) * scale"
    let groups = if case .inputGroups(let length) = grouping { " for groups of \(length) inputs" } else { "" }
    return "\(type.rawValue): \(rule), \(scales.netronText)\(groups)"
  }
}

extension ActivationQuantization {
  /// What codes of a map stand for, such as `(code + 128) * 0.02`.
  fileprivate var netronText: String {
    "(code \(zeroPoint < 0 ? "+" : "-") \(zeroPoint.magnitude)) * \(scale)"
  }
}

extension [Float] {
  /// How many scales there are, and how large they are.
  fileprivate var netronText: String {
    guard let least = self.min(), let most = self.max() else { return "no scales" }
    return count == 1 ? "scale \(least)" : "\(count) scales of \(least) to \(most)"
  }
}
