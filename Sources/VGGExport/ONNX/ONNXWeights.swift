internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// How weights and biases get into a graph.
extension ONNXGraph {
  /// Adds a layer's weight in the order of ONNX: [output, input, row, column], or [output, input] with maps flattened channel, row,
  /// column.
  ///
  /// Codes that share a scale along the input keep the native order, as only neighbours along one axis can share one in ONNX, and
  /// operations bring the values into the order; a dense weight is [input, output] then.
  ///
  /// - Returns: The name of its values in float32, and whether inputs come first.
  mutating func addWeight(
    _ tensor: Tensor, ofLayer index: Int, in network: Network
  ) -> (name: String, hasInputsFirst: Bool) {
    guard let arranged = network.arrangement(ofLayer: index, in: .channelsFirst) else {
      preconditionFailure("a layer with a weight has an order of its axes")
    }
    switch tensor.content {
    case .real(let values, let type):
      return (addReals(tensor.name, arranged.shape, arranged.arrange(values), type), false)
    case .codes(let codes, let quantization):
      if case .inputGroups(let length) = quantization.grouping {
        return addGroups(tensor, codes, quantization, length, map: network.flattenedMap(readByLayer: index))
      }
      let piece = ONNXGraph.piece(arranged.arrange(codes), quantization.type)
      add(tensor.name, ONNXElement(quantization.type), shape: arranged.shape, piece)
      return (addDequantization(tensor.name, quantization, quantization.type), false)
    case .bias: preconditionFailure("a weight has no codes of biases")
    }
  }

  /// Adds a layer's bias.
  ///
  /// - Parameters:
  ///   - tensor: The bias.
  ///   - hasOneUnit: Whether the codes of all outputs have one scale, since those of the weight have.
  /// - Returns: The name of its values in float32.
  mutating func addBias(_ tensor: Tensor, hasOneUnit: Bool) -> String {
    switch tensor.content {
    case .real(let values, let type): return addReals(tensor.name, tensor.shape, values, type)
    case .codes: return addReals(tensor.name, tensor.shape, tensor.values, .float32)
    case .bias(let bias):
      var codes = FileContent()
      for code in bias.codes { codes.append(code) }
      add(tensor.name, .int32, shape: tensor.shape, codes.pieces[0])
      let quantization = Quantization(
        by: hasOneUnit ? .tensor : .outputChannel,
        scales: hasOneUnit ? Array(bias.scales.prefix(1)) : bias.scales)
      return addDequantization(tensor.name, quantization, nil)
    }
  }

  /// Adds numbers; those of a narrower type are widened by an operation, so that every program computes in float32.
  private mutating func addReals(
    _ name: String, _ shape: [Int], _ values: any TensorValues, _ type: RealType
  ) -> String {
    add(name, ONNXElement(type), shape: shape, .reals(values, as: type))
    guard type != .float32 else { return name }
    return add(
      "Cast", [name], to: "\(name)/values", attributes: [("to", .integer(ONNXElement.float32.rawValue))])
  }

  /// Adds what turns codes into values, by a scale for each output channel or for all.
  ///
  /// - Parameter type: What the codes are; zero points are of the same type, and are there even where all are 0: ONNX Runtime
  ///   makes an operation on integers of a dense layer only then. Nil: biases, which have none.
  private mutating func addDequantization(
    _ name: String, _ quantization: Quantization, _ type: CodeType?
  ) -> String {
    let isWhole = quantization.grouping == .tensor
    let parameters = addParameters(
      name, quantization, shape: isWhole ? [] : [quantization.scaleCount], zeroPointType: type)
    return add(
      "DequantizeLinear", [name] + parameters, to: "\(name)/values",
      attributes: isWhole ? [] : [("axis", .integer(0))])
  }

  /// Adds scales, and zero points where they have a type.
  private mutating func addParameters(
    _ name: String, _ quantization: Quantization, shape: [Int], zeroPointType type: CodeType?
  ) -> [String] {
    let scales = add("\(name)/scales", shape: shape, quantization.scales)
    guard let type else { return [scales] }
    let zeroPoints =
      quantization.zeroPointCount > 0
      ? quantization.zeroPoints : Array(repeating: 0, count: quantization.scaleCount)
    let piece = ONNXGraph.piece(MemoryCodes(zeroPoints), type)
    return [scales, add("\(name)/zero_points", ONNXElement(type), shape: shape, piece)]
  }

  /// Adds codes in the native order as [rows, outputs], with scales for groups of rows.
  private mutating func addGroups(
    _ tensor: Tensor, _ codes: any TensorCodes, _ quantization: Quantization, _ length: Int,
    map: FeatureShape?
  ) -> (name: String, hasInputsFirst: Bool) {
    let name = tensor.name
    let outputs = tensor.shape.last ?? 1
    let rows = codes.count / outputs
    add(
      name, ONNXElement(quantization.type), shape: [rows, outputs], ONNXGraph.piece(codes, quantization.type))
    let parameters = addParameters(
      name, quantization, shape: [quantization.scaleCount / outputs, outputs],
      zeroPointType: quantization.zeroPointCount > 0 ? quantization.type : nil)
    let isKernel = tensor.shape.count == 4
    let needsOrder = isKernel || map != nil
    var values = add(
      "DequantizeLinear", [name] + parameters, to: needsOrder ? "\(name)/rows" : "\(name)/values",
      attributes: [("axis", .integer(0)), ("block_size", .integer(length))])
    guard needsOrder else { return (values, true) }
    let shape = map.map { [$0.extent.height, $0.extent.width, $0.channels, outputs] } ?? tensor.shape
    values = add(
      "Reshape", [values, add("\(name)/shape", integers: shape)], to: "\(name)/map")
    values = add(
      "Transpose", [values], to: isKernel ? "\(name)/values" : "\(name)/channels",
      attributes: [("perm", .integers(isKernel ? [3, 2, 0, 1] : [2, 0, 1, 3]))])
    guard !isKernel else { return (values, false) }
    let flat = add("\(name)/flat_shape", integers: [rows, outputs])
    return (add("Reshape", [values, flat], to: "\(name)/values"), true)
  }

  private static func piece(_ codes: any TensorCodes, _ type: CodeType) -> FileContent.Piece {
    switch type {
    case .int8: .codes(codes)
    case .int4: .nibbles(codes)
    }
  }
}

extension ONNXElement {
  fileprivate init(_ type: RealType) {
    self =
      switch type {
      case .float32: .float32
      case .float16: .float16
      case .bfloat16: .bfloat16
      }
  }

  fileprivate init(_ type: CodeType) {
    self =
      switch type {
      case .int8: .int8
      case .int4: .int4
      }
  }
}
