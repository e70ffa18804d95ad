import TestSupport
import Testing
import VGGBytes
import VGGProtobuf
import VGGTensors

@Suite("Messages of Protocol Buffers")
struct MessageTests {
  /// What protobuf's own tools print of bytes without a schema is one field a line; here it is in one.
  private func text(_ message: Range<Int>, of file: MessageFile) throws -> String {
    var reader = WireReader(message, of: file, place: "message")
    var fields: [String] = []
    while let field = try reader.next() {
      let value =
        switch field.value {
        case .varint(let value): "\(Int64(bitPattern: value))"
        case .fixed32(let offset):
          "\(Float(bitPattern: try #require(file.bytes.integer(at: offset, as: UInt32.self))))"
        case .fixed64: "fixed64"
        case .bytes(let range):
          field.number == 9
            ? "{\(try text(range, of: file))}"
            : "\(try #require(file.bytes.slice(at: range.lowerBound, count: range.count)).withBytes { Array($0) })"
        case .group: "group"
        }
      fields.append("\(field.number): \(value)")
    }
    return fields.joined(separator: ", ")
  }

  private func file(_ bytes: [UInt8]) -> MessageFile {
    MessageFile(path: "x", bytes: ByteRegion(copying: bytes), format: "test")
  }

  @Test("What is written is read")
  func writing() throws {
    var inner = MessageContent()
    inner.append(field: 1, integer: -1)
    inner.append(field: 2, text: "é")
    inner.append(field: 3, integers: [1, 300, -2])
    inner.append(field: 4, bytes: FileContent([.reals(MemoryValues([1, -0.5]), as: .float32)]))
    inner.append(field: 5, integers: [])
    var outer = MessageContent()
    outer.append(field: 1, integer: 300)
    outer.append(field: 9, message: inner)
    outer.append(field: 2000, float: 0.1)
    outer.append(field: 3, bytes: FileContent([.codes(MemoryCodes([-1, 2]))]))
    let bytes = try outer.content.bytes(0..<outer.content.byteCount)
    #expect(bytes.count == outer.content.byteCount)
    let minusTwo = "254, 255, 255, 255, 255, 255, 255, 255, 255, 1"
    #expect(
      try text(0..<bytes.count, of: file(bytes))
        == "1: 300, 9: {1: -1, 2: [195, 169], 3: [1, 172, 2, \(minusTwo)], 4: [0, 0, 128, 63, 0, 0, 0, 191]}, 2000: 0.1, 3: [255, 2]"
    )
  }

  @Test(
    "Anything else is refused with the format's word and the offset",
    arguments: [
      ([0x0A, 0x05, 0x01], "length", 0), ([0x08], "length", 1), ([0x0D, 0, 0], "length", 0),
      ([0x08, 0x80], "length", 1), ([0x02], "tag", 0), ([0x0F, 0], "wiretype", 0), ([0x0C], "group", 0),
      ([0x0B, 0x14], "group", 1), ([0x0B, 0x08, 0x01], "length", 0),
      ([0x08] + Array(repeating: 0xFF, count: 11), "varint", 1),
      (Array(repeating: 0x0B, count: 200), "depth", 100),
    ] as [([UInt8], String, Int)])
  func refusals(bytes: [UInt8], code: String, offset: Int) throws {
    let error = #expect(throws: FileError.self) { try text(0..<bytes.count, of: file(bytes)) }
    #expect(error?.code == "test.wire.\(code)")
    #expect(error?.offset == offset)
    #expect(error?.place == "message")
  }
}
