import TestSupport
import Testing
import VGGArchive
import VGGBytes
import VGGTensors

@Suite("Zip archives")
struct ArchiveTests {
  private func open(_ path: String) throws -> (archive: ZipArchive, file: ByteRegion) {
    let file = try MappedFile(path: path).bytes
    return (try ZipArchive(file, file: path), file)
  }

  private func open(_ bytes: [UInt8]) throws -> ZipArchive {
    try ZipArchive(ByteRegion(copying: bytes), file: "x.zip")
  }

  /// Makes an archive with Python: `program` may use `zf` (a ZipFile), `zipfile` and `struct`.
  private func archive(_ program: String) throws -> [UInt8] {
    try withTemporaryFolder { folder in
      try python(
        "import zipfile, struct\nwith zipfile.ZipFile('a.zip', 'w') as zf:\n  "
          + program.replacing("\n", with: "\n  "), in: folder)
      return try bytes(of: "\(folder)/a.zip")
    }
  }

  @Test("The members of a Keras archive are listed, and lent without a copy")
  func stored() throws {
    let (archive, file) = try open(fixture("bad/control_ok.keras"))
    #expect(archive.members.map(\.name) == ["metadata.json", "config.json", "model.weights.h5"])
    let member = try #require(archive.member("model.weights.h5"))
    #expect(member.method == .stored)
    #expect(member.byteCount == 63200)
    let data = try archive.bytes(of: member)
    #expect(data.hasBytes([0x89, 0x48, 0x44, 0x46]))
    let isInside = file.withBytes { file in
      data.withBytes { data in
        guard let start = file.baseAddress, let own = data.baseAddress else { return false }
        return own > start && own + data.count < start + file.count
      }
    }
    #expect(isInside)
    #expect(archive.member("none") == nil)
  }

  @Test(
    "Members of all forms are read",
    arguments: [
      "zf.writestr('a/b', b'x' * 100000 + b'end')",
      "zf.writestr('a/b', b'x' * 100000 + b'end', zipfile.ZIP_DEFLATED)",
      "with zf.open('a/b', 'w', force_zip64=True) as f: f.write(b'x' * 100000 + b'end')",
      "zf.comment = b'PK\\x05\\x06' + bytes(30)\nzf.writestr('0', b'')\nzf.writestr('a/b', b'x' * 100000 + b'end')",
    ])
  func forms(program: String) throws {
    let archive = try open(archive(program))
    let member = try #require(archive.member("a/b"))
    let expected = Array(repeating: UInt8(ascii: "x"), count: 100_000) + Array("end".utf8)
    #expect(array(try archive.bytes(of: member)) == expected)
    #expect(throws: FileError.self) { try archive.bytes(of: member, maximumBytes: 100_002) }
  }

  @Test("An archive whose records are in zip64 form is read")
  func zip64() throws {
    // A central directory and its end as zip64 writes them, though nothing is large.
    let program = """
      import struct, zlib
      d = b'hello zip64'
      n = b'a'
      crc = zlib.crc32(d)
      pad = b'\\0' * 7
      m = 0xffffffff
      x = struct.pack('<HHQQ', 1, 16, len(d), len(d))
      local = struct.pack('<IHHHHHIIIHH', 0x04034b50, 45, 0, 0, 0, 33, crc, m, m, 1, len(x)) + n + x
      start = b''
      cx = struct.pack('<HHQQQ', 1, 24, len(d), len(d), 0)
      cd = struct.pack('<IHHHHHHIIIHHHHHII', 0x02014b50, 45, 45, 0, 0, 0, 33, crc, m, m, 1, len(cx), 0, 0, 0, 0, m) + n + cx
      at = len(local) + len(d)
      end = struct.pack('<IQHHIIQQQQ', 0x06064b50, 44, 45, 45, 0, 0, 1, 1, len(cd), at)
      locator = struct.pack('<IIQI', 0x07064b50, 0, at + len(cd), 1)
      last = struct.pack('<IHHHHIIH', 0x06054b50, 0, 0, 0xffff, 0xffff, m, m, 0)
      open('a.zip', 'wb').write(local + d + cd + end + locator + last)
      import zipfile
      assert zipfile.ZipFile('a.zip').read('a') == d
      """
    try withTemporaryFolder { folder in
      try python(program, in: folder)
      let (archive, _) = try open("\(folder)/a.zip")
      let member = try #require(archive.members.first)
      #expect(array(try archive.bytes(of: member)) == Array("hello zip64".utf8))
    }
  }

