public import VGGTensors

/// The type of the elements of a data set, as the file describes it.
public enum HDF5Type: Equatable, Sendable {
  /// A floating-point number of any make.
  case float(HDF5FloatLayout)
  /// A whole number.
  case integer(byteCount: Int, isSigned: Bool, order: HDF5ByteOrder)
  /// A text of a fixed size, or of a variable one (nil).
  case string(byteCount: Int?)
  /// Bytes that only their writer understands; h5py and Keras write bfloat16 as two of them.
  case opaque(byteCount: Int, tag: String)
  /// A compound, an enumeration, a reference …: the number is HDF5's class.
  case other(byteCount: Int, class: Int)

  /// The size of an element in bytes; nil where it varies.
  public var byteCount: Int? {
    switch self {
    case .float(let layout): layout.byteCount
    case .integer(let byteCount, _, _), .opaque(let byteCount, _), .other(let byteCount, _): byteCount
    case .string(let byteCount): byteCount
    }
  }

  /// The format, where the canonical model can hold it. Opaque bytes are not guessed at.
  public var number: NumberFormat? {
    switch self {
    case .float(let layout):
      guard layout.order != .other else { return nil }
      var inLittleEndian = layout
      inLittleEndian.order = .littleEndian
      return HDF5FloatLayout.known.first { $0.layout == inLittleEndian }.map {
        NumberFormat($0.kind, isBigEndian: layout.order == .bigEndian)
      }
    case .integer(byteCount: 1, isSigned: true, _): return NumberFormat(.int8)
    default: return nil
    }
  }
}

/// The order of the bytes of a number.
public enum HDF5ByteOrder: Sendable {
  case littleEndian
  case bigEndian
  /// That of the VAX, or none.
  case other
}

/// Where the parts of a floating-point number are; bits count from the least significant one.
public struct HDF5FloatLayout: Equatable, Sendable {
  /// The size of the number in bytes.
  public var byteCount: Int
  /// The order of its bytes.
  public var order: HDF5ByteOrder
  /// The bit of the sign.
  public var signBit: Int
  /// The lowest bit of the exponent, and how many it has.
  public var exponentBit: Int, exponentBits: Int
  /// The lowest bit of the mantissa, and how many it has.
  public var mantissaBit: Int, mantissaBits: Int
  /// What is added to the exponent.
  public var exponentBias: Int
  /// Whether the leading bit of the mantissa is implied, as IEEE 754 has it.
  public var hasImpliedBit: Bool

  static let known: [(layout: HDF5FloatLayout, kind: NumberFormat.Kind)] = [
    (ieee(byteCount: 4, mantissaBits: 23), .float32),
    (ieee(byteCount: 8, mantissaBits: 52), .float64),
    (ieee(byteCount: 2, mantissaBits: 10), .float16),
    (ieee(byteCount: 2, mantissaBits: 7), .bfloat16),
  ]

  /// Sign, exponent and mantissa from the top down with nothing between, as in every format of IEEE 754.
  private static func ieee(byteCount: Int, mantissaBits: Int) -> HDF5FloatLayout {
    let exponentBits = 8 * byteCount - 1 - mantissaBits
    return HDF5FloatLayout(
      byteCount: byteCount, order: .littleEndian, signBit: 8 * byteCount - 1,
      exponentBit: mantissaBits, exponentBits: exponentBits, mantissaBit: 0, mantissaBits: mantissaBits,
      exponentBias: 1 << (exponentBits - 1) - 1, hasImpliedBit: true)
  }
}
