internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// The operators of a file in the order in which they pass a picture on, each as what it is in a VGG.
struct OperatorChain {
  /// A thing that an operator does: a convolution with a ReLU does two.
  struct Element {
    var neutral: NeutralLayer
    var operation: TFLiteOperator
    /// The tensors of weight and bias.
    var weight: Int?
    var bias: Int?
    /// The constants of a normalisation.
    var normalization: LocalResponseNormalization?
    /// The tensor that it gives, where that is the output of a layer.
    var output: Int?
  }

  private let file: TFLiteFile
  private let metadata: OwnMetadata?
  private(set) var elements: [Element] = []
  /// The tensor in which the picture is after the last element.
  private var current: Int
  /// The constant that each converted tensor is made of.
  private var converted: [Int: Int] = [:]
  /// Tensors that are computed of the lengths of axes, to tell how a map is flattened.
  private var lengths: Set<Int> = []
  /// Zeros that are added in front of the next windows.
  private var zeros: Extent?
  /// The constants that say how operators work.
  private(set) var settings: Set<Int> = []
  /// The first map of codes, where the file computes in integers.
  private(set) var integerInput: Int?

  init(_ file: TFLiteFile, _ metadata: OwnMetadata?) throws(FileError) {
    (self.file, self.metadata) = (file, metadata)
    current = file.input
    if file.tensors[current].type == .int8 { integerInput = current }
    for operation in file.operators { try follow(operation) }
    guard current == file.output else {
      throw FileError(
        .unsupported, code: "tflite.output", file: file.path,
        "is no VGG: its output is not that of the last operator",
        place: "tensor \(file.output)", allowed: "tensor \(current)")
    }
  }

  /// The constant that a tensor is, or is converted from.
  func constant(of tensor: Int) -> Int { converted[tensor] ?? tensor }

  // MARK: Following

  private mutating func follow(_ operation: TFLiteOperator) throws(FileError) {
    guard let kind = operation.operation else {
      throw refusal(operation, "is no VGG", seen: operation.place, allowed: "the operators of a VGG")
    }
    let inputs = operation.inputs
    if kind == .dequantize, let input = inputs.first ?? nil, try file.constant(input) != nil {
      converted[operation.output] = input
      return
    }
    if [.shape, .stridedSlice, .pack].contains(kind) { return try followLengths(operation) }
    guard let first = inputs.first, first == current else {
      throw refusal(
        operation, "is no VGG: its operators are no chain",
        seen: "\(inputs.first.flatMap { $0 }.map { "tensor \($0)" } ?? "nothing") is read",
        allowed: "tensor \(current), which the operator before gives")
    }
    if zeros != nil, ![.convolution, .maximumPooling, .averagePooling].contains(kind) {
      throw refusal(operation, "has zeros in front of an operator that has no windows")
    }
    switch kind {
    case .convolution: try takeConvolution(operation)
    case .fullyConnected: try takeDense(operation)
    case .maximumPooling, .averagePooling:
      try takePooling(operation, kind == .maximumPooling ? .maximum : .average)
    case .mean, .reduceMaximum: try takeGlobalPooling(operation, kind == .mean ? .average : .maximum)
    case .softmax:
      guard try operation.options()?.float(TFLite.Softmax.beta, standard: 0) == 1 else {
        throw refusal(operation, "has a softmax with a factor", allowed: "beta 1")
      }
      append(operation, .activation(.softmax), output: operation.output)
    case .logistic: append(operation, .activation(.sigmoid), output: operation.output)
    case .relu:
      guard file.tensors[current].type == .float32 else {
        throw refusal(
          operation, "has a ReLU that is not part of the operator before it, which rounds codes a second time"
        )
      }
      append(operation, .activation(.relu), output: nil)
    case .localResponseNormalization: try takeNormalization(operation)
    case .reshape: try takeReshape(operation)
    case .pad: try takePadding(operation)
    case .quantize: try takeQuantize(operation)
    case .dequantize:
      guard operation.output == file.output else {
        throw refusal(
          operation, "computes a part in integers and a part in reals", allowed: "codes up to the output")
      }
    case .shape, .stridedSlice, .pack: preconditionFailure("followed above")
    }
    current = operation.output
  }

  /// Operators that compute the shape of a flattened map from the number of pictures.
  private mutating func followLengths(_ operation: TFLiteOperator) throws(FileError) {
    for input in operation.inputs.compactMap(\.self) where input != current && !lengths.contains(input) {
      guard try file.constant(input) != nil else {
        throw refusal(operation, "computes something that is no VGG's", seen: "tensor \(input)")
      }
      settings.insert(input)
    }
    lengths.insert(operation.output)
  }

