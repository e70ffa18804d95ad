internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Reads the weights of layers that are known for what they are in a VGG.
struct WeightReading {
  let graph: ONNXGraph
  /// The names of tensors that are in the model, or were worked into it.
  private(set) var used: Set<String> = []

  private var file: ONNXFile { graph.file }

  init(_ graph: ONNXGraph) { self.graph = graph }

  /// The weight and the bias of a convolution.
  ///
  /// - Parameters:
  ///   - element: The convolution.
  ///   - input: What the codes stand for that the layer reads, in a network of integers.
  mutating func convolution(
    _ element: ChainElement, input: ActivationQuantization?
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    guard let weight = element.weight else { preconditionFailure("a convolution has a kernel") }
    switch weight.steps {
    case []: return try layer(element, weight, .oihw, outputAxis: 0, input)
    case [.transpose([3, 2, 0, 1])] where weight.baseShape.count == 4:
      return try layer(element, weight, .hwio, outputAxis: weight.tensor.shape.count - 1, input)
    default: throw rearranged(element)
    }
  }

  /// The weight and the bias of a dense layer, and whether its inputs are in the native order whatever the map's is in the graph.
  mutating func dense(
    _ element: ChainElement, input: ActivationQuantization?
  ) throws(FileError) -> (layer: FoundNetwork.WeightedLayer, hasNativeOrder: Bool) {
    guard let weight = element.weight else { preconditionFailure("a dense layer has a weight") }
    let last = weight.tensor.shape.count - 1
    switch weight.steps {
    case [] where element.hasOutputsFirst:
      return (try layer(element, weight, .outIn, outputAxis: 0, input), false)
    case []: return (try layer(element, weight, .inOut, outputAxis: last, input), false)
    case [.transpose([1, 0])] where element.hasOutputsFirst:
      return (try layer(element, weight, .inOut, outputAxis: last, input), false)
    case [.transpose([1, 0])]: return (try layer(element, weight, .outIn, outputAxis: 0, input), false)
    default:
      // A weight [rows, output] of a map in the native order, which our own exporter lets the graph rearrange.
      guard !element.hasOutputsFirst, weight.steps.count == 2, weight.steps[0] == .transpose([2, 0, 1, 3]),
        case .reshape(let shape) = weight.steps[1], shape.count == 2, weight.baseShape[3] == shape[1]
      else { throw rearranged(element) }
      let native = ONNXConstant(weight, base: shape)
      return (try layer(element, native, .inOut, outputAxis: last, input), true)
    }
  }

  /// A convolution over all that is left of the map, as a dense layer.
  mutating func denseConvolution(
    _ element: ChainElement, input: ActivationQuantization?
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    guard let weight = element.weight, weight.steps.isEmpty, weight.shape.count == 4 else {
      preconditionFailure("a convolution has a kernel")
    }
    let flat = ONNXConstant(
      weight, base: [weight.shape[0], weight.shape[1] * weight.shape[2] * weight.shape[3]])
    return try layer(element, flat, .outIn, outputAxis: 0, input)
  }

  /// A batch normalisation.
  mutating func normalization(_ element: ChainElement) throws(FileError) -> BatchNormalization {
    guard let gamma = element.weight, let beta = element.bias, let (mean, variance) = element.statistics
    else {
      preconditionFailure("a normalisation has four tensors")
    }
    return BatchNormalization(
      name: element.node.name, gamma: try vector(gamma, element), beta: try vector(beta, element),
      mean: try vector(mean, element), spread: try vector(variance, element),
      epsilon: Double("\(element.node.float("epsilon", otherwise: 1e-5))") ?? 1e-5)
  }

  // MARK: Tensors

  private mutating func layer(
    _ element: ChainElement, _ weight: ONNXConstant, _ layout: SourceLayout, outputAxis: Int,
    _ input: ActivationQuantization?
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    used.insert(weight.name)
    var source: SourceTensor
    var codes: Quantization?
    if let scales = weight.scales {
      (source, codes) = try quantized(weight, scales, layout, outputAxis: outputAxis, element)
    } else {
      source = try reals(weight, shape: weight.baseShape, layout, element)
    }
    var layer = FoundNetwork.WeightedLayer(name: element.node.name, weight: source, bias: nil)
    layer.weightCodes = codes
    guard let bias = element.bias else { return layer }
    if bias.scales == nil {
      layer.bias = try vector(bias, element)
    } else {
      used.insert(bias.name)
      layer.biasCodes = try biasCodes(bias, element, codes, outputs: source.canonicalShape.last ?? 0, input)
    }
    return layer
  }

  private mutating func vector(_ constant: ONNXConstant, _ element: ChainElement) throws(FileError)
    -> SourceTensor
  {
    used.insert(constant.name)
    var constant = constant
    constant.dropUnitAxes()
    guard constant.steps.isEmpty, constant.scales == nil, constant.shape.count <= 1 else {
      throw rearranged(element, constant)
    }
    return try reals(constant, shape: constant.shape.isEmpty ? [1] : constant.shape, .vector, element)
  }

