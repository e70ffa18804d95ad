/// Writes protobuf's wire format, right or wrong, one field after the other.
struct Message {
  var bytes: [UInt8] = []

  init() {}
  init(_ write: (inout Message) -> Void) { write(&self) }

  mutating func raw(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func tag(_ field: Int, _ wireType: Int) { raw(UInt64(field << 3 | wireType)) }

  mutating func varint(_ field: Int, _ value: Int) {
    tag(field, 0)
    raw(UInt64(bitPattern: Int64(value)))
  }

  mutating func bytes(_ field: Int, _ content: [UInt8]) {
    tag(field, 2)
    raw(UInt64(content.count))
    bytes += content
  }

  mutating func text(_ field: Int, _ text: String) { bytes(field, Array(text.utf8)) }
  mutating func message(_ field: Int, _ message: Message) { bytes(field, message.bytes) }

  mutating func float(_ field: Int, _ value: Float) {
    tag(field, 5)
    bytes += value.littleEndianBytes
  }

  mutating func double(_ field: Int, _ value: Double) {
    tag(field, 1)
    bytes += value.littleEndianBytes
  }

  /// A group, which nothing in Caffe's files is, around other fields.
  mutating func group(_ field: Int, _ content: Message = Message()) {
    tag(field, 3)
    bytes += content.bytes
    tag(field, 4)
  }
}

extension BinaryFloatingPoint where Self: Sendable {
  var littleEndianBytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}

extension Message {
  /// A BlobProto as Caffe writes it since 2015.
  static func blob(_ shape: [Int], _ values: [Float]) -> Message {
    Message {
      $0.bytes(5, values.flatMap(\.littleEndianBytes))
      $0.message(7, .shape(shape))
    }
  }

  static func shape(_ shape: [Int]) -> Message {
    let lengths = Message { message in shape.forEach { message.raw(UInt64(bitPattern: Int64($0))) } }
    return Message { $0.bytes(1, lengths.bytes) }
  }

  /// A BlobProto as Caffe wrote it before: always four axes.
  static func oldBlob(_ shape: [Int], _ values: [Float]) -> Message {
    let axes = Array(repeating: 1, count: 4 - shape.count) + shape
    return Message { message in
      for (index, length) in axes.enumerated() { message.varint(index + 1, length) }
      message.bytes(5, values.flatMap(\.littleEndianBytes))
    }
  }
}
