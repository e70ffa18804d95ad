internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// The one way through a graph from its input to its output, each node put into the terms of the grammar.
///
/// Nodes that only make tensors out of tensors are not on it. Where the way branches, or a node is nothing that a VGG has, the
/// element says so, and is refused when the grammar comes to it.
struct ONNXChain {
  /// The nodes in order.
  private(set) var elements: [ChainElement] = []
  /// What is done to pictures in front of the first layer.
  private(set) var preparation = PicturePreparation()
  /// The names of what these nodes and the roundings to codes read: it is in the model, though not as a tensor.
  private(set) var operands: Set<String> = []
  /// The rounding to codes of what the network reads.
  private(set) var inputCodes: ActivationQuantization?
  /// Whether the map in front of the head is flattened row, column, channel.
  private(set) var flattensChannelsLast = false
  /// The extent and number of channels of the input, as far as they are known; nil: not even its axes are.
  private(set) var inputShape: (channels: Int?, extent: Extent?)?

  let graph: ONNXGraph
  /// What the metadata say; nil: they are not ours.
  let metadata: ModelMetadata?
  /// Whether maps are [N, rows, columns, channels] at the node that is looked at.
  var isChannelsLast = false
  /// What is known of the rounding that a DequantizeLinear must undo.
  private var pendingCodes: ActivationQuantization?

  var file: ONNXFile { graph.file }

  init(_ graph: ONNXGraph) throws(FileError) {
    self.graph = graph
    let model = graph.model
    let entries = Dictionary(model.metadata) { first, _ in first }
    guard entries.count == model.metadata.count else {
      throw graph.file.malformed("metadata", "has an entry twice", place: "the metadata")
    }
    metadata = try ModelMetadata(entries, file: graph.file.path)
    guard model.inputs.count == 1, model.outputs.count == 1 else {
      throw file.unsupported(
        "inputs", "is not built like a VGG", place: "the graph",
        seen: "\(model.inputs.count) inputs and \(model.outputs.count) outputs", allowed: "one of each")
    }
    var value = model.inputs[0].name
    for _ in model.nodes {
      let readers = graph.readers(of: value)
      if readers.isEmpty { break }
      let node = model.nodes[readers[0]]
      guard readers.count == 1 else {
        let names = readers.prefix(4).map { model.nodes[$0].place }.joined(separator: ", ")
        elements.append(
          ChainElement(
            node,
            .refused(
              structure(
                node, seen: "\(value) is read by \(names)", allowed: "a chain: each node reads the one before"
              ))))
        return
      }
      try take(node, reading: value)
      guard let output = node.outputs.first, !output.isEmpty else {
        throw file.malformed("output", "has a node without an output", at: node.offset, place: node.place)
      }
      value = output
    }
    guard value == model.outputs[0] else {
      throw file.unsupported(
        "chain", "is not built like a VGG", place: "the graph",
        seen: "\(model.outputs[0]) is not what the last node of the chain gives, which is \(value)",
        allowed: "a chain from the input to the output")
    }
    if pendingCodes != nil, let last = elements.last {
      let error = file.unsupported(
        "codes", "gives codes, not the numbers that they stand for", place: "the output \(model.outputs[0])",
        allowed: "a DequantizeLinear at the end")
      elements.append(ChainElement(last.node, .refused(error)))
    }
    addClippingCodes()
  }

  /// Whether nothing has come but what prepares pictures.
  private var isInFront: Bool {
    elements.allSatisfy {
      $0.neutral.operation == .inputTransformation || $0.neutral.operation == .identity
    }
  }

  /// The operators that give some of the codes that they read.
  private static let leavesCodes: Set = [
    "MaxPool", "GlobalMaxPool", "Flatten", "Reshape", "Squeeze", "Identity", "Dropout",
  ]

