internal import VGGModel
public import VGGTensors

/// An array to be written for other programs, with its name.
public struct NamedArray: Sendable {
  /// The name, without an extension.
  public let name: String
  /// The lengths of the axes; none for a single number.
  public let shape: [Int]
  /// The numbers, the last axis fastest.
  let content: Content

  enum Content: Sendable {
    /// Numbers that a type can hold exactly.
    case reals(any TensorValues, RealType)
    /// Signed bytes.
    case codes(any TensorCodes)
    /// The bytes of whole numbers, little-endian.
    case integers([UInt8], IntegerWidth)
  }

  /// The number of bits of a whole number.
  enum IntegerWidth: Int, Sendable {
    case bits32 = 32
    case bits64 = 64
  }

  /// Creates an array of float32.
  ///
  /// - Precondition: There are as many values as the shape has.
  public init(name: String, shape: [Int], values: any TensorValues) {
    precondition(shape.reduce(1, *) == values.count)
    self.init(name, shape, .reals(values, .float32))
  }

  /// Creates an array of float32 from values in memory.
  public init(name: String, shape: [Int], values: [Float]) {
    self.init(name: name, shape: shape, values: MemoryValues(values))
  }

  private init(_ name: String, _ shape: [Int], _ content: Content) {
    (self.name, self.shape, self.content) = (name, shape, content)
  }

  /// An array of whole numbers.
  private init<Number: FixedWidthInteger>(_ name: String, _ shape: [Int], _ numbers: [Number]) {
    let bytes = numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    self.init(name, shape, .integers(bytes, Number.bitWidth == 32 ? .bits32 : .bits64))
  }

  /// The arrays that a model is written as: those of its tensors, and for a model that computes in integers NAME/output.scales and
  /// NAME/output.zero_points of each layer, which are `input.scales` and `input.zero_points` for the input.
  static func arrays(of model: Model, dequantized: Bool) -> [NamedArray] {
    let tensors = model.tensors.flatMap { arrays(of: $0, dequantized: dequantized) }
    guard let arithmetic = model.integerArithmetic, !dequantized else { return tensors }
    return tensors
      + arithmetic.maps(of: model.network).flatMap { map, codes in
        let name = map == "input" ? map : "\(map)/output"
        return [
          NamedArray(name: "\(name).scales", shape: [1], values: [codes.scale]),
          NamedArray("\(name).zero_points", [1], .codes(MemoryCodes([codes.zeroPoint]))),
        ]
      }
  }

  /// The arrays that a model's tensor is written as.
  ///
  /// Reals are one array of the tensor's name. Codes are several: those of the tensor's name are signed bytes, also where a file has
  /// two in a byte; NAME.scales are float32; NAME.zero_points are signed bytes, where there are any; NAME.group_size says how
  /// many neighbours along all axes but the last, as one, share a scale, where that is not all. Codes of biases are of 32 bits. Scales and zero points have the
  /// shape [1] for the tensor, [outputs] for output channels, and [groups, outputs] for groups: a value is
  /// (code - zero point) * scale in float32.
  ///
  /// - Parameters:
  ///   - tensor: The tensor.
  ///   - dequantized: Whether the values that codes stand for are written instead, as float32.
  public static func arrays(of tensor: Tensor, dequantized: Bool) -> [NamedArray] {
    switch tensor.content {
    case .real(let values, let type): return [NamedArray(tensor.name, tensor.shape, .reals(values, type))]
    case .codes where dequantized, .bias where dequantized:
      return [NamedArray(tensor.name, tensor.shape, .reals(tensor.values, .float32))]
    case .codes(let codes, let quantization):
      var shape = [quantization.scaleCount]
      var groupLength: Int?
      if case .inputGroups(let length) = quantization.grouping {
        let outputs = tensor.shape.last ?? 1
        shape = [quantization.scaleCount / outputs, outputs]
        groupLength = length
      }
      var arrays = [
        NamedArray(tensor.name, tensor.shape, .codes(codes)),
        NamedArray(
          "\(tensor.name).scales", shape, .reals(MemoryValues(quantization.scales), .float32)),
      ]
      if quantization.zeroPointCount > 0 {
        arrays.append(
          NamedArray("\(tensor.name).zero_points", shape, .codes(MemoryCodes(quantization.zeroPoints))))
      }
      if let groupLength {
        arrays.append(NamedArray("\(tensor.name).group_size", [], [Int64(groupLength)]))
      }
      return arrays
    case .bias(let bias):
      return [
        NamedArray(tensor.name, tensor.shape, bias.codes),
        NamedArray(name: "\(tensor.name).scales", shape: tensor.shape, values: bias.scales),
      ]
    }
  }
}
