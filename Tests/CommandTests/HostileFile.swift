import Foundation
import TestSupport
import VGGBytes
import VGGModel
import VGGNative

/// Files that are made to do harm, written where they are needed: most are large, but of little content.
enum HostileFile {
  /// Bytes, and others behind them again and again.
  static func write(_ path: String, _ bytes: [UInt8], repeating: [UInt8] = [], count: Int = 0) throws {
    _ = FileManager.default.createFile(atPath: path, contents: Data(bytes))
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data(times(count, repeating)))
    try file.close()
  }

  /// Bytes again and again.
  static func times(_ count: Int, _ bytes: [UInt8]) -> [UInt8] {
    var all: [UInt8] = []
    all.reserveCapacity(count * bytes.count)
    while all.count < count * bytes.count {
      all += all.isEmpty ? bytes : Array(all.prefix(count * bytes.count - all.count))
    }
    return all
  }

  /// A fixture, made longer by a hole that has no blocks on the disk.
  static func extend(_ name: String, to byteCount: UInt64, at path: String) throws {
    try FileManager.default.copyItem(atPath: fixture(name), toPath: path)
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: byteCount)
    try file.close()
  }

  // MARK: Protobuf

  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  static func tag(_ field: Int, _ wireType: Int) -> [UInt8] { varint(UInt64(field << 3 | wireType)) }

  static func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
    tag(number, 2) + varint(UInt64(content.count)) + content
  }

  static func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

  /// A sound caffemodel, which anything can be appended to.
  static func caffemodel() throws -> [UInt8] {
    Array(try Data(contentsOf: URL(filePath: fixture("bad/control_ok.caffemodel"))))
  }

  /// A network D of full size whose weights are all zero and take no room on the disk.
  static func writeSparseVGG16(_ path: String) throws {
    _ = FileManager.default.createFile(atPath: path, contents: nil)
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    var shapes: [(name: String, type: String, shape: [Int])] = []
    var channels = 3
    for (block, (count, width)) in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)].enumerated() {
      for index in 1...count {
        shapes.append(("conv\(block + 1)_\(index)", "Convolution", [width, channels, 3, 3]))
        channels = width
      }
    }
    shapes += [("fc6", [4096, 25088]), ("fc7", [4096, 4096]), ("fc8", [1000, 4096])].map {
      ($0.0, "InnerProduct", $0.1)
    }
    try file.write(contentsOf: Data(field(1, "VGG")))
    for (name, type, shape) in shapes {
      let (weight, bias) = (blobHead(shape), blobHead([shape[0]]))
      let head = field(1, name) + field(2, type)
      func length(_ blob: (head: [UInt8], byteCount: Int)) -> Int { blob.head.count + blob.byteCount }
      func prefix(_ blob: (head: [UInt8], byteCount: Int)) -> [UInt8] {
        tag(7, 2) + varint(UInt64(length(blob)))
      }
      let total = head.count + [weight, bias].reduce(0) { $0 + prefix($1).count + length($1) }
      try file.write(contentsOf: Data(tag(100, 2) + varint(UInt64(total)) + head))
      for blob in [weight, bias] {
        try file.write(contentsOf: Data(prefix(blob) + blob.head))
        let end = try file.offset() + UInt64(blob.byteCount)
        try file.truncate(atOffset: end)
        try file.seek(toOffset: end)
      }
    }
    try file.close()
  }

  /// The shape and the tag and length of the values, which follow.
  private static func blobHead(_ shape: [Int]) -> (head: [UInt8], byteCount: Int) {
    let byteCount = shape.reduce(4, *)
    let axes = shape.flatMap { varint(UInt64($0)) }
    return (field(7, field(1, axes)) + tag(5, 2) + varint(UInt64(byteCount)), byteCount)
  }

  // MARK: Zip

  /// A member of an archive: its bytes as they stand there, and how many they unpack to.
  struct Member {
    var name: String
    var packed: [UInt8]
    var byteCount: Int
    var isDeflated = true

    /// A member that is not packed.
    init(_ name: String, stored text: [UInt8]) {
      (self.name, byteCount, isDeflated, packed) = (name, text.count, false, text)
    }

    /// A zero and `matches` times 258 more, packed as well as deflate can, by a factor of 1032.
    init(_ name: String, matches: Int) {
      self.name = name
      byteCount = 1 + matches * 258
      // RFC 1951, 3.2.7. A last block with codes of its own: 29 and 0 more codes than the least, 18 code lengths, of which
      // those of 18 (zeros), 2 and 1 are 1, 2 and 2 bits. So 18 is 0, 1 is 10, 2 is 11.
      var bits =
        Member.bits(1, 1) + Member.bits(2, 2) + Member.bits(29, 5) + Member.bits(0, 5) + Member.bits(14, 4)
      for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] { bits += Member.bits(length, 3) }
      // The literal 0 has two bits, so has 256; 285 (the match of 258) has one, and so has distance 0.
      let two = [true, true]
      let one = [true, false]
      bits += two + zeros(138) + zeros(117) + two + zeros(28) + one + one
      func zeros(_ count: Int) -> [Bool] { [false] + Member.bits(count - 11, 7) }
      // The literal 0 is 10, each match 0 with distance 0, the end 11.
      bits += [true, false]
      let end = bits.count + 2 * matches
      packed = Array(repeating: 0, count: (end + 2 + 7) / 8)
      let ones = bits.indices.filter { bits[$0] } + [end, end + 1]
      for position in ones { packed[position / 8] |= 1 << (position % 8) }
    }

    private static func bits(_ value: Int, _ count: Int) -> [Bool] {
      (0..<count).map { value >> $0 & 1 == 1 }
    }
  }

  /// An archive of members whose checksums are zero: what is refused in time is never checked.
  static func zip(_ members: [Member]) -> [UInt8] {
    func number<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for member in members {
      let method: UInt16 = member.isDeflated ? 8 : 0
      let sizes =
        number(checksum(member)) + number(UInt32(member.packed.count)) + number(UInt32(member.byteCount))
      let common =
        number(UInt16(20)) + number(UInt16(0)) + number(method) + number(UInt32(0x21_0000)) + sizes
        + number(UInt16(member.name.utf8.count)) + number(UInt16(0))
      // No comment, the first disk, no attributes.
      directory += Array("PK\u{1}\u{2}".utf8) + number(UInt16(20)) + common + number(UInt16(0))
      directory += number(UInt64(0)) + number(UInt32(bytes.count)) + Array(member.name.utf8)
      bytes += Array("PK\u{3}\u{4}".utf8) + common + Array(member.name.utf8) + member.packed
    }
    return bytes + directory + Array("PK\u{5}\u{6}".utf8) + number(UInt32(0)) + number(UInt16(members.count))
      + number(UInt16(members.count)) + number(UInt32(directory.count)) + number(UInt32(bytes.count))
      + number(UInt16(0))
  }

  /// The CRC-32 of what is stored as it is.
  private static func checksum(_ member: Member) -> UInt32 {
    guard !member.isDeflated else { return 0 }
    return ~member.packed.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
  }
}

extension HostileFile {
  /// A native file with a manifest of any content, with the right digest; `schemas/FORMAT.md`, section 2.
  static func writeNative(_ path: String, manifest: [UInt8]) throws {
    func number<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    var head: [UInt8] = [0x93] + Array("VGG\r\n\u{1A}\n".utf8) + number(UInt16(1)) + number(UInt16(0))
    head += number(UInt32(0x0102_0304)) + number(UInt64(0)) + number(UInt64(128 + manifest.count))
    head += number(UInt64(128)) + number(UInt64(manifest.count)) + Array(repeating: 0, count: 16)
    let digest = sha256(of: ByteRegion(copying: head + manifest)).bytes
    try write(path, head + digest + Array(repeating: 0, count: 32) + manifest)
  }
}
