internal import VGGBytes
internal import VGGInterchange
internal import VGGProtobuf

/// A file with a serialised ModelProto, and how errors name it.
struct ONNXFile {
  /// The bytes.
  let message: MessageFile
  /// The folder for tensors that must be unpacked.
  let scratchFolder: String

  /// The longest name: tens of times what any program writes.
  private static let longestText = 1 << 14

  var path: String { message.path }
  var bytes: ByteRegion { message.bytes }

  func reader(_ range: Range<Int>, _ place: String) -> WireReader {
    WireReader(range, of: message, place: place)
  }

  /// A text; what is not UTF-8 in it is replaced.
  func text(_ range: Range<Int>, _ place: String, longest: Int = longestText) throws(FileError) -> String {
    guard range.count <= longest, let part = bytes.slice(at: range.lowerBound, count: range.count) else {
      throw malformed(
        "text", "has a text that is too long", at: range.lowerBound, place: place,
        seen: "\(range.count) bytes",
        allowed: "at most \(longest)")
    }
    guard !part.withBytes({ $0.contains(0) }) else {
      throw malformed("text", "has a text with a zero in it", at: range.lowerBound, place: place)
    }
    return part.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// An error about bytes that are not what the format requires.
  func malformed(
    _ code: String, _ problem: String, at offset: Int? = nil, place: String? = nil, seen: String? = nil,
    allowed: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "onnx.\(code)", file: path, problem, offset: offset, place: place, seen: seen,
      allowed: allowed)
  }

  /// An error about something that is well formed, but is not a VGG or not supported.
  func unsupported(
    _ code: String, _ problem: String, at offset: Int? = nil, place: String? = nil, seen: String? = nil,
    allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    FileError(
      .unsupported, code: "onnx.\(code)", file: path, problem, offset: offset, place: place, seen: seen,
      allowed: allowed, advice: advice)
  }
}

extension WireField {
  /// The value of an integer; nil where the field is of another kind.
  var integer: Int? { if case .varint(let value) = value { Int(truncatingIfNeeded: value) } else { nil } }

  /// Where the value of a text or message is; nil where the field is of another kind.
  var range: Range<Int>? { if case .bytes(let range) = value { range } else { nil } }
}