  /// Takes the shape of the input, which is known to be of maps when the first convolution or their transposition comes.
  private mutating func setInputShape() {
    let shape = graph.model.inputs[0].shape
    guard inputShape == nil, shape.count == 4, isInFront else { return }
    let lengths = Array(shape.dropFirst())
    let (channels, height, width) =
      isChannelsLast ? (lengths[2], lengths[0], lengths[1]) : (lengths[0], lengths[1], lengths[2])
    let sides = 1...Network.largestInputSide
    var extent: Extent?
    if let height, let width, sides.contains(height), sides.contains(width) {
      extent = Extent(height: height, width: width)
    }
    inputShape = (channels, extent)
  }

  private mutating func take(_ node: ONNXNode, reading value: String) throws(FileError) {
    switch node.type {
    case "QuantizeLinear", "DequantizeLinear":
      return try refusingInTurn(node) { (chain) throws(FileError) in try chain.takeCodes(node) }
    case "Transpose" where ONNXNode.isStandard(node.domain): return try takeTransposition(node)
    case "Add" where ONNXNode.isStandard(node.domain):
      if try takeBias(node, besides: value) { return }
    default: break
    }
    if isInFront, pendingCodes == nil, ONNXNode.isStandard(node.domain),
      try preparation.take(node, besides: value, graph, isChannelsLast: isChannelsLast)
    {
      operands.formUnion(node.inputs)
      elements.append(ChainElement(node, .inputTransformation))
      return
    }
    if isInFront { setInputShape() }
    try refusingInTurn(node) { (chain) throws(FileError) in
      let element = try chain.element(node, reading: value)
      guard chain.pendingCodes == nil || ONNXChain.leavesCodes.contains(node.type) else {
        throw chain.structure(
          node, seen: "\(node.type) of codes", allowed: "a DequantizeLinear in front of it")
      }
      if element.neutral.operation == .flatten { chain.flattensChannelsLast = chain.isChannelsLast }
      chain.elements.append(element)
    }
  }

  /// Tells of damage at once, but of what is no VGG only when the grammar comes to it, which may know better what is wrong.
  private mutating func refusingInTurn(
    _ node: ONNXNode, _ body: (inout ONNXChain) throws(FileError) -> Void
  ) throws(FileError) {
    do throws(FileError) { try body(&self) } catch {
      guard error.kind == .unsupported else { throw error }
      elements.append(ChainElement(node, .refused(error)))
    }
  }

  private mutating func takeTransposition(_ node: ONNXNode) throws(FileError) {
    let order = node.integers("perm") ?? []
    switch order {
    case [0, 3, 1, 2] where isChannelsLast || elements.allSatisfy({ !$0.isLayer }):
      isChannelsLast = true
      setInputShape()
      isChannelsLast = false
    case [0, 2, 3, 1] where !isChannelsLast: isChannelsLast = true
    default:
      let error = structure(node, seen: "a transposition to \(order)", allowed: "between NCHW and NHWC")
      elements.append(ChainElement(node, .refused(error)))
      return
    }
    elements.append(ChainElement(node, .identity))
  }

  /// Takes a summand for each output of the layer before as its bias; false where it is none.
  private mutating func takeBias(_ node: ONNXNode, besides value: String) throws(FileError) -> Bool {
    guard let last = elements.last, last.weight != nil, last.bias == nil, node.inputs.count == 2,
      let other = node.inputs.first(where: { $0 != value }), var bias = try graph.constant(other)
    else { return false }
    // Axes are counted from the last one: of a map that is the one of its columns, of a row that of its outputs.
    let axesBehind: Int
    switch last.neutral.operation {
    case .convolution: axesBehind = 2
    case .dense: axesBehind = 0
    default: return false
    }
    let behind = bias.shape.suffix(axesBehind)
    guard behind.count == axesBehind,
      (behind + bias.shape.dropLast(axesBehind + 1)).allSatisfy({ $0 == 1 })
    else { return false }
    bias.dropUnitAxes()
    elements[elements.count - 1].bias = bias
    return true
  }

