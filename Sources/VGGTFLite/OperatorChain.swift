internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGInterchange
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
    /// Whether the runtime is handed codes of weights and maps of reals: it rounds the maps to codes, too.
    var isHybrid = false
    /// The constants of a normalisation.
    var normalization: LocalResponseNormalization?
    /// The tensor that it gives, where that is the output of a layer.
    var output: Int?
  }

  let file: TFLiteFile
  private let metadata: ModelMetadata?
  private(set) var elements: [Element] = []
  /// The tensor in which the picture is after the last element.
  private(set) var current: Int
  /// The constant that each converted tensor is made of.
  private var converted: [Int: Int] = [:]
  /// What is computed of the lengths of axes, to tell how a map is flattened, by its tensor.
  private(set) var lengths: [Int: Lengths] = [:]
  /// The tensors that have their values by now: the input, and what operators gave.
  private var given: Set<Int>
  /// Zeros that are added in front of the next windows.
  private var zeros: Extent?
  /// The constants that say how operators work.
  private(set) var settings: Set<Int> = []
  /// The first map of codes, where the file computes in integers.
  private(set) var integerInput: Int?

  init(_ file: TFLiteFile, _ metadata: ModelMetadata?) throws(FileError) {
    (self.file, self.metadata) = (file, metadata)
    current = file.input
    given = [file.input]
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
    let kind = operation.operation
    guard given.insert(operation.output).inserted, try file.constant(operation.output) == nil else {
      throw refusal(
        operation, "gives a tensor its values a second time", seen: "tensor \(operation.output)")
    }
    let inputs = operation.inputs
    if kind == .dequantize, let input = inputs.first ?? nil, try file.constant(input) != nil {
      try requireConversion(operation, of: input)
      converted[operation.output] = input
      return
    }
    if [.shape, .stridedSlice, .pack].contains(kind) {
      lengths[operation.output] = try computedLengths(operation)
      for input in inputs.compactMap(\.self) where input != current && lengths[input] == nil {
        settings.insert(input)
      }
      return
    }
    guard let first = inputs.first, first == current else {
      throw refusal(
        operation, "is no VGG: its operators are no chain",
        seen: "\(inputs.first.flatMap { $0 }.map { "tensor \($0)" } ?? "nothing") is read",
        allowed: "tensor \(current), which the operator before gives")
    }
    if zeros != nil, ![.convolution, .maximumPooling, .averagePooling].contains(kind) {
      throw refusal(operation, "has zeros in front of an operator that has no windows")
    }
    try requireTypes(operation)
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
    try requireOutputShape(operation)
    current = operation.output
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
    let padding = try padding(options, TFLite.Convolution.padding, operation)
    try requireWindows(
      operation, over: map, kernel, window.stride, dilation: window.dilation, padding, channels: shape[0])
    switch padding {
    case .valid: window.padding = zeros ?? Extent(side: 0)
    case .same:
      // On both sides as much where the kernel is odd and every pixel has a window; the grammar refuses others.
      guard zeros == nil else { throw refusal(operation, "has zeros beside those of its padding") }
      window.padding = kernel.paddingThatKeepsTheMap
    }
    zeros = nil
    append(operation, .convolution(window), weight: weight, bias: bias, output: operation.output)
    noteHybrid(operation)
    try appendActivation(operation, options, TFLite.Convolution.activation)
  }

  private mutating func takeDense(_ operation: TFLiteOperator) throws(FileError) {
    let options = try operation.options()
    let (weight, bias) = try weights(of: operation, rank: 2)
    guard try options?.integer(TFLite.Dense.weightsFormat, standard: UInt8(0)) ?? 0 == 0 else {
      throw refusal(operation, "has weights in an order of its own")
    }
    let inputs = file.tensors[weight].shape[1]
    // What keeps the axes of its map reads only the last one.
    let read =
      try options?.flag(TFLite.Dense.keepsDimensions) ?? false
      ? file.tensors[current].shape.last : try pixels(operation.inputs[0])
    guard try pixels(operation.inputs[0]) == inputs, read == inputs else {
      throw refusal(
        operation, "has a dense layer that does not read all of the map",
        seen: "\(inputs) inputs, a map of \(file.tensors[current].shape)")
    }
    let outputs = file.tensors[weight].shape[0]
    guard file.tensors[operation.output].shape.last == outputs, try pixels(operation.output) == outputs else {
      throw wrongShape(operation, file.tensors[operation.output].shape, allowed: [1, outputs])
    }
    append(operation, .dense, weight: weight, bias: bias, output: operation.output)
    noteHybrid(operation)
    try appendActivation(operation, options, TFLite.Dense.activation)
  }

  private func weights(of operation: TFLiteOperator, rank: Int) throws(FileError) -> (Int, Int?) {
    guard (2...3).contains(operation.inputs.count), let weight = operation.inputs[1],
      file.tensors[constant(of: weight)].shape.count == rank
    else { throw refusal(operation, "has weights of an impossible shape", allowed: "\(rank) axes") }
    let bias = operation.inputs.count == 3 ? operation.inputs[2] : nil
    // No runtime converts weights on its own: float16 needs a DEQUANTIZE.
    let isFloat = file.tensors[current].type == .float32
    guard file.tensors[weight].type == .int8 || isFloat && file.tensors[weight].type == .float32,
      bias.map({ file.tensors[$0].type == (isFloat ? .float32 : .int32) }) ?? true
    else {
      throw refusal(
        operation, "has weights or biases of a type that no runtime computes with beside its map",
        seen: "types \(([weight] + [bias].compactMap(\.self)).map { file.tensors[$0].typeNumber })",
        allowed: isFloat ? "float32, or weights of int8" : "weights of int8, biases of int32")
    }
    return (constant(of: weight), bias.map { constant(of: $0) })
  }

  private mutating func noteHybrid(_ operation: TFLiteOperator) {
    elements[elements.count - 1].isHybrid =
      file.tensors[current].type == .float32
      && operation.inputs[1].map { file.tensors[$0].type == .int8 } ?? false
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
    try requireWindows(
      operation, over: map, pooling.kernel, pooling.stride, padding, channels: map.channels)
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

  private mutating func takeGlobalPooling(_ operation: TFLiteOperator, _ method: Pooling.Method)
    throws(FileError)
  {
    let channels = try map(operation, operation.inputs[0]).channels
    guard file.tensors[operation.output].shape.last == channels, try pixels(operation.output) == channels
    else { throw wrongShape(operation, file.tensors[operation.output].shape, allowed: [1, channels]) }
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
    try requireReshape(operation, to: shape)
    if operation.inputs.count > 1, let input = operation.inputs[1], lengths[input] == nil {
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
    let map = try map(operation, operation.inputs[0])
    let padded = [
      1, map.extent.height + 2 * numbers[2], map.extent.width + 2 * numbers[4], map.channels,
    ]
    guard file.tensors[operation.output].shape == padded else {
      throw wrongShape(operation, file.tensors[operation.output].shape, allowed: padded)
    }
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
}
