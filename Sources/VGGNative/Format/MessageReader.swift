internal import CVGGManifest
internal import VGGBytes

/// Takes the fields of an unpacked manifest, and names what is wrong with them.
struct MessageReader {
  /// The file's path.
  let path: String
  /// The offset of the manifest in the file.
  let offset: Int
  /// The message that is being read, such as `tensor conv1_1/weight`.
  var place = "manifest"

  /// The reader of a message within this one.
  func within(_ place: String) -> MessageReader {
    MessageReader(path: path, offset: offset, place: place)
  }

  func failure(_ field: String, _ problem: String, seen: String? = nil, allowed: String? = nil) -> FileError {
    FileError(
      .malformed, code: "vggw.manifest.\(field)", file: path, problem, offset: offset,
      place: "\(place), \(field)", seen: seen, allowed: allowed)
  }

  func required<Message>(
    _ message: UnsafeMutablePointer<Message>?, _ field: String
  ) throws(FileError) -> Message {
    guard let message else { throw failure(field, "is missing a required field") }
    return message.pointee
  }

  func list<Item, Value>(
    _ items: UnsafeMutablePointer<UnsafeMutablePointer<Item>?>?, _ count: Int, _ field: String,
    _ transform: (Item) throws(FileError) -> Value
  ) throws(FileError) -> [Value] {
    try UnsafeBufferPointer(start: items, count: count).map { item throws(FileError) in
      try transform(required(item, field))
    }
  }

  func strings(
    _ items: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ field: String
  ) throws(FileError) -> [String] {
    try UnsafeBufferPointer(start: items, count: count).map { item throws(FileError) in
      try string(item, field)
    }
  }

  func string(_ text: UnsafePointer<CChar>?, _ field: String) throws(FileError) -> String {
    guard let text, let string = String(validatingCString: text) else {
      throw failure(field, "has text that is not UTF-8")
    }
    return string
  }

  func number(
    _ value: some FixedWidthInteger, _ allowed: ClosedRange<Int>, _ field: String
  ) throws(FileError) -> Int {
    guard let number = Int(exactly: value), allowed.contains(number) else {
      throw failure(
        field, "has an impossible number", seen: "\(value)",
        allowed: "\(allowed.lowerBound) to \(allowed.upperBound)")
    }
    return number
  }

  func finite(_ value: Double, _ field: String) throws(FileError) -> Double {
    guard value.isFinite else {
      throw failure(field, "has an impossible number", seen: "\(value)", allowed: "finite numbers")
    }
    return value
  }

  func choice<Value, Code>(
    _ code: Code, _ codes: Codes<Value, Code>, _ field: String
  ) throws(FileError) -> Value {
    guard let value = codes.value(of: code) else {
      throw failure(field, "has an unknown value", seen: "\(code.rawValue)", allowed: codes.allowed)
    }
    return value
  }

  func bytes(_ data: ProtobufCBinaryData) -> [UInt8] {
    Array(UnsafeBufferPointer(start: data.data, count: data.len))
  }

  /// The bytes of a digest that may be left out.
  func optionalDigest(_ data: ProtobufCBinaryData, _ field: String) throws(FileError) -> [UInt8] {
    data.len == 0 ? [] : try digest(data, field).bytes
  }

  func digest(_ data: ProtobufCBinaryData, _ field: String) throws(FileError) -> Digest {
    guard let digest = Digest(bytes(data)) else {
      throw failure(
        field, "has a digest of a wrong length", seen: "\(data.len) bytes", allowed: "\(Digest.byteCount)")
    }
    return digest
  }
}
