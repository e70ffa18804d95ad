public import VGGTensors

/// A message that a file is to hold, described field by field.
///
/// A message says its length in front, so it can stand in another one only when its own is known; tensors in it are read when
/// the file is written, since `FileContent` knows how long they are. Fields stand in the order in which they are added.
public struct MessageContent: Sendable {
  /// The message without its own length.
  public private(set) var content = FileContent()

  /// Creates a message without fields.
  public init() {}

  /// Adds an integer: int32, int64, uint64, bool, or a value of an enumeration.
  public mutating func append(field number: Int, integer: Int) {
    appendTag(number, wireType: 0)
    append(varint: UInt64(bitPattern: Int64(integer)))
  }

  /// Adds a float32.
  public mutating func append(field number: Int, float: Float) {
    appendTag(number, wireType: 5)
    content.append(float.bitPattern)
  }

  /// Adds a text.
  public mutating func append(field number: Int, text: String) {
    append(field: number, bytes: FileContent([.bytes(Array(text.utf8))]))
  }

  /// Adds bytes: a field of that type, or packed numbers.
  public mutating func append(field number: Int, bytes: FileContent) {
    appendTag(number, wireType: 2)
    append(varint: UInt64(bytes.byteCount))
    content.append(bytes)
  }

  /// Adds a message.
  public mutating func append(field number: Int, message: MessageContent) {
    append(field: number, bytes: message.content)
  }

  /// Adds integers, packed, unless there are none.
  public mutating func append(field number: Int, integers: [Int]) {
    guard !integers.isEmpty else { return }
    var packed = MessageContent()
    for integer in integers { packed.append(varint: UInt64(bitPattern: Int64(integer))) }
    append(field: number, message: packed)
  }

  private mutating func appendTag(_ number: Int, wireType: Int) {
    append(varint: UInt64(number) << 3 | UInt64(wireType))
  }

  /// Adds an integer as protobuf writes it: seven bits a byte, the lowest first.
  private mutating func append(varint value: UInt64) {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    content.append(bytes + [UInt8(rest)])
  }
}
