/// A text as editors of all systems write it: UTF-8, with or without a byte-order mark.
public struct TextFile: Sendable {
  /// The file's path, for errors.
  public let path: String
  /// The text without the byte-order mark.
  public let text: String

  /// The longest text that is read: hundreds of times the list of ImageNet's classes.
  public static let mostBytes = 1 << 24

  /// Reads a text.
  ///
  /// - Throws: `malformed` where the file is binary or in another encoding than UTF-8.
  public init(_ file: MappedFile) throws(FileError) {
    try self.init(file.bytes, path: file.path)
  }

  /// Reads a text from memory; `path` is for errors.
  public init(_ bytes: ByteRegion, path: String) throws(FileError) {
    self.path = path
    func failure(_ code: String, _ problem: String, offset: Int? = nil, advice: String) -> FileError {
      FileError(.malformed, code: "text.\(code)", file: path, problem, offset: offset, advice: advice)
    }
    guard bytes.count <= TextFile.mostBytes else {
      throw failure("size", "is too large for a list", advice: "give a text file of at most 16 MB")
    }
    let start = bytes.hasBytes([0xEF, 0xBB, 0xBF]) ? 3 : 0
    let content = bytes.slice(at: start, count: bytes.count - start)?.withBytes(Array.init) ?? []
    guard !TextFile.looksLikeUTF16(content) else {
      throw failure("encoding", "is UTF-16 text", advice: "save it as UTF-8")
    }
    if let offset = content.firstIndex(where: TextFile.isBinary) {
      throw failure(
        "binary", "is a binary file, not text", offset: start + offset, advice: "give a text file")
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw failure("encoding", "is not UTF-8 text", advice: "save it as UTF-8")
    }
    self.text = text
  }

  /// The lines without their ends, which are LF, CRLF or CR. The last line may end or not: no empty one follows it.
  public var lines: [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var isBehindReturn = false
    for scalar in text.unicodeScalars {
      if scalar == "\n", isBehindReturn {
        isBehindReturn = false
        continue
      }
      isBehindReturn = scalar == "\r"
      if scalar == "\n" || scalar == "\r" {
        lines.append(String(line))
        line.removeAll()
      } else {
        line.append(scalar)
      }
    }
    return line.isEmpty ? lines : lines + [String(line)]
  }

  /// A byte-order mark of UTF-16, or a zero in every second byte, as Latin letters have in it.
  private static func looksLikeUTF16(_ bytes: [UInt8]) -> Bool {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) { return true }
    let head = bytes.prefix(64)
    guard head.count >= 4 else { return false }
    return (0...1).contains { parity in
      head.indices.allSatisfy { (head[$0] == 0) == ($0 % 2 == parity) }
    }
  }

  /// Whether no text has this byte: a control character other than tab, line and form feed, and carriage return.
  private static func isBinary(_ byte: UInt8) -> Bool {
    byte < 0x20 && !(0x09...0x0D).contains(byte) || byte == 0x7F
  }
}
