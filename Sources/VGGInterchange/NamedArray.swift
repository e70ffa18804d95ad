public import VGGTensors

/// An array to be written for other programs, with its name.
public struct NamedArray: Sendable {
  /// The name, without an extension.
  public let name: String
  /// The lengths of the axes; none for a single number.
  public let shape: [Int]
  /// How a number is stored.
  public let type: ExportedType
  /// The numbers, the last axis fastest.
  public let numbers: FileContent.Piece

  /// Creates an array of reals.
  ///
  /// - Precondition: There are as many values as the shape has, all of them exact in the type.
  public init(name: String, shape: [Int], values: any TensorValues, as type: RealType = .float32) {
    precondition(shape.reduce(1, *) == values.count)
    self.init(name, shape, ExportedType(type), .reals(values, as: type))
  }

  /// Creates an array of float32 from values in memory.
  public init(name: String, shape: [Int], values: [Float]) {
    self.init(name: name, shape: shape, values: MemoryValues(values))
  }

  /// Creates an array of signed bytes.
  ///
  /// - Precondition: There are as many codes as the shape has.
  public init(name: String, shape: [Int], codes: any TensorCodes) {
    precondition(shape.reduce(1, *) == codes.count)
    self.init(name, shape, .int8, .codes(codes))
  }

  /// Creates an array of whole numbers of 32 bits.
  public init(name: String, shape: [Int], integers: [Int32]) {
    self.init(name, shape, .int32, .bytes(littleEndianBytes(integers)))
  }

  /// Creates an array of whole numbers of 64 bits.
  public init(name: String, shape: [Int], integers: [Int64]) {
    self.init(name, shape, .int64, .bytes(littleEndianBytes(integers)))
  }

  private init(_ name: String, _ shape: [Int], _ type: ExportedType, _ numbers: FileContent.Piece) {
    (self.name, self.shape, self.type, self.numbers) = (name, shape, type, numbers)
  }
}

/// How a number is written for other programs; the names are those of safetensors.
public enum ExportedType: String, Sendable {
  case int64 = "I64"
  case float32 = "F32"
  case int32 = "I32"
  case bfloat16 = "BF16"
  case float16 = "F16"
  case int8 = "I8"

  /// The type of reals.
  public init(_ type: RealType) {
    self =
      switch type {
      case .float32: .float32
      case .float16: .float16
      case .bfloat16: .bfloat16
      }
  }
}

private func littleEndianBytes(_ numbers: [some FixedWidthInteger]) -> [UInt8] {
  numbers.flatMap { number in withUnsafeBytes(of: number.littleEndian) { Array($0) } }
}
