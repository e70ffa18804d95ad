internal import CVGGRules

/// How NumPy stores one number of an array: the `descr` of its header, such as `<f4`.
struct ArrayElement: Equatable, Sendable {
  enum Kind: Character, Sendable {
    case bool = "b"
    case unsigned = "u"
    case signed = "i"
    case float = "f"
  }

  let kind: Kind
  let byteCount: Int
  let isBigEndian: Bool

  /// Reads a description; nil for types that are no plain numbers.
  init?(_ description: String) {
    guard let order = description.first, let size = description.dropFirst(2).first, description.count == 3,
      let kind = description.dropFirst().first.flatMap(Kind.init), let byteCount = size.wholeNumberValue
    else { return nil }
    let allowed =
      switch kind {
      case .bool: [1]
      case .unsigned, .signed: [1, 2, 4, 8]
      case .float: [2, 4, 8]
      }
    // `|` says that the order of bytes does not matter, `=` that it is the writer's own: that is not in the file.
    guard allowed.contains(byteCount), order == "<" || order == ">" || (order == "|" && byteCount == 1) else {
      return nil
    }
    self.kind = kind
    self.byteCount = byteCount
    isBigEndian = order == ">"
  }

  static let allowedDescriptions = "bool, int8 to int64, uint8 to uint64, float16, float32, float64"

  /// The number's bits, zero-extended.
  @inline(__always)
  func bits(at address: UnsafeRawPointer) -> UInt64 {
    switch byteCount {
    case 1: return UInt64(address.load(as: UInt8.self))
    case 2:
      let bits = address.loadUnaligned(as: UInt16.self)
      return UInt64(isBigEndian ? UInt16(bigEndian: bits) : UInt16(littleEndian: bits))
    case 4:
      let bits = address.loadUnaligned(as: UInt32.self)
      return UInt64(isBigEndian ? UInt32(bigEndian: bits) : UInt32(littleEndian: bits))
    default:
      let bits = address.loadUnaligned(as: UInt64.self)
      return isBigEndian ? UInt64(bigEndian: bits) : UInt64(littleEndian: bits)
    }
  }

  /// The value of bits of a whole number, sign-extended; nil above `Int.max`.
  @inline(__always)
  func integer(_ bits: UInt64) -> Int? {
    switch kind {
    case .bool: return bits == 0 ? 0 : 1
    case .signed:
      let unused = 64 - byteCount * 8
      return Int((Int64(bitPattern: bits) << unused) >> unused)
    case .unsigned, .float: return Int(exactly: bits)
    }
  }

  /// The value of bits as float32, rounded to the nearest; infinite where it is too large.
  @inline(__always)
  func float(_ bits: UInt64) -> Float {
    switch (kind, byteCount) {
    case (.float, 2): Float(bitPattern: vgr_f32_from_f16(UInt16(truncatingIfNeeded: bits)))
    case (.float, 4): Float(bitPattern: UInt32(truncatingIfNeeded: bits))
    case (.float, _): Float(Double(bitPattern: bits))
    case (.unsigned, _): Float(bits)
    default: Float(integer(bits) ?? 0)
    }
  }
}
