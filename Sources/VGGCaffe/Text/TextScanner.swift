internal import VGGBytes

/// Splits protobuf's text format into tokens.
struct TextScanner {
  enum Token: Equatable {
    case identifier(String)
    /// A number as it is written, without its sign.
    case number(String)
    case string([UInt8])
    case symbol(UInt8)
    case end
  }

  let file: CaffeFile
  /// The token that comes next.
  private(set) var token = Token.end
  /// The line of the next token, from 1.
  private(set) var line = 1
  private var offset = 0

  /// Reads the first token.
  init(_ file: CaffeFile) throws(FileError) {
    self.file = file
    if file.bytes.hasBytes([0xEF, 0xBB, 0xBF]) { offset = 3 }  // a mark of the byte order, by some editors
    try advance()
  }

  /// Goes on to the next token.
  mutating func advance() throws(FileError) {
    skipSpace()
    guard let byte = file.bytes.byte(at: offset) else {
      token = .end
      return
    }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "'"): token = .string(try string(quote: byte))
    case _ where byte.isIdentifier && !byte.isDigit: token = .identifier(take { $0.isIdentifier })
    case _ where byte.isDigit || (byte == UInt8(ascii: ".") && next.isDigit):
      token = .number(number())
    default:
      token = .symbol(byte)
      offset += 1
    }
  }

  /// Takes a symbol if it comes next.
  mutating func skip(_ symbol: Character) throws(FileError) -> Bool {
    guard let byte = symbol.asciiValue, token == .symbol(byte) else { return false }
    try advance()
    return true
  }

  /// An error at the next token.
  func error(_ problem: String, seen: String? = nil, allowed: String? = nil) -> FileError {
    file.malformed("prototxt", problem, place: "line \(line)", seen: seen ?? description, allowed: allowed)
  }

  /// The next token as a reader knows it.
  var description: String {
    switch token {
    case .identifier(let name): name
    case .number(let digits): digits
    case .string(let bytes): "\"\(String(decoding: bytes.prefix(40), as: UTF8.self))\""
    case .symbol(let byte): "'\(Character(UnicodeScalar(byte)))'"
    case .end: "the end of the file"
    }
  }

  private var next: UInt8 { file.bytes.byte(at: offset + 1) ?? 0 }

  private mutating func skipSpace() {
    while let byte = file.bytes.byte(at: offset) {
      switch byte {
      case UInt8(ascii: "\n"):
        line += 1
        offset += 1
      case 0x20, 0x09, 0x0B, 0x0C, 0x0D: offset += 1
      case UInt8(ascii: "#"): _ = take { $0 != UInt8(ascii: "\n") }
      default: return
      }
    }
  }

  private mutating func take(while belongs: (UInt8) -> Bool) -> String {
    var bytes: [UInt8] = []
    while let byte = file.bytes.byte(at: offset), belongs(byte) {
      bytes.append(byte)
      offset += 1
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Digits with what may stand between and behind them: `0x1F`, `1.5e-3f`.
  private mutating func number() -> String {
    var previous: UInt8 = 0
    return take { byte in
      let isSignOfExponent =
        (byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+")) && previous | 0x20 == UInt8(ascii: "e")
      previous = byte
      return byte.isIdentifier || byte == UInt8(ascii: ".") || isSignOfExponent
    }
  }

  private mutating func string(quote: UInt8) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    offset += 1
    while let byte = file.bytes.byte(at: offset), byte != UInt8(ascii: "\n") {
      offset += 1
      if byte == quote { return bytes }
      if byte == UInt8(ascii: "\\") { try escape(into: &bytes) } else { bytes.append(byte) }
    }
    throw error("has a string that never ends", seen: "")
  }

  private mutating func escape(into bytes: inout [UInt8]) throws(FileError) {
    guard let kind = file.bytes.byte(at: offset) else { return }
    func digits(_ base: UInt8, atMost limit: Int) -> UInt32? {
      var value: UInt32?
      for _ in 0..<limit {
        guard let digit = file.bytes.byte(at: offset)?.value, digit < base else { break }
        value = (value ?? 0) * UInt32(base) + UInt32(digit)
        offset += 1
      }
      return value
    }
    if let value = digits(8, atMost: 3) {
      bytes.append(UInt8(truncatingIfNeeded: value))
      return
    }
    offset += 1
    switch kind {
    case UInt8(ascii: "n"): bytes.append(0x0A)
    case UInt8(ascii: "r"): bytes.append(0x0D)
    case UInt8(ascii: "t"): bytes.append(0x09)
    case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "?"): bytes.append(kind)
    case UInt8(ascii: "x"), UInt8(ascii: "X"):
      guard let value = digits(16, atMost: 2) else { throw error("has an escape without digits") }
      bytes.append(UInt8(truncatingIfNeeded: value))
    case UInt8(ascii: "u"):
      guard let scalar = digits(16, atMost: 4).flatMap(UnicodeScalar.init) else {
        throw error("has an escape that does not stand for a character")
      }
      bytes += Array(String(Character(scalar)).utf8)
    default: throw error("has an unknown escape", seen: "\\\(Character(UnicodeScalar(kind)))")
    }
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

  fileprivate var isIdentifier: Bool {
    isDigit || self == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
  }

  /// The value of a digit in any base up to 16.
  fileprivate var value: UInt8? {
    if isDigit { return self - UInt8(ascii: "0") }
    let letter = self | 0x20
    return (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(letter) ? letter - UInt8(ascii: "a") + 10 : nil
  }
}
