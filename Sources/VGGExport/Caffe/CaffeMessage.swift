internal import VGGProtobuf
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
  var encoded: MessageContent {
    var message = MessageContent()
    for field in fields {
      switch field.value {
      case .text(let text): message.append(field: field.number, text: text)
      case .number(let number), .symbol(_, let number): message.append(field: field.number, integer: number)
      case .flag(let flag): message.append(field: field.number, integer: flag ? 1 : 0)
      case .real(let value): message.append(field: field.number, float: value)
      case .message(let inner): message.append(field: field.number, message: inner.encoded)
      case .packed(let numbers): message.append(field: field.number, bytes: numbers)
      }
    }
    return message
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
