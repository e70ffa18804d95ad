public import VGGBytes

/// A list of SHA-256 sums, read as `sha256sum --check` reads it: lines as `sha256sum` prints them, with or without
/// `--tag`, and what BSD's tools and openssl print.
///
/// It is stricter in one way: a line that is none of this is an error, not passed over. And more lenient in one: a
/// byte-order mark, as editors write it, does not spoil the first line.
public struct ChecksumList: Sendable {
  /// A file and the sum that it should have.
  public struct Entry: Equatable, Sendable {
    /// The sum: 64 digits in lower case.
    public var sum: String
    /// The file's path, as in the list.
    public var path: String
  }

  /// The files, in order.
  public let entries: [Entry]

  /// Reads a list.
  ///
  /// - Throws: `malformed`, naming the first line that is not one of SHA-256 sums and what it is instead.
  public init(_ file: TextFile) throws(FileError) {
    var entries: [Entry] = []
    var style: Line.Style?
    for (index, bytes) in file.text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated()
    {
      let content = bytes.last == 0x0D ? bytes.dropLast() : bytes
      guard let line = String(content), !line.isEmpty, !line.hasPrefix("#") else { continue }
      func failure(_ problem: String, advice: String? = nil) -> FileError {
        FileError(
          .malformed, code: "checksum.line", file: file.path, problem, place: "line \(index + 1)",
          seen: String(line.prefix(80)), allowed: "64 hexadecimal digits, two spaces, a name", advice: advice)
      }
      switch Line(line, after: style) {
      case .entry(let entry, let found):
        guard entry.path != "-" else {
          throw failure("names standard input ('-'), which is not read here", advice: "name a file")
        }
        style = style ?? found
        entries.append(entry)
      case .otherDigest(let name):
        throw failure(
          "has a sum by \(name), and SHA-256 is needed",
          advice: "make the list with sha256sum or 'vggconv checksum'")
      case .sumOnly:
        throw failure(
          "has a sum without the name of a file",
          advice: "write the name behind the sum, or compare it with what 'vggconv checksum FILE' prints")
      case .nameFirst:
        throw failure("has the name of the file in front of the sum", advice: "write the sum first")
      case .unknown: throw failure("has a line that is not a checksum")
      }
    }
    guard !entries.isEmpty else {
      throw FileError(
        .malformed, code: "checksum.empty", file: file.path, "lists no files",
        allowed: "one line for each file")
    }
    self.entries = entries
  }

  /// A line as `sha256sum` writes it: a name with a backslash or a line break is escaped, and the line begins with a
  /// backslash.
  public static func line(_ sum: String, _ path: String) -> String {
    let escaped = path.unicodeScalars.map { scalar in
      switch scalar {
      case "\\": "\\\\"
      case "\n": "\\n"
      case "\r": "\\r"
      default: String(scalar)
      }
    }.joined()
    return (escaped.utf8.elementsEqual(path.utf8) ? "" : "\\") + "\(sum)  \(escaped)"
  }
}

/// What a line of a list is.
private enum Line {
  /// How the name stands behind the sum.
  enum Style {
    /// Behind a space and a character that says how to read: a space or an asterisk.
    case marked
    /// Behind one space. All lines of a list must be alike, as in sha256sum: else a space in front of a name could be
    /// taken for either.
    case plain
  }

  /// A line of `--tag` has no style.
  case entry(ChecksumList.Entry, Style?)
  case otherDigest(String)
  case sumOnly
  case nameFirst
  case unknown

  init(_ line: String, after style: Style?) {
    var rest = line.unicodeScalars.drop { $0 == " " || $0 == "\t" }
    let isEscaped = rest.first == "\\"
    if isEscaped { rest = rest.dropFirst() }
    if let tagged = Line(tagged: String(rest), isEscaped: isEscaped) {
      self = tagged
      return
    }
    let digits = rest.prefix { $0.properties.isASCIIHexDigit }
    let behind = rest.dropFirst(digits.count)
    guard let separator = behind.first else {
      self = Line.algorithm(digits: digits.count) == nil ? .unknown : .sumOnly
      return
    }
    guard separator == " " || separator == "\t" else {
      self = Line.endsWithSum(line) ? .nameFirst : .unknown
      return
    }
    guard digits.count == 64 else {
      self =
        Line.algorithm(digits: digits.count).map(Line.otherDigest)
        ?? (Line.endsWithSum(line) ? .nameFirst : .unknown)
      return
    }
    let name = behind.dropFirst()
    guard let first = name.first else {
      self = .sumOnly
      return
    }
    let isMarked = style != .plain && name.count > 1 && (first == " " || first == "*")
    guard isMarked || style != .marked else {
      self = .unknown
      return
    }
    guard let path = Line.path(isMarked ? name.dropFirst() : name, isEscaped: isEscaped) else {
      self = .unknown
      return
    }
    self = .entry(
      ChecksumList.Entry(sum: String(digits).lowercased(), path: path), isMarked ? .marked : .plain)
  }

  /// `SHA256 (name) = sum`, as BSD's tools and `sha256sum --tag` write it, `SHA2-256(name)= sum` by openssl; nil for other
  /// lines.
  private init?(tagged line: String, isEscaped: Bool) {
    guard let opening = line.firstIndex(of: "("), let closing = line.lastIndex(of: ")"), opening < closing
    else { return nil }
    var algorithm = line[..<opening]
    if algorithm.last == " " { algorithm = algorithm.dropLast() }
    guard !algorithm.isEmpty,
      algorithm.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-/".contains($0)) })
    else { return nil }
    let behind = line[line.index(after: closing)...].drop { $0 == " " || $0 == "\t" }
    guard behind.first == "=" else { return nil }
    let sum = behind.dropFirst().drop { $0 == " " || $0 == "\t" }
    guard sum.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
    guard ["SHA256", "SHA2-256"].contains(algorithm) else {
      self = .otherDigest(String(algorithm))
      return
    }
    let name = line[line.index(after: opening)..<closing]
    guard sum.count == 64, let path = Line.path(name.unicodeScalars, isEscaped: isEscaped) else { return nil }
    self = .entry(ChecksumList.Entry(sum: sum.lowercased(), path: path), nil)
  }

  /// A name with its escapes undone; nil where it is empty or has one that is not known.
  private static func path(_ name: String.UnicodeScalarView.SubSequence, isEscaped: Bool) -> String? {
    guard !name.isEmpty else { return nil }
    guard isEscaped else { return String(name) }
    let escapes: [Unicode.Scalar: Unicode.Scalar] = ["\\": "\\", "n": "\n", "r": "\r"]
    var path = String.UnicodeScalarView()
    var scalars = name.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "\\" else {
        path.append(scalar)
        continue
      }
      guard let letter = scalars.next(), let meant = escapes[letter] else { return nil }
      path.append(meant)
    }
    return String(path)
  }

  /// Which algorithm gives sums of so many digits.
  private static func algorithm(digits: Int) -> String? {
    [32: "MD5", 40: "SHA-1", 56: "SHA-224", 64: "SHA-256", 96: "SHA-384", 128: "SHA-512"][digits]
  }

  private static func endsWithSum(_ line: String) -> Bool {
    let last = line.split { " \t:=,\"".contains($0) }.last ?? ""
    return last.count == 64 && last.allSatisfy { $0.isASCII && $0.isHexDigit }
  }
}
