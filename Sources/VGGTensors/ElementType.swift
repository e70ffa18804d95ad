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
}

/// What one element of a tensor is stored as.
public enum ElementType: Hashable, Sendable {
  /// A number as it is.
  case real(RealType)
  /// A number that means something only with its ``Quantization``.
  case code(CodeType)

  /// All types.
  public static let allCases =
    RealType.allCases.map(ElementType.real) + CodeType.allCases.map(ElementType.code)

  /// The name in manifests and reports.
  public var name: String {
    switch self {
    case .real(let type): type.rawValue
    case .code(let type): type.rawValue
    }
  }

  /// The number of bytes of an element.
  public var byteCount: Int { traits.byteCount }

  /// The smallest magnitude that has all significant bits; zero where there is no such limit.
  public var smallestNormal: Float { traits.smallestNormal }

  /// What is particular to each type: the one place that lists it.
  private var traits: (byteCount: Int, smallestNormal: Float) {
    switch self {
    case .real(.float32): (4, .leastNormalMagnitude)
    case .real(.float16): (2, 0x1p-14)
    case .real(.bfloat16): (2, .leastNormalMagnitude)
    case .code(.int8): (1, 0)
    }
  }
}
