internal import VGGBytes
internal import VGGFlatBuffers

/// What is computed of the lengths of axes: TensorFlow's converter tells so into how many pictures and values a map is flattened.
///
/// Runtimes reshape a map as these numbers say, whatever shape the file states for the result; so they are computed here as well.
extension OperatorChain {
  /// One length, or several in a row.
  struct Lengths {
    var numbers: [Int]
    var isScalar: Bool
  }

  /// What an operator gives that computes lengths.
  func computedLengths(_ operation: TFLiteOperator) throws(FileError) -> Lengths {
    let computed: Lengths? =
      switch operation.operation {
      case .shape:
        operation.inputs == [current] ? Lengths(numbers: file.tensors[current].shape, isScalar: false) : nil
      case .stridedSlice: try slice(operation)
      case .pack: try pack(operation)
      default: nil
      }
    guard let computed, file.tensors[operation.output].type == .int32 else {
      throw refusal(
        operation, "computes something that is no VGG's",
        seen: "tensors \(operation.inputs.map { $0 ?? -1 })",
        allowed: "lengths of axes of tensor \(current), in int32")
    }
    return computed
  }

  /// A reshaped map has the shape that the operator is told; nothing but an axis that is left open is completed.
  func requireReshape(_ operation: TFLiteOperator, to shape: [Int]) throws(FileError) {
    let told: [Int]
    if operation.inputs.count > 1 {
      guard operation.inputs.count == 2, let lengths = try lengths(in: operation.inputs[1]), !lengths.isScalar
      else {
        throw refusal(operation, "is told no shape", allowed: "lengths in int32 as its second input")
      }
      told = lengths.numbers
    } else {
      told =
        try operation.options()?.integers(
          TFLite.Reshape.shape, as: Int32.self, limit: 8, "the shape of \(operation.place)"
        ).map { Int($0) } ?? []
    }
    guard told.count == shape.count, told.count(where: { $0 == -1 }) <= 1,
      zip(told, shape).allSatisfy({ $0 == $1 || $0 == -1 })
    else { throw wrongShape(operation, shape, allowed: told) }
  }

  /// The numbers in a tensor, a constant or computed; nil: it holds no lengths.
  private func lengths(in tensor: Int?) throws(FileError) -> Lengths? {
    guard let tensor else { return nil }
    if let known = lengths[tensor] { return known }
    let rank = file.tensors[tensor].shape.count
    guard file.tensors[tensor].type == .int32, rank < 2, let numbers = try integers(tensor),
      numbers.count == file.tensors[tensor].shape.first ?? 1
    else { return nil }
    return Lengths(numbers: numbers, isScalar: rank == 0)
  }

  /// Lengths one after the other, or a single one.
  private func slice(_ operation: TFLiteOperator) throws(FileError) -> Lengths? {
    guard operation.inputs.count == 4, let source = try lengths(in: operation.inputs[0]), !source.isScalar,
      let options = try operation.options()
    else { return nil }
    var places: [Int] = []
    for input in operation.inputs.dropFirst() {
      guard let place = try lengths(in: input), !place.isScalar, place.numbers.count == 1 else { return nil }
      places += place.numbers
    }
    func mask(_ slot: Int) throws(FileError) -> Int32 { try options.integer(slot, standard: 0) }
    let begin = try mask(TFLite.Slice.begin) & 1 == 1 ? 0 : places[0]
    let isSingle = try mask(TFLite.Slice.shrink) & 1 == 1
    let end = try isSingle ? begin &+ 1 : mask(TFLite.Slice.end) & 1 == 1 ? source.numbers.count : places[1]
    guard places[2] == 1, try mask(TFLite.Slice.ellipsis) == 0, try mask(TFLite.Slice.newAxis) == 0,
      try !options.flag(TFLite.Slice.isOffset), 0 <= begin, begin < end, end <= source.numbers.count
    else { return nil }
    return Lengths(numbers: Array(source.numbers[begin..<end]), isScalar: isSingle)
  }

  /// Single lengths put in a row.
  private func pack(_ operation: TFLiteOperator) throws(FileError) -> Lengths? {
    guard let options = try operation.options(),
      try Int(options.integer(TFLite.Pack.count, standard: Int32(0))) == operation.inputs.count,
      [0, -1].contains(try options.integer(TFLite.Pack.axis, standard: Int32(0)))
    else { return nil }
    var numbers: [Int] = []
    for input in operation.inputs {
      guard let length = try lengths(in: input), length.isScalar else { return nil }
      numbers += length.numbers
    }
    return Lengths(numbers: numbers, isScalar: false)
  }
}