  private mutating func append(
    _ operation: TFLiteOperator, _ neutral: NeutralLayer.Operation, weight: Int? = nil, bias: Int? = nil,
    output: Int?
  ) {
    elements.append(
      Element(
        neutral: NeutralLayer(name: operation.place, operation: neutral), operation: operation,
        weight: weight,
        bias: bias, output: output))
  }

  func refusal(
    _ operation: TFLiteOperator, _ problem: String, seen: String? = nil, allowed: String? = nil
  ) -> FileError {
    FileError(
      .unsupported, code: "tflite.operator", file: file.path, problem, offset: operation.table.offset,
      place: operation.place, seen: seen, allowed: allowed)
  }

  // MARK: Layers with weights

  private mutating func takeConvolution(_ operation: TFLiteOperator) throws(FileError) {
    let options = try operation.options()
    let (weight, bias) = try weights(of: operation, rank: 4)
    let shape = file.tensors[weight].shape
    let kernel = Extent(height: shape[1], width: shape[2])
    var window = NeutralLayer.Window(kernel: kernel)
    window.stride = try extent(
      options, TFLite.Convolution.strideHeight, TFLite.Convolution.strideWidth, standard: 0)
    window.dilation = try extent(
      options, TFLite.Convolution.dilationHeight, TFLite.Convolution.dilationWidth, standard: 1)
    let map = try map(operation, operation.inputs[0])
    guard map.channels == shape[3] else {
      throw refusal(
        operation, "has a convolution in groups", seen: "\(map.channels) channels, a kernel for \(shape[3])")
    }
    switch try padding(options, TFLite.Convolution.padding, operation) {
    case .valid: window.padding = zeros ?? Extent(side: 0)
    case .same:
      // On both sides as much where the kernel is odd and every pixel has a window; the grammar refuses others.
      guard zeros == nil else { throw refusal(operation, "has zeros beside those of its padding") }
      window.padding = kernel.paddingThatKeepsTheMap
    }
    zeros = nil
    append(operation, .convolution(window), weight: weight, bias: bias, output: operation.output)
    try appendActivation(operation, options, TFLite.Convolution.activation)
  }

  private mutating func takeDense(_ operation: TFLiteOperator) throws(FileError) {
    let options = try operation.options()
    let (weight, bias) = try weights(of: operation, rank: 2)
    guard try options?.integer(TFLite.Dense.weightsFormat, standard: UInt8(0)) ?? 0 == 0 else {
      throw refusal(operation, "has weights in an order of its own")
    }
    let inputs = file.tensors[weight].shape[1]
    guard try pixels(operation.inputs[0]) == inputs else {
      throw refusal(
        operation, "has a dense layer that does not read all of the map",
        seen: "\(inputs) inputs, a map of \(file.tensors[current].shape)")
    }
    append(operation, .dense, weight: weight, bias: bias, output: operation.output)
    try appendActivation(operation, options, TFLite.Dense.activation)
  }

  private func weights(of operation: TFLiteOperator, rank: Int) throws(FileError) -> (Int, Int?) {
    guard (2...3).contains(operation.inputs.count), let weight = operation.inputs[1],
      file.tensors[constant(of: weight)].shape.count == rank
    else { throw refusal(operation, "has weights of an impossible shape", allowed: "\(rank) axes") }
    let bias = operation.inputs.count == 3 ? operation.inputs[2] : nil
    return (constant(of: weight), bias.map { constant(of: $0) })
  }

  private mutating func appendActivation(
    _ operation: TFLiteOperator, _ options: FlatBuffer.Table?, _ slot: Int
  ) throws(FileError) {
    let number = try options?.integer(slot, standard: Int8(0)) ?? 0
    guard let activation = TFLite.Activation(rawValue: number) else {
      throw refusal(
        operation, "has an activation that no VGG has", seen: "number \(number)", allowed: "a ReLU or none")
    }
    if activation == .relu { append(operation, .activation(.relu), output: nil) }
  }

  // MARK: Layers without weights

