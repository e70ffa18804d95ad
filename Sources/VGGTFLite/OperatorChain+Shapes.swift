internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGModel
internal import VGGTensors

/// What operators say of themselves and of the tensors that they read and give.
extension OperatorChain {
  /// What leaves a map's shape alone must say so; runtimes compute shapes themselves and pass over what a file states.
  func requireOutputShape(_ operation: TFLiteOperator) throws(FileError) {
    let (read, given) = (file.tensors[current].shape, file.tensors[operation.output].shape)
    switch operation.operation {
    case .softmax, .logistic, .relu, .localResponseNormalization, .quantize, .dequantize:
      guard read == given else { throw wrongShape(operation, given, allowed: read) }
    default: return
    }
  }

  /// Maps are of one type, float32 or codes, from the input to the output; runtimes refuse others.
  func requireTypes(_ operation: TFLiteOperator) throws(FileError) {
    let (read, given) = (file.tensors[current], file.tensors[operation.output])
    let isRight =
      switch operation.operation {
      case .dequantize: read.type == .int8 && given.type == .float32
      case .quantize: read.type == .float32 || read.type == .int8
      default: [.float32, .int8].contains(read.type) && given.type == read.type
      }
    guard isRight else {
      throw refusal(
        operation, "has maps of types that no runtime computes with",
        seen: "type \(read.typeNumber) to type \(given.typeNumber)", allowed: "float32 or int8 for both")
    }
  }

  /// Weights that are converted become float32; runtimes refuse to convert what is float32 already.
  func requireConversion(_ operation: TFLiteOperator, of constant: Int) throws(FileError) {
    let (stored, given) = (file.tensors[constant], file.tensors[operation.output])
    guard stored.type == .int8 || stored.type == .float16, given.type == .float32 else {
      throw refusal(
        operation, "converts weights as no runtime does",
        seen: "type \(stored.typeNumber) to type \(given.typeNumber)", allowed: "int8 or float16 to float32")
    }
  }

  /// Requires that windows over a map give as many pixels as the file states, counted as runtimes do.
  func requireWindows(
    _ operation: TFLiteOperator, over map: FeatureShape, _ kernel: Extent, _ stride: Extent,
    dilation: Extent = Extent(side: 1), _ padding: TFLite.Padding, channels: Int
  ) throws(FileError) {
    func count(_ length: Int, _ kernel: Int, _ stride: Int, _ dilation: Int) -> Int {
      switch padding {
      case .same: (length + stride - 1) / stride
      case .valid: (length - (kernel - 1) * dilation - 1 + stride) / stride
      }
    }
    let right = [
      1, count(map.extent.height, kernel.height, stride.height, dilation.height),
      count(map.extent.width, kernel.width, stride.width, dilation.width), channels,
    ]
    let given = file.tensors[operation.output].shape
    guard given == right else { throw wrongShape(operation, given, allowed: right) }
  }

  func wrongShape(_ operation: TFLiteOperator, _ seen: [Int], allowed: [Int]) -> FileError {
    FileError(
      .malformed, code: "tflite.shape", file: file.path,
      "has an operator that gives another shape than the file says",
      offset: operation.table.offset, place: operation.place, seen: "\(seen)", allowed: "\(allowed)")
  }

  /// The padding in front of a map that SAME asks for.
  func samePadding(_ input: Int, _ window: Int, _ stride: Int) -> Int {
    let outputs = (input + stride - 1) / stride
    return max(0, (outputs - 1) * stride + window - input) / 2
  }

  /// Operators that move codes leave what they stand for as it is.
  func requireSameCodes(_ operation: TFLiteOperator) throws(FileError) {
    let (before, after) = (file.tensors[current], file.tensors[operation.output])
    let rules = (try before.quantization(), try after.quantization())
    guard before.type == after.type, before.type != .int8 || rules.0 == rules.1
    else { throw refusal(operation, "moves codes that stand for something else afterwards") }
  }

  func extent(
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

  func padding(
    _ options: FlatBuffer.Table?, _ slot: Int, _ operation: TFLiteOperator
  ) throws(FileError) -> TFLite.Padding {
    let number = try options?.integer(slot, standard: UInt8(0)) ?? 0
    guard let padding = TFLite.Padding(rawValue: number) else {
      throw refusal(operation, "has a padding that is not known", seen: "\(number)", allowed: "SAME or VALID")
    }
    return padding
  }

  /// The map in a tensor, of one picture; a vector is a map of one pixel.
  func map(_ operation: TFLiteOperator, _ tensor: Int?) throws(FileError) -> FeatureShape {
    let shape = tensor.map { file.tensors[$0].shape } ?? []
    guard let channels = shape.last, shape.first == 1, shape.count == 4 || shape.count == 2,
      shape.allSatisfy({ 1...1 << 24 ~= $0 })
    else { throw refusal(operation, "reads something else than a map of one picture", seen: "\(shape)") }
    return FeatureShape(
      extent: shape.count == 4 ? Extent(height: shape[1], width: shape[2]) : Extent(side: 1),
      channels: channels)
  }

  /// The number of values of a tensor; nil: too many to be a map.
  func pixels(_ tensor: Int?) throws(FileError) -> Int? {
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
  func integers(_ tensor: Int) throws(FileError) -> [Int]? {
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