  @Test(
    "Archives with members that lead elsewhere or are there twice are refused",
    arguments: [
      ("zf.writestr('../a', b'')", "zip.name"), ("zf.writestr('/a', b'')", "zip.name"),
      ("zf.writestr('a/../../b', b'')", "zip.name"), ("zf.writestr('a\\\\..\\\\b', b'')", "zip.name"),
      ("zf.writestr('C:/a', b'')", "zip.name"),
      ("zf.writestr('a', b'')\nzf.writestr('a', b'x')", "zip.duplicate"),
    ])
  func refusedNames(program: String, code: String) throws {
    let bytes = try archive("import warnings\nwarnings.simplefilter('ignore')\n" + program)
    let error = #expect(throws: FileError.self) { try open(bytes) }
    #expect(error?.code == code)
    #expect(error?.kind == .malformed)
  }

  @Test("One name in two encodings is one name")
  func encodings() throws {
    var bytes = try archive("zf.writestr('dir/\u{e9}', b'')\nzf.writestr('dir/X', b'')")
    // In code page 437, which names without a flag have, é is 0x82.
    for range in bytes.ranges(of: Array("dir/X".utf8)) { bytes[range.upperBound - 1] = 0x82 }
    let error = #expect(throws: FileError.self) { try open(bytes) }
    #expect(error?.code == "zip.duplicate")
  }

  @Test("The fixture with names that lead elsewhere is refused")
  func zipSlip() {
    let error = #expect(throws: FileError.self) { try open(fixture("bad/zip_slip.keras")) }
    #expect(error?.code == "zip.name")
    #expect(error?.seen == "../../../../tmp/zip_slip_was_here.txt")
  }

  @Test("Members that cannot be read are refused by name")
  func refusedMembers() throws {
    let bzip2 = try open(archive("zf.writestr('a', b'x' * 1000, zipfile.ZIP_BZIP2)"))
    let other = #expect(throws: FileError.self) { try bzip2.bytes(of: try #require(bzip2.members.first)) }
    #expect(other?.code == "zip.method")
    // Flag 0 says that a member is encrypted: in its own header and in the directory.
    var bytes = try archive("zf.writestr('a', b'x' * 1000)")
    bytes[6] |= 1
    let directory = try #require(bytes.firstRange(of: [0x50, 0x4B, 1, 2])?.lowerBound)
    bytes[directory + 8] |= 1
    let encrypted = try open(bytes)
    let error = #expect(throws: FileError.self) {
      try encrypted.bytes(of: try #require(encrypted.members.first))
    }
    #expect(error?.code == "zip.encrypted")
  }

  @Test("A wrong CRC is found", arguments: ["zipfile.ZIP_STORED", "zipfile.ZIP_DEFLATED"])
  func checksum(method: String) throws {
    var bytes = try archive("zf.writestr('a', b'some text' * 3, \(method))")
    let directory = try #require(bytes.firstRange(of: [0x50, 0x4B, 1, 2])?.lowerBound)
    for offset in [14, directory + 16] { bytes[offset] ^= 1 }
    let archive = try open(bytes)
    let error = #expect(throws: FileError.self) { try archive.bytes(of: try #require(archive.members.first)) }
    #expect(error?.kind == .malformed)
  }

