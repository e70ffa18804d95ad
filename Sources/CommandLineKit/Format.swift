internal import Glibc

/// Numbers as people read them.
public enum Format {
  /// A number of bytes in decimal units: `999 B`, `1.5 kB`, `553 MB`.
  public static func bytes(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "kB", "MB", "GB"] {
      if value.magnitude < 999.5 || unit == "GB" {
        return "\(fixed(value, unit == "B" || value.magnitude >= 99.95 ? 0 : 1)) \(unit)"
      }
      value /= 1000
    }
    return "\(count) B"
  }

  /// A whole number with groups of three digits: `138,357,544`.
  public static func grouped(_ number: Int) -> String {
    var groups: [Substring] = []
    var rest = Substring(String(number.magnitude))
    while rest.count > 3 {
      groups.insert(rest.suffix(3), at: 0)
      rest = rest.dropLast(3)
    }
    groups.insert(rest, at: 0)
    return (number < 0 ? "-" : "") + groups.joined(separator: ",")
  }

  /// A number with a fixed number of decimals: `3.14`.
  public static func fixed(_ value: Double, _ decimals: Int) -> String { print("%.*f", decimals, value) }

  /// A number with three significant digits and an exponent: `1.23e-07`; zero is `0`.
  public static func scientific(_ value: Double) -> String { value == 0 ? "0" : print("%.*e", 2, value) }

  /// A fraction as a percentage: `99.44 %`.
  public static func percent(_ fraction: Double, decimals: Int = 2) -> String {
    fixed(fraction * 100, decimals) + " %"
  }

  /// A number with a given number of significant digits, with an exponent where it is very large or small: `0.0123`, `1.2e-09`.
  public static func significant(_ value: Double, _ digits: Int) -> String { print("%.*g", digits, value) }

  /// A length of time: `250 ms`, `3.2 s`, `42 s`, `2 min 5 s`, `1 h 10 min`.
  public static func duration(_ seconds: Double) -> String {
    if seconds < 0.9995 { return significant(seconds * 1000, seconds < 0.01 ? 2 : 3) + " ms" }
    if seconds < 9.95 { return fixed(seconds, 1) + " s" }
    guard let whole = Int(exactly: seconds.rounded()) else { return fixed(seconds, 0) + " s" }
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// A text on one line that does nothing to a terminal: control characters, as in names from hostile files, are spelled out.
  public static func visible(_ text: String) -> String {
    func isPlain(_ scalar: Unicode.Scalar) -> Bool {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: false
      default: true
      }
    }
    if text.unicodeScalars.allSatisfy(isPlain) { return text }
    return text.unicodeScalars.map { isPlain($0) ? String($0) : $0.escaped(asASCII: true) }.joined()
  }

  /// Lines of words, behind a margin, no longer than a width or 100 columns where a single word is not longer itself.
  public static func wrapped(_ text: String, indent: Int, width: Int) -> [String] {
    let margin = String(repeating: " ", count: indent)
    var lines = [margin]
    for word in text.split(separator: " ") {
      let last = lines[lines.count - 1]
      if last.count > indent, last.count + 1 + word.count > min(width, 100) {
        lines.append(margin + word)
      } else {
        lines[lines.count - 1] = last + (last.count > indent ? " " : "") + word
      }
    }
    return lines
  }

  private static func print(_ format: String, _ digits: Int, _ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    let text = [CChar](unsafeUninitializedCapacity: 400) { buffer, count in
      let written = withVaList([Int32(digits), value]) {
        vsnprintf(buffer.baseAddress, buffer.count, format, $0)
      }
      count = min(max(0, Int(written)), buffer.count - 1)
    }
    return String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
