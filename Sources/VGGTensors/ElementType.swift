/// A type of number with a binary point that weights are stored in.
public enum RealType: String, CaseIterable, Sendable {
  /// IEEE binary32.
  case float32
  /// IEEE binary16: 11 significant bits, magnitudes up to 65504.
  case float16
  /// The upper half of binary32: 8 significant bits, the same range.
  case bfloat16
}

/// A type of integer that stands for a multiple of a scale.
public enum CodeType: String, CaseIterable, Sendable {
  /// A signed byte.
  case int8
  /// Four bits, -8 to 7; a file has two in a byte, the first one in the lower half.
  case int4

  /// The codes that there are.
  public var codes: ClosedRange<Int8> {
    switch self {
    case .int8: -128...127
    case .int4: -8...7
    }
  }
}

/// What one element of a tensor is stored as.
public enum ElementType: Hashable, Sendable {
  /// A number as it is.
  case real(RealType)
  /// A number that means something only with its ``Quantization``.
  case code(CodeType)
  /// An integer of 32 bits in the unit of its layer's sums; see ``BiasCodes``.
  case biasCode

  /// All types of weights.
  public static let allCases =
    RealType.allCases.map(ElementType.real) + CodeType.allCases.map(ElementType.code)

  /// The name in manifests and reports.
  public var name: String {
    switch self {
    case .real(let type): type.rawValue
    case .code(let type): type.rawValue
    case .biasCode: "int32"
    }
  }

  /// The number of bits of an element.
  public var bitCount: Int { traits.bitCount }

  /// The number of bytes of the least that a file stores by itself: an element, or as many as share a byte.
  public var unitByteCount: Int { max(1, bitCount / 8) }

  /// The number of bytes of some elements one after the other.
  public func byteCount(of count: Int) -> Int {
    bitCount < 8 ? count / (8 / bitCount) + (count % (8 / bitCount) == 0 ? 0 : 1) : count * unitByteCount
  }

  /// The smallest magnitude that has all significant bits; zero where there is no such limit.
  public var smallestNormal: Float { traits.smallestNormal }

  /// What is particular to each type: the one place that lists it.
  private var traits: (bitCount: Int, smallestNormal: Float) {
    switch self {
    case .real(.float32): (32, .leastNormalMagnitude)
    case .real(.float16): (16, 0x1p-14)
    case .real(.bfloat16): (16, .leastNormalMagnitude)
    case .code(.int8): (8, 0)
    case .code(.int4): (4, 0)
    case .biasCode: (32, 0)
    }
  }
}
