public import VGGBytes
internal import VGGProtobuf

/// A file of Caffe's: its bytes and the path under which errors name it.
public struct CaffeFile: Sendable {
  /// The path as it was given.
  public var path: String
  /// The contents.
  public var bytes: ByteRegion
  /// Whether offsets into `bytes` are offsets into the file: not where text was turned into messages.
  var hasOffsets = true

  /// The file's name, without folders.
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Names bytes.
  public init(path: String, bytes: ByteRegion) {
    self.path = path
    self.bytes = bytes
  }

  /// Takes a mapped file as it is.
  public init(_ file: MappedFile) {
    self.init(path: file.path, bytes: file.bytes)
  }

  /// An error about bytes that are not what the format requires.
  func malformed(
    _ code: String, _ problem: String, at offset: Int? = nil, place: String? = nil, seen: String? = nil,
    allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "caffe.\(code)", file: path, problem, offset: hasOffsets ? offset : nil,
      place: place, seen: seen, allowed: allowed, advice: advice)
  }

  /// An error about something that is well formed, but is not a VGG or not supported.
  func unsupported(
    _ code: String, _ problem: String, at offset: Int? = nil, place: String? = nil, seen: String? = nil,
    allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    var error = malformed(
      code, problem, at: offset, place: place, seen: seen, allowed: allowed, advice: advice)
    error.kind = .unsupported
    return error
  }
}

extension WireReader {
  /// Starts at the beginning of a message of a file.
  init(_ message: Range<Int>, of file: CaffeFile, place: String) {
    self.init(
      message,
      of: MessageFile(path: file.path, bytes: file.bytes, format: "caffe", hasOffsets: file.hasOffsets),
      place: place)
  }
}
