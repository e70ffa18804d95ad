internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What operators are in a VGG.
extension ONNXChain {
  func element(_ node: ONNXNode, reading value: String) throws(FileError) -> ChainElement {
    guard ONNXNode.isStandard(node.domain) else { throw foreign(node) }
    switch node.type {
    case "Conv": return try convolution(node)
    case "Gemm", "MatMul": return try dense(node, reading: value)
    case "BatchNormalization": return try normalization(node)
    case "Relu": return ChainElement(node, .activation(.relu))
    case "Sigmoid": return ChainElement(node, .activation(.sigmoid))
    case "Softmax":
      // Before opset 13 an axis of 1 meant everything behind the pictures, and was the standard.
      let axis = node.integer("axis", otherwise: graph.model.operatorSet < 13 ? 1 : -1)
      // Of a row -1 is the axis of the classes, of a map that of its columns.
      let isRow = elements.contains { $0.neutral.operation == .flatten || $0.isDense }
      guard axis == 1 || axis == -1 && isRow, !isChannelsLast || isRow else {
        throw structure(node, seen: "axis \(axis)", allowed: "the axis of the classes")
      }
      return ChainElement(node, .activation(.softmax))
    case "MaxPool", "AveragePool": return ChainElement(node, try pooling(node))
    case "GlobalMaxPool", "GlobalAveragePool", "ReduceMean", "ReduceMax":
      return ChainElement(node, try globalPooling(node))
    case "LRN":
      guard !isChannelsLast else { throw channelsLast(node) }
      return ChainElement(node, .localResponseNormalization)
    case "Pad": return ChainElement(node, try padding(node))
    case "Flatten", "Squeeze": return ChainElement(node, try flattening(node))
    case "Reshape":
      var element = ChainElement(node, try flattening(node))
      element.rowLength = try rowShape(node)?.last.flatMap { $0 }.flatMap { $0 > 0 ? $0 : nil }
      return element
    case "Identity": return ChainElement(node, .identity)
    case "Dropout":
      guard node.input(2) == nil else {
        throw structure(
          node, seen: "a Dropout that may be training", allowed: "a network that is not trained")
      }
      return ChainElement(node, .identity)
    default: throw foreign(node)
    }
  }