  private mutating func takePooling(_ operation: TFLiteOperator, _ method: Pooling.Method) throws(FileError) {
    let options = try operation.options()
    let map = try map(operation, operation.inputs[0])
    var pooling = Pooling()
    pooling.method = method
    pooling.kernel = try extent(options, TFLite.Pooling.height, TFLite.Pooling.width, standard: 0)
    pooling.stride = try extent(options, TFLite.Pooling.strideHeight, TFLite.Pooling.strideWidth, standard: 0)
    guard try options?.integer(TFLite.Pooling.activation, standard: Int8(0)) ?? 0 == 0 else {
      throw refusal(operation, "has a pooling with an activation")
    }
    let padding = try padding(options, TFLite.Pooling.padding, operation)
    if padding == .valid, zeros == nil, pooling.stride == Extent(side: 1), pooling.kernel == map.extent {
      pooling = Pooling(global: method)
    } else {
      pooling.padding = zeros ?? Extent(side: 0)
      let stated = try metadata?.poolingRounding[file.tensors[operation.output].name()]
      pooling.rounding = stated ?? (padding == .same ? .ceiling : .floor)
      if padding == .same, zeros == nil {
        pooling.padding = Extent(
          height: samePadding(map.extent.height, pooling.kernel.height, pooling.stride.height),
          width: samePadding(map.extent.width, pooling.kernel.width, pooling.stride.width))
      }
    }
    // TFLite leaves padding out of a mean, and a VGG has it in.
    let isExact = method == .maximum || pooling.padding == zeros ?? Extent(side: 0)
    let given = try self.map(operation, operation.output)
    let layer = Layer(name: operation.place, operation: .pooling(pooling))
    var unpadded = map
    unpadded.extent.height -= 2 * (zeros?.height ?? 0)
    unpadded.extent.width -= 2 * (zeros?.width ?? 0)
    guard isExact, (try? layer.outputShape(for: unpadded)) == given else {
      throw refusal(
        operation, "has a pooling whose windows a VGG cannot have",
        seen: "\(pooling.kernel) with stride \(pooling.stride) on \(map.extent) gives \(given.extent)")
    }
    zeros = nil
    append(operation, .pooling(pooling), output: operation.output)
  }

  /// The padding in front of a map that SAME asks for.
  private func samePadding(_ input: Int, _ window: Int, _ stride: Int) -> Int {
    let outputs = (input + stride - 1) / stride
    return max(0, (outputs - 1) * stride + window - input) / 2
  }

  private mutating func takeGlobalPooling(_ operation: TFLiteOperator, _ method: Pooling.Method)
    throws(FileError)
  {
    _ = try map(operation, operation.inputs[0])
    guard operation.inputs.count == 2, let axes = operation.inputs[1], let numbers = try integers(axes),
      numbers.sorted() == [1, 2]
    else { throw refusal(operation, "takes a mean or maximum over something else than the pixels of a map") }
    guard file.tensors[current].type == .float32 || method == .maximum else {
      throw refusal(
        operation, "takes a mean of codes with a scale of its own, which no model here does",
        seen: "MEAN of int8", allowed: "AVERAGE_POOL_2D, or float32")
    }
    settings.insert(axes)
    append(operation, .pooling(Pooling(global: method)), output: operation.output)
  }

  private mutating func takeNormalization(_ operation: TFLiteOperator) throws(FileError) {
    let options = try operation.options()
    let radius = try options?.integer(TFLite.Normalization.radius, standard: Int32(0)) ?? 0
    guard (0...1 << 15).contains(radius), file.tensors[current].type == .float32 else {
      throw refusal(
        operation, "has a local response normalisation of an impossible size", seen: "radius \(radius)")
    }
    func number(_ slot: Int) throws(FileError) -> Double {
      Double(try options?.float(slot, standard: 0) ?? 0)
    }
    append(operation, .localResponseNormalization, output: operation.output)
    elements[elements.count - 1].normalization = LocalResponseNormalization(
      size: 2 * Int(radius) + 1, scale: try number(TFLite.Normalization.alpha),
      beta: try number(TFLite.Normalization.beta), k: try number(TFLite.Normalization.bias))
  }

  private mutating func takeReshape(_ operation: TFLiteOperator) throws(FileError) {
    let shape = file.tensors[operation.output].shape
    guard try pixels(operation.inputs[0]) == pixels(operation.output), shape.first == 1,
      shape.count == 2 || shape.dropLast().allSatisfy({ $0 == 1 })
    else {
      throw refusal(
        operation, "reshapes a map otherwise than a VGG", seen: "\(file.tensors[current].shape) to \(shape)",
        allowed: "a map flattened")
    }
    try requireSameCodes(operation)
    if operation.inputs.count > 1, let input = operation.inputs[1], !lengths.contains(input) {
      settings.insert(input)
    }
    append(operation, .flatten, output: nil)
  }

