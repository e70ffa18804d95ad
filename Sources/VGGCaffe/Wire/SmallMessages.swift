internal import CCaffe
internal import VGGBytes
internal import VGGProtobuf

/// Copies of the small messages of a file, fit for protobuf-c: only what the schema knows, without the big ones.
///
/// Blobs and layers are set aside as ranges of the file, so what is copied is a few hundred bytes a layer however
/// large the file. Unknown fields, groups, and known fields of the wrong kind are left out, as protobuf itself treats
/// them as unknown; protobuf-c would refuse the last two. A message given in several parts is put together.
struct SmallMessages {
  /// A message that was left where it is.
  struct Aside {
    var field: Int
    var message: Range<Int>
  }

  /// What one layer, and all of a network together, may hold besides its blobs: hundreds of times what VGG needs.
  static let byteLimitOfOne = 1 << 18
  static let byteLimitOfAll = 1 << 22

  let file: CaffeFile
  private var totalByteCount = 0
  private var byteCount = 0
  private var asides: [Aside] = []
  private var asideLimit = 0
  private var place = ""

  init(of file: CaffeFile) { self.file = file }

  /// Copies a message and unpacks the copy, which is lent for the time of the call with the big messages in it.
  ///
  /// - Precondition: `Message` is the structure that protobuf-c generated for the schema.
  mutating func withMessage<Message, Result>(
    _ message: Range<Int>, as schema: MessageSchema, _ type: Message.Type, place: String, asideLimit: Int,
    _ body: (Message, [Aside]) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    byteCount = 0
    asides = []
    self.asideLimit = asideLimit
    self.place = place
    let bytes = try copy(message, as: schema)
    guard let unpacked = protobuf_c_message_unpack(schema.descriptor, nil, bytes.count, bytes) else {
      throw file.malformed(
        "message", "has settings that cannot be decoded", at: message.lowerBound, place: place)
    }
    defer { protobuf_c_message_free_unpacked(unpacked, nil) }
    return try body(UnsafeRawPointer(unpacked).load(as: Message.self), asides)
  }

  private mutating func copy(_ message: Range<Int>, as schema: MessageSchema) throws(FileError) -> [UInt8] {
    var copy: [UInt8] = []
    // Singular messages: parts that follow are merged by joining them.
    var singular: [(number: Int, bytes: [UInt8])] = []
    var reader = WireReader(message, of: file, place: place)
    while let wireField = try reader.next() {
      guard let field = schema.field(wireField.number), field.accepts(wireField.value) else { continue }
      let range = wireField.offset..<reader.offset
      guard case .message(let inner) = field.kind, case .bytes(let content) = wireField.value else {
        try charge(range.count, at: range.lowerBound)
        file.bytes.slice(at: range.lowerBound, count: range.count)?.withBytes { copy += $0 }
        continue
      }
      if inner.isSetAside {
        try setAside(Aside(field: field.number, message: content))
        continue
      }
      try charge(range.count - content.count, at: range.lowerBound)
      let bytes = try self.copy(content, as: inner)
      if field.isRepeated {
        copy.append(field: field.number, bytes: bytes)
      } else if let index = singular.firstIndex(where: { $0.number == field.number }) {
        singular[index].bytes += bytes
      } else {
        singular.append((field.number, bytes))
      }
    }
    for part in singular { copy.append(field: part.number, bytes: part.bytes) }
    return copy
  }

  private mutating func setAside(_ aside: Aside) throws(FileError) {
    guard asides.count < asideLimit else {
      throw file.unsupported(
        "limit.count", "has more layers or blobs than any VGG", at: aside.message.lowerBound,
        place: place, allowed: "at most \(asideLimit)")
    }
    asides.append(aside)
  }

  /// Counts bytes before they are copied.
  private mutating func charge(_ count: Int, at offset: Int) throws(FileError) {
    byteCount += count
    totalByteCount += count
    guard byteCount <= Self.byteLimitOfOne, totalByteCount <= Self.byteLimitOfAll else {
      throw file.unsupported(
        "limit.bytes", "has more settings than any VGG", at: offset, place: place,
        seen: "over \(byteCount) bytes besides the blobs",
        allowed: "\(Self.byteLimitOfOne) in one layer, \(Self.byteLimitOfAll) in all")
    }
  }
}

extension [UInt8] {
  /// Appends a field of bytes: a string or a message.
  mutating func append(field number: Int, bytes: [UInt8]) {
    append(varint: UInt64(number) << 3 | 2)
    append(varint: UInt64(bytes.count))
    self += bytes
  }

  /// Appends an integer, seven bits a byte.
  mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }
}