  /// Refuses an operator by its name.
  private func foreign(_ node: ONNXNode) -> FileError {
    let isInteger =
      node.type.hasPrefix("QLinear")
      || ["QGemm", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"].contains(node.type)
    return structure(
      node, seen: "the operator \(node.type)",
      allowed: "operators of a VGG, such as Conv, Relu, MaxPool and Gemm",
      advice: isInteger
        ? "quantise it with QuantizeLinear and DequantizeLinear: onnxruntime's quantize_static with quant_format=QDQ"
        : nil)
  }

  /// Refuses what works along the channels, which it would take for another axis.
  private func channelsLast(_ node: ONNXNode) -> FileError {
    structure(node, seen: "a map whose channels come last", allowed: "[N, channels, rows, columns]")
  }

  // MARK: Layers with weights

  private func constant(_ node: ONNXNode, _ index: Int) throws(FileError) -> ONNXConstant? {
    guard let name = node.input(index) else { return nil }
    guard let constant = try graph.constant(name) else {
      throw structure(node, seen: "\(name) is computed", allowed: "weights that the file holds")
    }
    return constant
  }

  /// Requires a weight of the type that maps have: no operator mixes them.
  private func requireType(of weight: ONNXConstant, _ node: ONNXNode) throws(FileError) {
    let type = weight.isWidened || weight.scales != nil ? .float32 : try weight.tensor.element(file)
    guard type == mapType else {
      throw structure(node, seen: "weights of \(type), maps of \(mapType)", allowed: "the same type")
    }
  }

  private func convolution(_ node: ONNXNode) throws(FileError) -> ChainElement {
    guard let weight = try constant(node, 1), weight.shape.count == 4 else {
      throw structure(node, seen: "no kernel of two dimensions", allowed: "[output, input, rows, columns]")
    }
    guard !isChannelsLast else { throw channelsLast(node) }
    let kernel = Extent(height: weight.shape[2], width: weight.shape[3])
    var window = NeutralLayer.Window(kernel: kernel)
    window.stride = try extent(node, "strides", otherwise: 1)
    window.dilation = try extent(node, "dilations", otherwise: 1)
    window.groups = node.integer("group", otherwise: 1)
    if let named = node.integers("kernel_shape"), named != [kernel.height, kernel.width] {
      throw file.malformed(
        "kernel", "has a kernel of another shape than it says", at: node.offset, place: node.place,
        seen: "\(weight.shape)", allowed: "\(named)")
    }
    window.padding = try pads(node, kernel: kernel, stride: window.stride)
    try requireType(of: weight, node)
    var element = ChainElement(node, .convolution(window))
    (element.weight, element.bias) = (weight, try constant(node, 2))
    return element
  }

  private func dense(_ node: ONNXNode, reading value: String) throws(FileError) -> ChainElement {
    guard let weight = try constant(node, 1), weight.shape.count == 2, node.input(0) == value else {
      throw structure(node, seen: "no weight of two axes", allowed: "[input, output] or [output, input]")
    }
    for (name, standard) in [("alpha", 1), ("beta", 1)] as [(String, Float)]
    where node.float(name, otherwise: standard) != standard {
      throw structure(node, seen: "\(name) \(node.float(name, otherwise: 1))", allowed: "1")
    }
    guard node.integer("transA", otherwise: 0) == 0 else {
      throw structure(node, seen: "transA", allowed: "values [N, input]")
    }
    var element = ChainElement(node, .dense)
    element.hasOutputsFirst = node.integer("transB", otherwise: 0) != 0
    let inputCount = weight.shape[element.hasOutputsFirst ? 1 : 0]
    if let length = elements.last(where: { $0.isLayer || $0.rowLength != nil })?.rowLength,
      length != inputCount
    {
      throw structure(
        node, seen: "\(inputCount) inputs behind a row of \(length) values", allowed: "as many as the row has"
      )
    }
    try requireType(of: weight, node)
    (element.weight, element.bias) = (weight, try constant(node, 2))
    if let bias = element.bias, bias.shape.count > 2 || bias.shape.dropLast().contains(where: { $0 != 1 }) {
      throw structure(node, seen: "a summand of shape \(bias.shape)", allowed: "one for each output")
    }
    return element
  }

  private func normalization(_ node: ONNXNode) throws(FileError) -> ChainElement {
    guard node.integer("training_mode", otherwise: 0) == 0, let gamma = try constant(node, 1),
      let beta = try constant(node, 2), let mean = try constant(node, 3),
      let variance = try constant(node, 4),
      !isChannelsLast
    else {
      throw structure(node, seen: "a normalisation that is trained", allowed: "one with mean and variance")
    }
    var element = ChainElement(node, .batchNormalization)
    (element.weight, element.bias, element.statistics) = (gamma, beta, (mean, variance))
    return element
  }

  // MARK: Windows

  private func extent(_ node: ONNXNode, _ name: String, otherwise side: Int) throws(FileError) -> Extent {
    guard let sides = node.integers(name), !sides.isEmpty else { return Extent(side: side) }
    guard sides.count == 2, sides.allSatisfy({ (1...Network.largestInputSide).contains($0) }) else {
      throw file.malformed(
        "window", "has an impossible window", at: node.offset, place: node.place, seen: "\(name) \(sides)",
        allowed: "two numbers from 1 to \(Network.largestInputSide)")
    }
    return Extent(height: sides[0], width: sides[1])
  }

  private func pads(_ node: ONNXNode, kernel: Extent, stride: Extent) throws(FileError) -> Extent {
    switch node.attributes["auto_pad"]?.string ?? "NOTSET" {
    case "NOTSET": break
    case "VALID": return Extent(side: 0)
    case "SAME_UPPER", "SAME_LOWER":
      guard stride == Extent(side: 1), kernel.height % 2 == 1, kernel.width % 2 == 1 else {
        throw structure(node, seen: "auto_pad SAME with strides", allowed: "padding in numbers")
      }
      return kernel.paddingThatKeepsTheMap
    case let other: throw structure(node, seen: "auto_pad \(other)", allowed: "padding in numbers")
    }
    return try symmetric(node, node.integers("pads") ?? [])
  }

  /// Zeros at both ends of both axes, where they are as many at each.
  private func symmetric(_ node: ONNXNode, _ pads: [Int]) throws(FileError) -> Extent {
    guard !pads.isEmpty else { return Extent(side: 0) }
    guard pads.count == 4, pads[0] == pads[2], pads[1] == pads[3],
      pads.allSatisfy({ (0...Network.largestInputSide).contains($0) })
    else {
      throw structure(node, seen: "pads \(pads)", allowed: "as much padding at both ends")
    }
    return Extent(height: pads[0], width: pads[1])
  }

  private func padding(_ node: ONNXNode) throws(FileError) -> NeutralLayer.Operation {
    let mode = node.attributes["mode"]?.string ?? "constant"
    let named = try node.input(1).flatMap { (name) throws(FileError) in try graph.integers(name) }
    var value: Float? = node.float("value", otherwise: 0)
    if let number = try constant(node, 2) { value = try graph.value(of: number.tensor) }
    guard mode == "constant", value == 0, node.input(3) == nil, let pads = named ?? node.integers("pads"),
      pads.count == 8
    else {
      throw structure(node, seen: "padding by \(mode)", allowed: "zeros around the map")
    }
    let axes = isChannelsLast ? [1, 2] : [2, 3]
    guard pads.indices.allSatisfy({ axes.contains($0 % 4) || pads[$0] == 0 }) else {
      throw structure(node, seen: "pads \(pads)", allowed: "zeros around the map")
    }
    return .padding(try symmetric(node, axes.map { pads[$0] } + axes.map { pads[4 + $0] }))
  }

  private func pooling(_ node: ONNXNode) throws(FileError) -> NeutralLayer.Operation {
    guard !isChannelsLast, try extent(node, "dilations", otherwise: 1) == Extent(side: 1) else {
      throw structure(node, seen: "a window with gaps, or over channels", allowed: "a window of pixels")
    }
    var pooling = Pooling(rounding: node.integer("ceil_mode", otherwise: 0) == 0 ? .floor : .ceiling)
    pooling.method = node.type == "MaxPool" ? .maximum : .average
    guard node.integers("kernel_shape") != nil else {
      throw structure(node, seen: "no kernel_shape", allowed: "the extent of the window")
    }
    pooling.kernel = try extent(node, "kernel_shape", otherwise: 1)
    pooling.stride = try extent(node, "strides", otherwise: 1)
    pooling.padding = try pads(node, kernel: pooling.kernel, stride: pooling.stride)
    // torch writes an adaptive pooling that has nothing to do like this.
    if pooling.kernel == Extent(side: 1), pooling.stride == Extent(side: 1),
      pooling.padding == Extent(side: 0)
    {
      return .identity
    }
    // As in Caffe, what is padded counts.
    guard
      pooling.method == .maximum || pooling.padding == Extent(side: 0)
        || node.integer("count_include_pad", otherwise: 0) == 1
    else {
      throw structure(
        node, seen: "means over what of a window is on the map",
        allowed: "means over all of a window (count_include_pad 1), or no padding")
    }
    return .pooling(pooling)
  }

  private func globalPooling(_ node: ONNXNode) throws(FileError) -> NeutralLayer.Operation {
    let method: Pooling.Method =
      node.type.hasSuffix("Max") || node.type == "GlobalMaxPool" ? .maximum : .average
    guard node.type.hasPrefix("Reduce") else {
      guard !isChannelsLast else { throw channelsLast(node) }
      return .pooling(Pooling(global: method))
    }
    let named = try node.input(1).flatMap { (name) throws(FileError) in try graph.integers(name) }
    let axes = (named ?? node.integers("axes") ?? []).map { $0 < 0 ? $0 + 4 : $0 }.sorted()
    guard axes == (isChannelsLast ? [1, 2] : [2, 3]) else {
      throw structure(node, seen: "axes \(axes)", allowed: "rows and columns")
    }
    return .pooling(Pooling(global: method))
  }

  /// What a node is to reshape its input to; nil for lengths that depend on the input.
  private func rowShape(_ node: ONNXNode) throws(FileError) -> [Int?]? {
    let named = try node.input(1).flatMap { (name) throws(FileError) in try graph.lengths(name) }
    return named ?? node.integers("shape")
  }

  /// Whether a shape has a row for each picture, as far as that is known yet.
  private func isRow(_ lengths: [Int?]) -> Bool {
    guard lengths.count == 2 else { return false }
    // 0 leaves the number of pictures as it is; -1 makes it of what is left.
    let pictures = [nil, -1, 0, 1, graph.model.inputs[0].shape.first ?? nil]
    guard pictures.contains(lengths[0]), lengths[0] != lengths[1] || lengths[0] == 1 else { return false }
    guard let count = lengths[1] else { return false }
    guard let outputs = elements.last(where: \.hasWeights)?.denseOutputCount else { return true }
    return count == outputs || count == -1
  }

  /// What leaves the numbers in their order, and makes one row of them.
  private func flattening(_ node: ONNXNode) throws(FileError) -> NeutralLayer.Operation {
    switch node.type {
    case "Flatten":
      guard node.integer("axis", otherwise: 1) == 1 else {
        throw structure(node, seen: "axis \(node.integer("axis", otherwise: 1))", allowed: "1")
      }
    case "Reshape":
      let lengths = try rowShape(node)
      guard let lengths, isRow(lengths) else {
        let shape = (lengths ?? []).map { $0.map { "\($0)" } ?? "?" }
        throw structure(
          node, seen: "the shape [\(shape.joined(separator: ", "))]",
          allowed: "[N, values], a row for each picture")
      }
    default:
      // One pixel is left, whose axes go.
      guard
        case .pooling(let pooling)? = elements.last(where: { $0.neutral.operation != .identity })?.neutral
          .operation,
        pooling.isGlobal
      else { throw structure(node, seen: "axes of a map", allowed: "those that a global pooling leaves") }
    }
    return .flatten
  }
}
