internal import CVGGRules
package import VGGBytes

/// What a file is to hold, described instead of written: bytes and the numbers of tensors, one after the other.
///
/// Lengths are known before anything is read, so formats that say the length of a part in front of it are written in one pass, and
/// the memory that takes does not depend on the size of the file. All numbers are little-endian.
public struct FileContent: Sendable {
  /// A part of a file.
  public enum Piece: Sendable {
    /// Bytes as they are; for heads and other small things.
    case bytes([UInt8])
    /// So many zeros.
    case zeros(Int)
    /// Numbers, which must be exact in the type that they are written as.
    case reals(any TensorValues, as: RealType)
    /// Codes of a byte each.
    case codes(any TensorCodes)
    /// Codes of four bits, two in a byte, the first one in the lower half.
    case nibbles(any TensorCodes)

    /// The number of bytes in the file.
    public var byteCount: Int {
      switch self {
      case .bytes(let bytes): bytes.count
      case .zeros(let count): count
      case .reals(let values, let type): ElementType.real(type).byteCount(of: values.count)
      case .codes(let codes): codes.count
      case .nibbles(let codes): ElementType.code(.int4).byteCount(of: codes.count)
      }
    }
  }

  /// The pieces, none of them empty, and where each begins.
  private var placed: [(offset: Int, piece: Piece)] = []
  /// The length of the file.
  public private(set) var byteCount = 0

  /// Creates content of some pieces.
  public init(_ pieces: [Piece] = []) {
    for piece in pieces { append(piece) }
  }

  /// The pieces in order.
  public var pieces: [Piece] { placed.map(\.piece) }

  /// Adds a piece at the end. Bytes that follow bytes become one piece with them.
  public mutating func append(_ piece: Piece) {
    let length = piece.byteCount
    guard length > 0 else { return }
    if case .bytes(let bytes) = piece, case (let offset, .bytes(var before))? = placed.last {
      placed.removeLast()
      before += bytes
      placed.append((offset, .bytes(before)))
    } else {
      placed.append((byteCount, piece))
    }
    byteCount += length
  }

  /// Adds bytes at the end.
  public mutating func append(_ bytes: some Sequence<UInt8>) { append(.bytes(Array(bytes))) }

  /// Adds a number at the end, little-endian.
  public mutating func append(_ number: some FixedWidthInteger) {
    append(withUnsafeBytes(of: number.littleEndian) { Array($0) })
  }

  /// Adds what another file would hold.
  public mutating func append(_ content: FileContent) {
    for piece in content.pieces { append(piece) }
  }

  /// Adds zeros until the length is a multiple of a number.
  public mutating func pad(toMultipleOf alignment: Int) {
    append(.zeros((alignment - byteCount % alignment) % alignment))
  }
}

extension FileContent {
  /// How many numbers are read at a time: enough that sources in another order are cheap.
  private static let numbersAtOnce = 1 << 20

  /// Writes everything to a file, on several threads.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - offset: Where the first byte goes.
  ///   - progress: Called from any thread with the number of bytes that were written since the last call.
  package func write(
    to file: AtomicFile, at offset: Int = 0, progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    try file.reserve(offset + byteCount)
    let parts = placed.flatMap { start, piece in
      // Units are multiples of 8 bytes, so that each has whole numbers.
      let unit = max(1, piece.byteCount * FileContent.numbersAtOnce / max(1, piece.numberCount) & ~7)
      return stride(from: 0, to: piece.byteCount, by: unit).map { from in
        (place: offset + start + from, piece, from..<min(piece.byteCount, from + unit))
      }
    }
    try Workers.current.perform(parts.count) { index throws(FileError) in
      let (place, piece, range) = parts[index]
      if case .zeros = piece { return progress(range.count) }  // a file that was never written to has them
      try piece.withBytes(range) { bytes throws(FileError) in try file.write(bytes, at: place) }
      progress(range.count)
    }
  }

  /// Reads a part of what the file is to hold.
  package func bytes(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    for (offset, piece) in placed
    where offset < range.upperBound && offset + piece.byteCount > range.lowerBound {
      let part =
        max(0, range.lowerBound - offset)..<min(piece.byteCount, range.upperBound - offset)
      try piece.withBytes(part) { bytes throws(FileError) in result += bytes }
    }
    return result
  }
}

extension FileContent.Piece {
  /// The number of numbers, or of bytes that are none.
  fileprivate var numberCount: Int {
    switch self {
    case .bytes, .zeros: byteCount
    case .reals(let values, _): values.count
    case .codes(let codes), .nibbles(let codes): codes.count
    }
  }

  /// Lends a part of the bytes.
  fileprivate func withBytes(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) {
    switch self {
    case .bytes(let bytes): try bytes.lend(range, body)
    case .zeros: try [UInt8](repeating: 0, count: range.count).lend(nil, body)
    case .codes(let codes):
      try codes.withCodes(range) { codes throws(FileError) in try body(UnsafeRawBufferPointer(codes)) }
    case .nibbles(let codes):
      try codes.withCodes(range.lowerBound * 2..<min(codes.count, range.upperBound * 2)) {
        codes throws(FileError) in
        let packed = stride(from: 0, to: codes.count, by: 2).map { index in
          vgr_nibbles(Int32(codes[index]), index + 1 < codes.count ? Int32(codes[index + 1]) : 0)
        }
        try packed.lend(nil, body)
      }
    case .reals(let values, let type):
      let size = ElementType.real(type).unitByteCount
      let whole = range.lowerBound / size..<(range.upperBound + size - 1) / size
      let part = range.lowerBound - whole.lowerBound * size..<range.upperBound - whole.lowerBound * size
      try values.withValues(whole) { values throws(FileError) in
        switch type {
        case .float32: try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(values)[part]))
        case .float16:
          try values.map { vgr_f16_of_exact($0.bitPattern).littleEndian }.lend(part, body)
        case .bfloat16:
          try values.map { vgr_bf16_of_exact($0.bitPattern).littleEndian }.lend(part, body)
        }
      }
    }
  }
}

extension Array where Element: FixedWidthInteger & Sendable {
  /// Lends the array's bytes, or some of them.
  fileprivate func lend(
    _ range: Range<Int>?, _ body: (UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) {
    var failure: FileError?
    withUnsafeBytes { bytes in
      do throws(FileError) {
        try body(range.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) } ?? bytes)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
