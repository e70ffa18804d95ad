public import VGGBytes

/// A field of a serialised message: its number and where its value is.
public struct WireField: Sendable {
  /// The value as far as the wire type tells it.
  public enum Value: Sendable {
    /// An integer of up to 64 bits.
    case varint(UInt64)
    /// Eight bytes at an offset.
    case fixed64(Int)
    /// Four bytes at an offset.
    case fixed32(Int)
    /// A string, a message or packed numbers.
    case bytes(Range<Int>)
    /// A group, which no format of today has: skipped.
    case group
  }

  /// Which field of its message it is.
  public let number: Int
  /// The value.
  public let value: Value
  /// The offset of the field's tag.
  public let offset: Int
}

/// Walks over the fields of one serialised message without copying or building anything.
///
/// Total: any bytes give fields or an error. Every length is compared with what remains in the enclosing message
/// before it is used, and each step consumes a byte at least, so a walk ends.
public struct WireReader: Sendable {
  /// How deeply groups may be nested; protobuf's own limit.
  private static let groupDepthLimit = 100

  private let file: MessageFile
  /// What is walked over, for errors.
  private let place: String
  /// The offset of what comes next.
  public private(set) var offset: Int
  private let end: Int
  private let isWholeFile: Bool

  /// Starts at the beginning of a message.
  ///
  /// - Parameters:
  ///   - message: Where the message is.
  ///   - file: The file that it is in.
  ///   - place: What it is, for errors.
  /// - Precondition: The range lies within the file.
  public init(_ message: Range<Int>, of file: MessageFile, place: String) {
    precondition(message.lowerBound >= 0 && message.upperBound <= file.bytes.count)
    self.file = file
    self.place = place
    offset = message.lowerBound
    end = message.upperBound
    isWholeFile = file.hasOffsets && message == 0..<file.bytes.count
  }

  /// Whether nothing is left of the message.
  public var isAtEnd: Bool { offset >= end }

  /// The next field, or nil at the end of the message.
  public mutating func next() throws(FileError) -> WireField? {
    guard !isAtEnd else { return nil }
    let start = offset
    let (number, wireType) = try tag()
    switch wireType {
    case 4:
      throw error("group", "has the end of a group that was never begun", at: start, seen: "field \(number)")
    case 3:
      try skipGroup(number, from: start)
      return WireField(number: number, value: .group, offset: start)
    default:
      return WireField(number: number, value: try value(wireType, of: number, tagAt: start), offset: start)
    }
  }

  /// An integer of up to ten bytes, seven bits in each.
  public mutating func varint() throws(FileError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while offset < end, let byte = file.bytes.byte(at: offset) {
      guard shift < 70 else {
        throw error("varint", "has a number that never ends", at: start, allowed: "at most 10 bytes")
      }
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw truncated("ends within a number", at: start)
  }

  /// Skips fields that follow at once, each of one tag byte and four bytes; returns how many there were.
  ///
  /// Floats that were written one by one come in runs of millions, so they get a loop of their own.
  public mutating func skipFixed32Run(tag: UInt8) -> Int {
    let start = offset
    let limit = end
    offset = file.bytes.withBytes { bytes in
      var next = start
      while limit - next >= 5, bytes[next] == tag { next += 5 }
      return next
    }
    return (offset - start) / 5
  }

  private mutating func tag() throws(FileError) -> (number: Int, wireType: Int) {
    let start = offset
    let tag = try varint()
    guard tag <= UInt32.max, tag >> 3 != 0 else {
      throw error("tag", "has an impossible field", at: start, seen: "field number \(tag >> 3)")
    }
    return (Int(tag >> 3), Int(tag & 7))
  }

  private mutating func value(_ wireType: Int, of number: Int, tagAt start: Int) throws(FileError)
    -> WireField.Value
  {
    switch wireType {
    case 0: return .varint(try varint())
    case 1: return .fixed64(try skip(8, of: number, tagAt: start).lowerBound)
    case 5: return .fixed32(try skip(4, of: number, tagAt: start).lowerBound)
    case 2:
      let length = try varint()
      return .bytes(try skip(length, of: number, tagAt: start))
    default:
      throw error(
        "wiretype", "has a field of a kind that does not exist", at: start,
        seen: "wire type \(wireType) of field \(number)", allowed: "0 to 5")
    }
  }

  private mutating func skip(_ length: UInt64, of number: Int, tagAt start: Int) throws(FileError) -> Range<
    Int
  > {
    guard length <= UInt64(end - offset) else {
      let part = Double(file.bytes.count) / (Double(offset) + Double(length))
      throw truncated(
        isWholeFile
          ? "is cut short: at most \(Int(part * 100)) % of it is there"
          : "has a field that runs past the end of what holds it", at: start,
        seen: "field \(number) of \(length) bytes", allowed: "\(end - offset) bytes, which remain")
    }
    let start = offset
    offset += Int(length)
    return start..<offset
  }

  private mutating func skipGroup(_ number: Int, from start: Int) throws(FileError) {
    var open = [number]
    while let innermost = open.last {
      guard !isAtEnd else { throw truncated("has a group that never ends", at: start) }
      let fieldStart = offset
      let (number, wireType) = try tag()
      switch wireType {
      case 3:
        guard open.count < WireReader.groupDepthLimit else {
          throw error(
            "depth", "has groups nested too deeply", at: fieldStart,
            allowed: "\(WireReader.groupDepthLimit) levels")
        }
        open.append(number)
      case 4:
        guard number == innermost else {
          throw error(
            "group", "has a group with the wrong end", at: fieldStart, seen: "\(number)",
            allowed: "\(innermost)")
        }
        open.removeLast()
      default:
        _ = try value(wireType, of: number, tagAt: fieldStart)
      }
    }
  }

  private func error(
    _ code: String, _ problem: String, at offset: Int, seen: String? = nil, allowed: String? = nil,
    advice: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "\(file.format).wire.\(code)", file: file.path, problem,
      offset: file.hasOffsets ? offset : nil, place: place, seen: seen, allowed: allowed, advice: advice)
  }

  private func truncated(_ problem: String, at offset: Int, seen: String? = nil, allowed: String? = nil)
    -> FileError
  {
    error(
      "length", problem, at: offset, seen: seen, allowed: allowed,
      advice: "the file is damaged or cut short: fetch it again")
  }
}