  // MARK: Codes of maps

  private mutating func takeCodes(_ node: ONNXNode) throws(FileError) {
    let codes = try quantization(node)
    operands.formUnion(node.inputs)
    let layer = elements.lastIndex(where: \.isLayer)
    if node.type == "QuantizeLinear" {
      if let last = elements.last, last.hasWeights, codes.zeroPoint == .min {
        elements[elements.count - 1].isClippedByCodes = true
      }
      guard pendingCodes == nil else {
        throw file.unsupported(
          "codes", "rounds codes to codes", at: node.offset, place: node.place,
          allowed: "numbers, behind a DequantizeLinear")
      }
      pendingCodes = codes
    } else {
      guard pendingCodes == codes else {
        throw file.unsupported(
          "codes", "turns codes into other values than they stand for", at: node.offset, place: node.place,
          allowed: "the scale and zero point of the QuantizeLinear before it")
      }
      pendingCodes = nil
    }
    guard let known = layer.map({ elements[$0].codes }) ?? inputCodes, known != codes else {
      if let layer { elements[layer].codes = codes } else { inputCodes = codes }
      return
    }
    throw file.unsupported(
      "codes", "rounds a map twice", at: node.offset, place: node.place,
      seen: "steps of \(codes.scale) behind steps of \(known.scale)", allowed: "one rounding for each map")
  }

  /// Adds the ReLUs that other quantisers leave out where the least code stands for zero; ours does not.
  private mutating func addClippingCodes() {
    guard graph.model.producer != ONNXField.ownProducer else { return }
    let last = elements.lastIndex(where: \.hasWeights)
    elements = elements.enumerated().flatMap { index, element in
      guard element.isClippedByCodes, index != last || !element.isDense else { return [element] }
      return [element, ChainElement(element.node, .activation(.relu))]
    }
  }

  /// What the codes of a map stand for; codes without a sign are moved by 128.
  private func quantization(_ node: ONNXNode) throws(FileError) -> ActivationQuantization {
    func refusal(_ seen: String) -> FileError {
      file.unsupported(
        "codes", "rounds a map in a way that is not supported", at: node.offset, place: node.place,
        seen: seen,
        allowed: "a scale and a zero point of int8 or uint8, for the whole map")
    }
    for name in ["output_dtype", "block_size", "precision"] where node.integer(name, otherwise: 0) != 0 {
      throw refusal("\(name) \(node.integer(name, otherwise: 0))")
    }
    guard ONNXNode.isStandard(node.domain) || node.domain == "com.microsoft", let name = node.input(1),
      let constant = try graph.constant(name), constant.scales == nil, constant.steps.isEmpty
    else { throw refusal("a scale that is computed") }
    let scale = constant.tensor
    guard let number = try graph.value(of: scale), number.isNormal, number > 0 else {
      throw refusal("a scale of shape \(scale.shape), or one that is not positive")
    }
    var zeroPoint = -128  // without one, codes are uint8, counted from 0
    if let name = node.input(2) {
      guard let tensor = try graph.constant(name)?.tensor, let integers = try graph.integers(of: tensor),
        integers.count == 1
      else { throw refusal("a zero point that is computed") }
      switch try tensor.element(file) {
      case .int8: zeroPoint = integers[0]
      case .uint8: zeroPoint = integers[0] - 128
      default: throw refusal("codes of another type")
      }
    }
    guard let code = Int8(exactly: zeroPoint) else { throw refusal("the zero point \(zeroPoint)") }
    return ActivationQuantization(scale: number, zeroPoint: code)
  }

  func structure(_ node: ONNXNode, seen: String, allowed: String, advice: String? = nil) -> FileError {
    file.unsupported(
      "structure", "is not built like a VGG", at: node.offset, place: node.place, seen: seen,
      allowed: allowed,
      advice: advice)
  }
}
