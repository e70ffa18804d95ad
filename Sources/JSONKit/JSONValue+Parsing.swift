internal import CJansson

/// Text that is no JSON: what is wrong and where.
public struct JSONError: Error, Equatable, Sendable {
  /// What is wrong.
  public var problem: String
  /// The offset in bytes from the beginning of the text.
  public var offset: Int
}

extension JSONValue {
  /// The most values of a text: tens of times what the largest description of a network has. An empty list takes three
  /// characters, but a hundred times as much memory.
  static let mostValues = 1 << 18

  /// Parses UTF-8 text.
  ///
  /// Numbers without a fraction or exponent are whole; text behind the value, a key that an object has twice,
  /// nesting deeper than jansson's 2048 levels, and more than 262,144 values are errors.
  public init(parsing text: [UInt8]) throws(JSONError) {
    // In front of each value but the first there is one of these characters.
    let separators: Set<UInt8> = [UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{")]
    var count = 0
    for (offset, byte) in text.enumerated() where separators.contains(byte) {
      count += 1
      guard count < JSONValue.mostValues else {
        throw JSONError(problem: "more than \(JSONValue.mostValues) values", offset: offset)
      }
    }
    var failure = json_error_t()
    // The constants that are macros with a cast are not imported: reject duplicates 0x1, any value 0x4, allow NUL 0x10.
    let flags = 0x1 | 0x4 | 0x10
    let root = text.withUnsafeBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) { json_loadb($0.baseAddress, $0.count, flags, &failure) }
    }
    guard let root else {
      let problem = withUnsafeBytes(of: &failure.text) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw JSONError(problem: problem, offset: Int(failure.position))
    }
    self.init(root)
    json_decref(root)
  }

  private init(_ value: UnsafeMutablePointer<json_t>) {
    switch value.pointee.type {
    case JSON_OBJECT:
      var members: [(key: String, value: JSONValue)] = []
      var iterator = json_object_iter(value)
      while let current = iterator {
        if let key = json_object_iter_key(current), let member = json_object_iter_value(current) {
          members.append((String(cString: key), JSONValue(member)))
        }
        iterator = json_object_iter_next(value, current)
      }
      self = .object(members)
    case JSON_ARRAY:
      self = .array(
        (0..<json_array_size(value)).compactMap { json_array_get(value, $0).map { JSONValue($0) } })
    case JSON_STRING:
      let bytes = UnsafeRawBufferPointer(start: json_string_value(value), count: json_string_length(value))
      self = .string(String(decoding: bytes, as: UTF8.self))
    case JSON_INTEGER: self = .integer(Int64(json_integer_value(value)))
    case JSON_REAL: self = .number(json_real_value(value))
    case JSON_TRUE: self = .bool(true)
    case JSON_FALSE: self = .bool(false)
    default: self = .null
    }
  }
}
