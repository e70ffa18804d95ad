internal import VGGTensors

/// A message of Caffe's, which is written both as bytes and as text.
struct CaffeMessage {
  /// A field's value.
  enum Value {
    case text(String)
    case number(Int)
    case real(Float)
    case flag(Bool)
    /// A value of an enumeration: its name and its number.
    case symbol(String, Int)
    case message(CaffeMessage)
    /// Packed numbers, which text leaves out.
    case packed(FileContent)
  }

  /// A field: its name in text, its number in bytes.
  struct Field {
    var name: String
    var number: Int
    var value: Value
  }

  /// The fields in order.
  var fields: [Field] = []

  /// Adds a field.
  mutating func append(_ name: String, _ number: Int, _ value: Value) {
    fields.append(Field(name: name, number: number, value: value))
  }

  /// Adds a message.
  mutating func append(_ name: String, _ number: Int, _ message: CaffeMessage) {
    append(name, number, .message(message))
  }
}

extension CaffeMessage {
  /// The message in protobuf's binary form.
  var content: FileContent {
    var content = FileContent()
    for field in fields {
      func begin(_ wireType: Int) { content.appendVarint(UInt64(field.number << 3 | wireType)) }
      func append(lengthAnd part: FileContent) {
        begin(2)
        content.appendVarint(UInt64(part.byteCount))
        content.append(part)
      }
      switch field.value {
      case .text(let text): append(lengthAnd: FileContent([.bytes(Array(text.utf8))]))
      case .number(let number), .symbol(_, let number):
        begin(0)
        content.appendVarint(UInt64(number))
      case .flag(let flag):
        begin(0)
        content.appendVarint(flag ? 1 : 0)
      case .real(let value):
        begin(5)
        content.append(value.bitPattern)
      case .message(let message): append(lengthAnd: message.content)
      case .packed(let numbers): append(lengthAnd: numbers)
      }
    }
    return content
  }

  /// The message in protobuf's text form, without packed numbers and what consists of nothing else.
  func text(indentation: String = "") -> String {
    fields.reduce(into: "") { text, field in
      let value: String
      switch field.value {
      case .text(let text): value = "\"\(text)\""
      case .number(let number): value = "\(number)"
      case .real(let real): value = "\(real)"
      case .flag(let flag): value = "\(flag)"
      case .symbol(let name, _): value = name
      case .packed: return
      case .message(let message):
        text += "\(indentation)\(field.name) {\n"
        text += message.text(indentation: indentation + "  ")
        text += "\(indentation)}\n"
        return
      }
      text += "\(indentation)\(field.name): \(value)\n"
    }
  }
}

extension FileContent {
  /// Adds a number of as many bytes as it needs, seven bits in each, the lowest first.
  fileprivate mutating func appendVarint(_ number: UInt64) {
    var rest = number
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(bytes + [UInt8(rest)])
  }
}
