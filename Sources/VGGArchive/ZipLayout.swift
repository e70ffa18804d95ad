internal import VGGBytes

/// Where the bytes of an archive's members lie, which libzip does not tell.
///
/// APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16 (its end, with zip64)
/// and 4.5.3 (zip64 extra field). What is found here is compared with what libzip reads, so a wrong answer does no harm.
enum ZipLayout {
  /// The offset of the data of an entry of the central directory; nil where the archive does not tell it.
  static func dataOffset(ofEntry index: Int, in archive: ByteRegion) -> Int? {
    guard var entry = centralDirectoryOffset(in: archive) else { return nil }
    for _ in 0..<index {
      guard let length = centralHeaderLength(at: entry, in: archive) else { return nil }
      entry += length
    }
    guard centralHeaderLength(at: entry, in: archive) != nil,
      let header = localHeaderOffset(ofEntryAt: entry, in: archive),
      archive.integer(at: header, as: UInt32.self) == 0x0403_4B50,
      let nameLength = archive.integer(at: header + 26, as: UInt16.self),
      let extraLength = archive.integer(at: header + 28, as: UInt16.self)
    else { return nil }
    return header + 30 + Int(nameLength) + Int(extraLength)
  }

  private static func centralDirectoryOffset(in archive: ByteRegion) -> Int? {
    let shortest = 22
    let first = max(0, archive.count - shortest - Int(UInt16.max))
    var end = archive.count - shortest
    // The record of the end is followed by a comment that reaches to the end of the file.
    while end >= first {
      if archive.integer(at: end, as: UInt32.self) == 0x0605_4B50,
        archive.integer(at: end + 20, as: UInt16.self).map(Int.init) == archive.count - end - shortest
      {
        break
      }
      end -= 1
    }
    guard end >= first, let offset = archive.integer(at: end + 16, as: UInt32.self) else { return nil }
    guard offset == UInt32.max else { return Int(offset) }
    guard archive.integer(at: end - 20, as: UInt32.self) == 0x0706_4B50,
      let record = archive.integer(at: end - 12, as: UInt64.self).flatMap(Int.init(exactly:)),
      archive.integer(at: record, as: UInt32.self) == 0x0606_4B50
    else { return nil }
    return archive.integer(at: record &+ 48, as: UInt64.self).flatMap(Int.init(exactly:))
  }

  private static func centralHeaderLength(at entry: Int, in archive: ByteRegion) -> Int? {
    guard archive.integer(at: entry, as: UInt32.self) == 0x0201_4B50 else { return nil }
    let lengths = [28, 30, 32].compactMap { archive.integer(at: entry + $0, as: UInt16.self).map(Int.init) }
    return lengths.count == 3 ? 46 + lengths.reduce(0, +) : nil
  }

  private static func localHeaderOffset(ofEntryAt entry: Int, in archive: ByteRegion) -> Int? {
    guard let offset = archive.integer(at: entry + 42, as: UInt32.self),
      let size = archive.integer(at: entry + 24, as: UInt32.self),
      let compressedSize = archive.integer(at: entry + 20, as: UInt32.self),
      let nameLength = archive.integer(at: entry + 28, as: UInt16.self),
      let extraLength = archive.integer(at: entry + 30, as: UInt16.self)
    else { return nil }
    guard offset == UInt32.max else { return Int(offset) }
    var field = entry + 46 + Int(nameLength)
    let end = field + Int(extraLength)
    while field + 4 <= end, let kind = archive.integer(at: field, as: UInt16.self),
      let length = archive.integer(at: field + 2, as: UInt16.self)
    {
      if kind == 1 {
        // Only the numbers that did not fit are there: size, compressed size, offset.
        let skipped = [size, compressedSize].count { $0 == UInt32.max } * 8
        guard skipped + 8 <= Int(length) else { return nil }
        return archive.integer(at: field + 4 + skipped, as: UInt64.self).flatMap(Int.init(exactly:))
      }
      field += 4 + Int(length)
    }
    return nil
  }
}
