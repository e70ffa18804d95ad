/// Parts of a source in C.
enum CText {
  /// The longest line of an array.
  private static let lineLength = 100

  /// The items of an array, in lines that are not too long, each item with its comma.
  static func rows(_ items: [String], indent: Int = 2) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = margin
    for item in items {
      if line.utf8.count > indent, line.utf8.count + item.utf8.count + 2 > lineLength {
        lines.append(line)
        line = margin
      }
      line += (line.utf8.count > indent ? " " : "") + item + ","
    }
    if line.utf8.count > indent { lines.append(line) }
    return lines.joined(separator: "\n")
  }

  /// A finite float32, exactly.
  static func literal(_ value: Float) -> String { "\(value)f" }

  /// A text in quotes. Bytes beyond ASCII are written as such, in octal digits, of which there are never more than three.
  static func string(_ text: String) -> String {
    var literal = "\""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): literal += "\\" + String(UnicodeScalar(byte))
      // Of a question mark, too: two of them may begin a trigraph.
      case 0x20...0x7E where byte != UInt8(ascii: "?"): literal += String(UnicodeScalar(byte))
      default: literal += "\\" + [byte >> 6, byte >> 3 & 7, byte & 7].map { "\($0)" }.joined()
      }
    }
    return literal + "\""
  }

  /// A text within a comment: it cannot end it.
  static func comment(_ text: String) -> String {
    let characters = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }
    return String(characters).replacing("*/", with: "* /").replacing("/*", with: "/ *")
  }

  /// A name as an identifier.
  static func identifier(_ name: String) -> String {
    String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
}