  @Test("A member that claims to unpack to terabytes is refused before space is taken")
  func bomb() throws {
    var bytes = try archive("zf.writestr('a', b'some text' * 3, zipfile.ZIP_DEFLATED)")
    let directory = try #require(bytes.firstRange(of: [0x50, 0x4B, 1, 2])?.lowerBound)
    for offset in [22, directory + 24] { bytes.replaceSubrange(offset..<offset + 4, with: [0, 0, 0, 0xF0]) }
    let archive = try open(bytes)
    let member = try #require(archive.members.first)
    let error = #expect(throws: FileError.self) { try archive.bytes(of: member) }
    #expect(error?.code == "zip.ratio")
  }

  @Test("Damage gives the right bytes or an error")
  func damage() throws {
    let sound = try archive(
      "zf.writestr('stored', b'0123456789' * 5)\nzf.writestr('deflated', b'0123456789' * 5, zipfile.ZIP_DEFLATED)"
    )
    let content = Array(String(repeating: "0123456789", count: 5).utf8)
    forEachDamage(of: sound, seed: 2) { damaged in
      guard let archive = try? open(damaged) else { return }
      for member in archive.members {
        guard let bytes = try? archive.bytes(of: member, maximumBytes: 1 << 20) else { continue }
        #expect(member.byteCount != content.count || array(bytes) == content)
      }
    }
  }

  @Test("What is written is read back, by Python too, and is the same each time")
  func writing() throws {
    let floats: [Float] = (0..<70_000).map { Float($0) / 7 }
    let members = [
      ArchiveMember(
        name: "a/é.bin",
        content: FileContent([.bytes([1, 2, 3]), .reals(MemoryValues(floats), as: .float32)])),
      ArchiveMember(name: "empty", content: FileContent()),
      ArchiveMember(name: "text", content: FileContent([.bytes(Array("text".utf8))])),
    ]
    try withTemporaryFolder { folder in
      var total = 0
      try ArchiveWriter.write(members, to: "\(folder)/a.zip", overwrite: false) { total += $0 }
      try ArchiveWriter.write(members, to: "\(folder)/b.zip", overwrite: false)
      #expect(total == 3 + 280_000 + 4)
      #expect(try bytes(of: "\(folder)/a.zip") == bytes(of: "\(folder)/b.zip"))
      let (archive, _) = try open("\(folder)/a.zip")
      #expect(archive.members.map(\.name) == ["a/é.bin", "empty", "text"])
      #expect(archive.members.allSatisfy { $0.method == .stored })
      let first = array(try archive.bytes(of: archive.members[0]))
      #expect(first == [1, 2, 3] + floats.withUnsafeBytes { Array($0) })
      let printed = try python(
        """
        import zipfile
        z = zipfile.ZipFile('a.zip')
        print(z.testzip(), [(i.filename, i.file_size, i.date_time) for i in z.infolist()], z.read('text'))
        """, in: folder)
      let date = "(1980, 1, 1, 0, 0, 0)"
      #expect(
        printed
          == "None [('a/é.bin', 280003, \(date)), ('empty', 0, \(date)), ('text', 4, \(date))] b'text'\n")
    }
  }

  @Test("A failure while values are read comes through, and leaves no file")
  func failedWriting() throws {
    struct BrokenValues: TensorValues {
      var count: Int { 10 }
      func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
        throw FileError(.inputOutput, code: "test", file: "source", "is gone")
      }
    }
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) {
        try ArchiveWriter.write(
          [
            ArchiveMember(
              name: "a", content: FileContent([.bytes([1]), .reals(BrokenValues(), as: .float32)]))
          ], to: "\(folder)/a.zip",
          overwrite: true)
      }
      #expect(error?.code == "test")
      let left = try files(in: folder)
      #expect(left.isEmpty)
    }
  }
}

/// The bytes of a region.
private func array(_ region: ByteRegion) -> [UInt8] { region.withBytes { Array($0) } }
