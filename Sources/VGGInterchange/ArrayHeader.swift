internal import VGGBytes

/// The header of a `.npy` file (NumPy enhancement proposal 1): magic, version, length, and a Python dictionary as text.
struct ArrayHeader {
  /// The type of an element, such as `<f4`.
  let description: String
  /// Whether the first axis varies fastest.
  let isColumnMajor: Bool
  /// The lengths of the axes.
  let shape: [Int]
  /// The number of bytes before the data.
  let byteCount: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// NumPy's headers have some hundred bytes; only structured types need more.
  private static let longestText = 1 << 20

  init(_ npy: ByteRegion, file: String, place: String?) throws(FileError) {
    func failure(_ code: String, _ problem: String, offset: Int, seen: String? = nil, allowed: String? = nil)
      -> FileError
    {
      FileError(
        .malformed, code: "npy.\(code)", file: file, problem, offset: place == nil ? offset : nil,
        place: place,
        seen: seen, allowed: allowed)
    }
    guard npy.hasBytes(ArrayHeader.magic) else {
      throw failure("magic", "is not a NumPy array", offset: 0, allowed: "\\x93NUMPY")
    }
    guard let version = npy.byte(at: 6), (1...3).contains(version), npy.byte(at: 7) == 0 else {
      throw failure(
        "version", "is of an unknown version of NumPy's format", offset: 6,
        seen: npy.byte(at: 6).map { "\($0).\(npy.byte(at: 7) ?? 0)" } ?? "nothing", allowed: "1.0, 2.0, 3.0")
    }
    let start = version == 1 ? 10 : 12
    let length =
      version == 1
      ? npy.integer(at: 8, as: UInt16.self).map(Int.init) : npy.integer(at: 8, as: UInt32.self).map(Int.init)
    guard let length, length <= ArrayHeader.longestText, let text = npy.slice(at: start, count: length) else {
      throw failure(
        "header-length", "ends within its header", offset: 8, seen: length.map(String.init) ?? "nothing",
        allowed: "at most \(min(ArrayHeader.longestText, max(0, npy.count - start)))")
    }
    byteCount = start + length
    var literal = PythonLiteral(text.withBytes { Array($0) })
    guard case .dictionary(let entries)? = literal.parse(), entries.count == 3,
      case .boolean(let isColumnMajor)? = entries["fortran_order"],
      case .tuple(let lengths)? = entries["shape"], let description = entries["descr"]
    else {
      throw failure(
        "header", "has a header that cannot be understood", offset: start + literal.position,
        seen: text.withBytes { String(decoding: $0.prefix(80), as: UTF8.self) },
        allowed: "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }")
    }
    var shape: [Int] = []
    for length in lengths {
      guard case .integer(let length) = length else {
        throw failure("shape", "has a shape that is not made of numbers", offset: start)
      }
      shape.append(length)
    }
    self.shape = shape
    self.isColumnMajor = isColumnMajor
    self.description = description.text
  }
}

/// The few Python literals that a header is made of.
///
/// Written for NumPy's headers and no more: strings without escapes, `True` and `False`, whole numbers from 0, tuples,
/// lists, dictionaries with strings as keys.
struct PythonLiteral {
  indirect enum Value {
    case string(String)
    case boolean(Bool)
    case integer(Int)
    case tuple([Value])
    case list([Value])
    case dictionary([String: Value])

    /// The value as Python writes it, but strings without quotes.
    var text: String {
      switch self {
      case .string(let text): text
      case .boolean(let value): value ? "True" : "False"
      case .integer(let value): "\(value)"
      case .tuple(let values): "(\(values.map(\.text).joined(separator: ", ")))"
      case .list(let values): "[\(values.map(\.text).joined(separator: ", "))]"
      case .dictionary: "{…}"
      }
    }
  }

  private let text: [UInt8]
  /// Where parsing stands: after a failure, where it failed.
  private(set) var position = 0
  /// Lists within lists are only there in structured types.
  private static let deepest = 16

  init(_ text: [UInt8]) { self.text = text }

  /// Parses the whole text; nil where it is something else.
  mutating func parse() -> Value? {
    guard let value = value(depth: 0) else { return nil }
    skipSpace()
    return position == text.count ? value : nil
  }

  private var next: UInt8? { position < text.count ? text[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  /// Skips space and takes a character if it comes next.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) -> Value? {
    guard depth < PythonLiteral.deepest else { return nil }
    skipSpace()
    switch next {
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return string().map(Value.string)
    case .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return integer().map(Value.integer)
    case UInt8(ascii: "T"): return word("True") ? .boolean(true) : nil
    case UInt8(ascii: "F"): return word("False") ? .boolean(false) : nil
    case UInt8(ascii: "("): return elements(until: ")", depth: depth).map(Value.tuple)
    case UInt8(ascii: "["): return elements(until: "]", depth: depth).map(Value.list)
    case UInt8(ascii: "{"): return dictionary(depth: depth)
    default: return nil
    }
  }

  private mutating func string() -> String? {
    guard let quote = next, let end = text[(position + 1)...].firstIndex(of: quote) else { return nil }
    let content = text[(position + 1)..<end]
    guard !content.contains(UInt8(ascii: "\\")) else { return nil }
    position = end + 1
    return String(validating: content, as: UTF8.self)
  }

  private mutating func integer() -> Int? {
    let digits = text[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
    position += digits.count
    // Python 2 wrote long integers with an L.
    _ = next == UInt8(ascii: "L") && take("L")
    return value
  }

  private mutating func word(_ word: String) -> Bool {
    guard text[position...].starts(with: word.utf8) else { return false }
    position += word.utf8.count
    return true
  }

  private mutating func elements(until end: Unicode.Scalar, depth: Int) -> [Value]? {
    position += 1
    var values: [Value] = []
    while !take(end) {
      guard let value = value(depth: depth + 1) else { return nil }
      values.append(value)
      // (3) is a number in brackets, but no file has one: a single axis is written (3,).
      guard take(",") || next == UInt8(ascii: end) else { return nil }
    }
    return values
  }

  private mutating func dictionary(depth: Int) -> Value? {
    position += 1
    var entries: [String: Value] = [:]
    while !take("}") {
      skipSpace()
      guard next == UInt8(ascii: "'") || next == UInt8(ascii: "\""), let key = string(), take(":"),
        let value = value(depth: depth + 1), entries.updateValue(value, forKey: key) == nil,
        take(",") || next == UInt8(ascii: "}")
      else { return nil }
    }
    return .dictionary(entries)
  }
}
