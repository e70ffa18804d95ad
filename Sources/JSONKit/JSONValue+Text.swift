extension JSONValue {
  /// The value on one line.
  public var compact: String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  /// The value with one member or element a line, indented by two spaces; arrays of plain values stay on one line.
  public var pretty: String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    // JSON has no NaN and no infinity.
    case .number(let value):
      if value.isFinite {
        text += "\(value)"
      } else {
        JSONValue.quote(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity", to: &text)
      }
    case .string(let value): JSONValue.quote(value, to: &text)
    case .array(let elements):
      let isPlain = elements.allSatisfy(\.isPlain)
      JSONValue.writeList(elements, "[", "]", to: &text, indent: isPlain ? nil : indent) {
        element, text, indent in
        element.write(to: &text, indent: indent)
      }
    case .object(let members):
      JSONValue.writeList(members, "{", "}", to: &text, indent: indent) { member, text, indent in
        JSONValue.quote(member.key, to: &text)
        text += ": "
        member.value.write(to: &text, indent: indent)
      }
    }
  }

  private var isPlain: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private static func writeList<Element>(
    _ elements: [Element], _ open: String, _ close: String, to text: inout String, indent: Int?,
    _ write: (Element, inout String, Int?) -> Void
  ) {
    text += open
    let inner = indent.map { $0 + 2 }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += inner == nil ? ", " : "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      write(element, &text, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += close
  }

  private static func quote(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