  private mutating func takePadding(_ operation: TFLiteOperator) throws(FileError) {
    guard operation.inputs.count == 2, let amounts = operation.inputs[1], let numbers = try integers(amounts),
      numbers.count == 8, numbers[0] == 0, numbers[1] == 0, numbers[6] == 0, numbers[7] == 0,
      numbers[2] == numbers[3], numbers[4] == numbers[5],
      numbers.allSatisfy({ 0...Network.largestInputSide ~= $0 }),
      zeros == nil
    else { throw refusal(operation, "has zeros added otherwise than around a map, as many at both ends") }
    try requireSameCodes(operation)
    settings.insert(amounts)
    zeros = Extent(height: numbers[2], width: numbers[4])
  }

  private mutating func takeQuantize(_ operation: TFLiteOperator) throws(FileError) {
    guard current == file.input, file.tensors[current].type == .float32,
      file.tensors[operation.output].type == .int8
    else {
      throw refusal(
        operation, "turns codes into other codes", seen: "tensor \(current) to tensor \(operation.output)",
        allowed: "float32 pictures turned into int8 in front of all layers")
    }
    integerInput = operation.output
  }

  // MARK: What operators say

  /// Operators that move codes leave what they stand for as it is.
  private func requireSameCodes(_ operation: TFLiteOperator) throws(FileError) {
    let (before, after) = (file.tensors[current], file.tensors[operation.output])
    let rules = (try before.quantization(), try after.quantization())
    guard before.type == after.type, before.type != .int8 || rules.0 == rules.1
    else { throw refusal(operation, "moves codes that stand for something else afterwards") }
  }

  private func extent(
    _ options: FlatBuffer.Table?, _ height: Int, _ width: Int, standard: Int32
  ) throws(FileError) -> Extent {
    let sides = (
      try options?.integer(height, standard: standard) ?? standard,
      try options?.integer(width, standard: standard) ?? standard
    )
    guard sides.0 > 0, sides.1 > 0, sides.0 <= Network.largestInputSide, sides.1 <= Network.largestInputSide
    else {
      throw FileError(
        .malformed, code: "tflite.operator", file: file.path, "has a window of an impossible size",
        offset: options?.offset, seen: "\(sides.0)x\(sides.1)", allowed: "1 to \(Network.largestInputSide)")
    }
    return Extent(height: Int(sides.0), width: Int(sides.1))
  }

  private func padding(
    _ options: FlatBuffer.Table?, _ slot: Int, _ operation: TFLiteOperator
  ) throws(FileError) -> TFLite.Padding {
    let number = try options?.integer(slot, standard: UInt8(0)) ?? 0
    guard let padding = TFLite.Padding(rawValue: number) else {
      throw refusal(operation, "has a padding that is not known", seen: "\(number)", allowed: "SAME or VALID")
    }
    return padding
  }

  /// The map in a tensor, of one picture; a vector is a map of one pixel.
  private func map(_ operation: TFLiteOperator, _ tensor: Int?) throws(FileError) -> FeatureShape {
    let shape = tensor.map { file.tensors[$0].shape } ?? []
    guard let channels = shape.last, shape.first == 1, shape.count == 4 || shape.count == 2,
      shape.allSatisfy({ 1...1 << 24 ~= $0 })
    else { throw refusal(operation, "reads something else than a map of one picture", seen: "\(shape)") }
    return FeatureShape(
      extent: shape.count == 4 ? Extent(height: shape[1], width: shape[2]) : Extent(side: 1),
      channels: channels)
  }

  /// The number of values of a tensor; nil: too many to be a map.
  private func pixels(_ tensor: Int?) throws(FileError) -> Int? {
    guard let shape = tensor.map({ file.tensors[$0].shape }) else { return nil }
    var count = 1
    for length in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      guard !overflow else { return nil }
      count = product
    }
    return count
  }

  /// The numbers of a small constant.
  private func integers(_ tensor: Int) throws(FileError) -> [Int]? {
    guard let (bytes, _) = try file.constant(tensor), bytes.count <= 64 else { return nil }
    switch file.tensors[tensor].type {
    case .int32:
      return (0..<bytes.count / 4).compactMap { bytes.integer(at: 4 * $0, as: Int32.self).map { Int($0) } }
    case .int64:
      return (0..<bytes.count / 8).compactMap { bytes.integer(at: 8 * $0, as: Int64.self).map { Int($0) } }
    default: return nil
    }
  }
}