  private func reals(
    _ constant: ONNXConstant, shape: [Int], _ layout: SourceLayout, _ element: ChainElement
  ) throws(FileError) -> SourceTensor {
    let kind: NumberFormat.Kind
    switch try constant.tensor.element(file) {
    case .float32: kind = .float32
    case .float16: kind = .float16
    case .bfloat16: kind = .bfloat16
    case .float64: kind = .float64
    default:
      throw file.unsupported(
        "type", "has weights of a type that no VGG has", at: constant.tensor.offset,
        place: "tensor \(constant.name), \(element.node.place)",
        allowed: "floating-point numbers, or codes with scales")
    }
    let (bytes, stride, offset) = try constant.tensor.numbers(file, graph.companion)
    return SourceTensor(
      name: constant.name, shape: shape, format: NumberFormat(kind), bytes: bytes, elementStride: stride,
      layout: layout, fileOffset: offset)
  }

  /// Refuses a weight that the graph rearranges otherwise than is known.
  func rearranged(_ element: ChainElement, _ constant: ONNXConstant? = nil) -> FileError {
    file.unsupported(
      "tensor", "has a tensor that is rearranged in a way that is not supported", at: element.node.offset,
      place: element.node.place,
      seen: (constant ?? element.weight).map {
        "tensor \($0.name) of shape \($0.tensor.shape), as \($0.shape)"
      })
  }

  // MARK: Codes

  private mutating func quantized(
    _ weight: ONNXConstant, _ scales: ONNXConstant.Scales, _ layout: SourceLayout, outputAxis: Int,
    _ element: ChainElement
  ) throws(FileError) -> (SourceTensor, Quantization) {
    let tensor = weight.tensor
    func refusal(_ seen: String) -> FileError {
      file.unsupported(
        "scales", "has codes of weights whose scales are not supported", at: tensor.offset,
        place: "tensor \(weight.name), \(element.node.place)", seen: seen,
        allowed: "finite scales, one for all codes, for each output, or for blocks of inputs")
    }
    used.formUnion([scales.values.name] + (scales.zeroPoints.map { [$0.name] } ?? []))
    let (source, type, shift) = try codes(weight, layout)
    let numbers = try graph.values(of: scales.values)
    guard numbers.allSatisfy({ $0.isNormal && $0 > 0 }) else {
      throw file.malformed(
        "scales", "has codes with a scale that is not positive", place: "tensor \(weight.name)",
        seen: "\(numbers.first { !($0.isNormal && $0 > 0) } ?? 0)", allowed: "positive numbers")
    }
    let outputs = source.canonicalShape.last ?? 0
    let axis = scales.axis < 0 ? scales.axis + tensor.shape.count : scales.axis
    var grouping = Quantization.Grouping.tensor
    if scales.blockLength > 0 {
      let rows = source.shape.dropLast().reduce(1, *)
      guard axis == 0, tensor.shape == [rows, outputs], [.hwio, .inOut].contains(layout),
        scales.values.shape == [(rows - 1) / scales.blockLength + 1, outputs]
      else { throw refusal("blocks of \(scales.blockLength) along axis \(axis) of \(tensor.shape)") }
      grouping = .inputGroups(length: scales.blockLength)
    } else if numbers.count != 1 || scales.values.shape == [outputs] {
      guard scales.values.shape == [outputs], axis == outputAxis else {
        throw refusal("\(numbers.count) scales along axis \(axis)")
      }
      grouping = .outputChannel
    }
    var zeroPoints: [Int8] = []
    if scales.zeroPoints != nil || shift != 0 {
      var offsets = Array(repeating: 0, count: numbers.count)
      if let given = scales.zeroPoints {
        guard given.shape == scales.values.shape || (numbers.count == 1 && given.shape.reduce(1, *) == 1)
        else {
          throw refusal("zero points of shape \(given.shape)")
        }
        offsets = try zeroPointValues(given, count: numbers.count)
      }
      zeroPoints = offsets.map { Int8(clamping: $0 + shift) }
      if zeroPoints.allSatisfy({ $0 == 0 }) { zeroPoints = [] }
    }
    return (source, Quantization(type, by: grouping, scales: numbers, zeroPoints: zeroPoints))
  }

  /// The numbers of zero points, which are of the codes' type.
  private func zeroPointValues(_ tensor: ONNXTensor, count: Int) throws(FileError) -> [Int] {
    let element = try tensor.element(file)
    let (bytes, _, _) = try tensor.numbers(file, graph.companion)
    return (0..<count).map { index in
      switch element {
      case .int4, .uint4:
        let byte = Int(bytes.byte(at: index / 2) ?? 0) >> (index % 2 * 4) & 15
        return element == .int4 && byte > 7 ? byte - 16 : byte
      case .uint8: return Int(bytes.byte(at: index) ?? 0)
      default: return Int(Int8(bitPattern: bytes.byte(at: index) ?? 0))
      }
    }
  }

