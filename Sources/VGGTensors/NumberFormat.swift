internal import CVGGRules

/// How a number is stored in a source file.
public struct NumberFormat: Equatable, Sendable {
  /// The kind and width of the number.
  public enum Kind: String, Sendable {
    case float64
    case float32
    case float16
    case bfloat16
    case int8
  }
  /// The kind and width of the number.
  public var kind: Kind
  /// Whether the most significant byte comes first.
  public var isBigEndian: Bool

  /// Creates a format.
  public init(_ kind: Kind, isBigEndian: Bool = false) {
    self.kind = kind
    self.isBigEndian = isBigEndian
  }

  /// What almost every file holds.
  public static let float32 = NumberFormat(.float32)

  /// The number of bytes of one number.
  public var byteCount: Int {
    switch kind {
    case .float64: 8
    case .float32: 4
    case .float16, .bfloat16: 2
    case .int8: 1
    }
  }
}

/// Loads one number and widens or rounds it to float32; one type per kind so that inner loops are specialised.
protocol NumberLoader {
  static func load(_ address: UnsafeRawPointer) -> Float
}

enum Float32Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(bitPattern: UInt32(littleEndian: address.loadUnaligned(as: UInt32.self)))
  }
}

enum BigEndianFloat32Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(bitPattern: UInt32(bigEndian: address.loadUnaligned(as: UInt32.self)))
  }
}

enum Float64Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(Double(bitPattern: UInt64(littleEndian: address.loadUnaligned(as: UInt64.self))))
  }
}

enum BigEndianFloat64Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(Double(bitPattern: UInt64(bigEndian: address.loadUnaligned(as: UInt64.self))))
  }
}

enum Float16Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(
      bitPattern: vgr_f32_from_f16(UInt16(littleEndian: address.loadUnaligned(as: UInt16.self))))
  }
}

enum BigEndianFloat16Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(
      bitPattern: vgr_f32_from_f16(UInt16(bigEndian: address.loadUnaligned(as: UInt16.self))))
  }
}

enum BFloat16Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(
      bitPattern: vgr_f32_from_bf16(UInt16(littleEndian: address.loadUnaligned(as: UInt16.self))))
  }
}

enum BigEndianBFloat16Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(
      bitPattern: vgr_f32_from_bf16(UInt16(bigEndian: address.loadUnaligned(as: UInt16.self))))
  }
}

enum Int8Loader: NumberLoader {
  @inline(__always) static func load(_ address: UnsafeRawPointer) -> Float {
    Float(address.load(as: Int8.self))
  }
}

extension NumberFormat {
  /// Loads one number of the format.
  package func load(_ address: UnsafeRawPointer) -> Float {
    switch (kind, isBigEndian) {
    case (.float32, false): Float32Loader.load(address)
    case (.float32, true): BigEndianFloat32Loader.load(address)
    case (.float64, false): Float64Loader.load(address)
    case (.float64, true): BigEndianFloat64Loader.load(address)
    case (.float16, false): Float16Loader.load(address)
    case (.float16, true): BigEndianFloat16Loader.load(address)
    case (.bfloat16, false): BFloat16Loader.load(address)
    case (.bfloat16, true): BigEndianBFloat16Loader.load(address)
    case (.int8, _): Int8Loader.load(address)
    }
  }
}
