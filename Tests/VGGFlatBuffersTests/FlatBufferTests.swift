import TestSupport
import Testing
import VGGBytes
import VGGFlatBuffers
import VGGTensors

@Suite struct FlatBufferTests {
  /// A table with a field of each kind.
  private static let table = FlatBufferTable([
    3: .byte(200), 0: .bool(true), 1: .int32(-5), 2: .uint32(4_000_000_000), 4: .float32(0.1),
    5: .string("grüße"), 6: .int32s([1, -2, 3]), 7: .int64s([1 << 40, -1]), 8: .float32s([0.5, -0.25]),
    9: .bytes([9, 8, 7]), 10: .content(FileContent([.reals(MemoryValues([1, 2]), as: .float16)])),
    11: .table(FlatBufferTable([1: .bool(true)])),
    12: .tables([FlatBufferTable([:]), FlatBufferTable([0: .int32(77)])]), 14: .content(FileContent()),
  ])

  private func bytes(_ table: FlatBufferTable = table) throws -> [UInt8] {
    let content = FileContent(flatBuffer: table, identifier: "TEST")
    return try content.bytes(0..<content.byteCount)
  }

  private func root(_ bytes: [UInt8]) throws -> FlatBuffer.Table {
    try FlatBuffer(ByteRegion(copying: bytes), file: "x").root()
  }

  @Test func whatIsWrittenIsRead() throws {
    let bytes = try bytes()
    #expect(FlatBuffer.has(identifier: "TEST", ByteRegion(copying: bytes)))
    let root = try root(bytes)
    #expect(try root.flag(0))
    #expect(try root.integer(1, standard: Int32(0)) == -5)
    #expect(try root.integer(2, standard: UInt32(0)) == 4_000_000_000)
    #expect(try root.integer(3, standard: UInt8(0)) == 200)
    #expect(try root.float(4, standard: 0) == 0.1)
    #expect(try root.string(5, "text") == "grüße")
    #expect(try root.integers(6, as: Int32.self, limit: 3, "numbers") == [1, -2, 3])
    #expect(try root.integers(7, as: Int64.self, limit: 3, "numbers") == [1 << 40, -1])
    let data = try #require(try root.vector(10, elementByteCount: 1, limit: 4, "data"))
    #expect(data.bytes.withBytes { Array($0) } == [0, 0x3C, 0, 0x40])
    #expect(try root.table(11, "table")?.flag(1) == true)
    let tables = try root.tables(12, limit: 2, "tables")
    #expect(try tables.map { try $0.integer(0, standard: Int32(42)) } == [42, 77])
    #expect(try root.vector(14, elementByteCount: 1, limit: 4, "data")?.count == 0)
    // A field that is not there, and one that the file does not know of.
    #expect(try root.integer(13, standard: Int32(6)) == 6)
    #expect(try root.integer(99, standard: Int32(6)) == 6)
  }

  @Test("Vectors are aligned as readers that map the file need it")
  func alignment() throws {
    let root = try root(try bytes())
    let expected = [(6, 4, 4), (7, 8, 8), (8, 4, 4), (9, 1, 16), (10, 1, 16), (14, 1, 16)]
    for (slot, size, alignment) in expected {
      let vector = try #require(try root.vector(slot, elementByteCount: size, limit: 9, "vector"))
      #expect(vector.offset % alignment == 0, "field \(slot)")
    }
    #expect(root.offset % 4 == 0)
  }

  @Test func longVectorsAreRefusedBeforeTheyAreRead() throws {
    let root = try root(try bytes())
    let error = #expect(throws: FileError.self) { try root.integers(6, as: Int32.self, limit: 2, "numbers") }
    #expect(error?.code == "flatbuffers.count" && error?.seen == "3")
  }

  @Test("A damaged file is refused or read, whatever byte is wrong")
  func damage() throws {
    let original = try bytes()
    var refused = 0
    for place in original.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var bytes = original
        bytes[place] = value
        do { try readAll(bytes) } catch is FileError { refused += 1 }
      }
    }
    for length in original.indices {
      #expect(throws: FileError.self, "\(length)") { try readAll(Array(original[..<length])) }
    }
    #expect(refused > 100)
  }

  private func readAll(_ bytes: [UInt8]) throws {
    let root = try root(bytes)
    for slot in 0..<16 { _ = try root.integer(slot, standard: UInt8(0)) }
    _ = try root.string(5, "text")
    _ = try root.integers(6, as: Int32.self, limit: 100, "numbers")
    _ = try root.integers(7, as: Int64.self, limit: 100, "numbers")
    _ = try root.vector(9, elementByteCount: 1, limit: .max, "bytes")?.bytes.withBytes { $0.reduce(0, &+) }
    _ = try root.vector(10, elementByteCount: 1, limit: .max, "bytes")?.bytes.withBytes { $0.reduce(0, &+) }
    _ = try root.vector(14, elementByteCount: 1, limit: .max, "bytes")
    _ = try root.table(11, "table")?.flag(1)
    for table in try root.tables(12, limit: 100, "tables") { _ = try table.integer(0, standard: Int32(0)) }
  }
}