  /// The codes as signed bytes, their type, and what was added to each of them: those without a sign lose the half of their range.
  ///
  /// Only int8 is read where it stands; others are unpacked into a temporary file.
  private func codes(
    _ weight: ONNXConstant, _ layout: SourceLayout
  ) throws(FileError) -> (SourceTensor, CodeType, shift: Int) {
    let tensor = weight.tensor
    let element = try tensor.element(file)
    let (bytes, _, offset) = try tensor.numbers(file, graph.companion)
    let count = weight.baseShape.reduce(1, *)
    func source(_ bytes: ByteRegion, at offset: Int?) -> SourceTensor {
      SourceTensor(
        name: weight.name, shape: weight.baseShape, format: NumberFormat(.int8), bytes: bytes, layout: layout,
        fileOffset: offset)
    }
    if element == .int8 { return (source(bytes, at: offset), .int8, 0) }
    let isPacked = element == .int4 || element == .uint4
    guard isPacked || element == .uint8 else {
      throw file.unsupported(
        "type", "has codes of a type that is not supported", at: tensor.offset,
        place: "tensor \(weight.name)",
        seen: "\(element)", allowed: "int8, uint8, int4, uint4")
    }
    let scratch = try ScratchFile(byteCount: count, in: file.scratchFolder, for: file.path)
    let target = scratch.mutableBytes
    bytes.withBytes { bytes in
      for index in 0..<count {
        switch element {
        case .int4:
          let nibble = bytes[index / 2] >> (index % 2 * 4) & 15
          target[index] = nibble > 7 ? nibble | 0xF0 : nibble
        case .uint4: target[index] = (bytes[index / 2] >> (index % 2 * 4) & 15) &- 8
        default: target[index] = bytes[index] &- 128
        }
      }
    }
    let shift = element == .uint4 ? -8 : element == .uint8 ? -128 : 0
    return (source(scratch.bytes, at: nil), isPacked ? .int4 : .int8, shift)
  }

  /// Biases in the unit of a layer's sums.
  private mutating func biasCodes(
    _ bias: ONNXConstant, _ element: ChainElement, _ weight: Quantization?, outputs: Int,
    _ input: ActivationQuantization?
  ) throws(FileError) -> BiasCodes {
    func refusal(_ seen: String) -> FileError {
      file.unsupported(
        "bias", "has codes of biases that are not in the unit of the layer's sums", at: element.node.offset,
        place: "tensor \(bias.name), \(element.node.place)", seen: seen,
        allowed: "int32 in units of the input's scale times the weight's")
    }
    guard let scales = bias.scales, let input, let weight, scales.blockLength == 0,
      weight.grouping == .tensor || weight.grouping == .outputChannel
    else { throw refusal(input == nil ? "an input that is not rounded to codes" : "blocks") }
    used.formUnion([scales.values.name] + (scales.zeroPoints.map { [$0.name] } ?? []))
    guard try bias.tensor.element(file) == .int32, bias.shape == [outputs] || bias.tensor.shape == [outputs]
    else { throw refusal("\(bias.tensor.shape) of another type") }
    let own = try graph.values(of: scales.values)
    let factors = weight.scales
    let units = (0..<outputs).map { input.scale * factors[factors.count == 1 ? 0 : $0] }
    guard own.count == 1 || own.count == outputs,
      zip(units.indices, units).allSatisfy({ abs(own[own.count == 1 ? 0 : $0] - $1) <= 1e-5 * $1 })
    else { throw refusal("other units") }
    if let zeroPoints = scales.zeroPoints {
      let (bytes, _, _) = try zeroPoints.numbers(file, graph.companion)
      guard bytes.withBytes({ $0.allSatisfy { $0 == 0 } }) else { throw refusal("zero points") }
    }
    let (bytes, _, _) = try bias.tensor.numbers(file, graph.companion)
    return BiasCodes((0..<outputs).map { bytes.integer(at: 4 * $0, as: Int32.self) ?? 0 }, scales: units)
  }
}

extension ONNXGraph {
  /// The numbers of a tensor as float32, such as scales.
  func values(of tensor: ONNXTensor) throws(FileError) -> [Float] {
    let kind: NumberFormat.Kind
    switch try tensor.element(file) {
    case .float32: kind = .float32
    case .float16: kind = .float16
    case .bfloat16: kind = .bfloat16
    case .float64: kind = .float64
    default:
      guard let integers = try integers(of: tensor) else {
        throw file.unsupported(
          "type", "has integers where floats are needed", at: tensor.offset, place: tensor.place)
      }
      return integers.map { Float($0) }
    }
    let (bytes, stride, _) = try tensor.numbers(file, companion)
    return try SourceTensor(
      name: tensor.name, shape: [tensor.count], format: NumberFormat(kind), bytes: bytes,
      elementStride: stride, layout: .vector
    ).canonicalValues.array()
  }

  /// The only number of a tensor; nil where it has not one.
  func value(of tensor: ONNXTensor) throws(FileError) -> Float? {
    tensor.count == 1 ? try values(of: tensor).first : nil
  }
}
