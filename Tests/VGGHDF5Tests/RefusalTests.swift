import Foundation
import TestSupport
import Testing
import VGGBytes

@testable import VGGHDF5

@Suite struct RefusalTests {
  private func refusal(_ name: String, of path: String? = nil, maximumBytes: Int = 1 << 20) -> FileError? {
    do {
      let file = try openFixture(name)
      guard let path else { return nil }
      _ = try file.bytes(of: #require(file.root.dataset(path)), maximumBytes: maximumBytes)
      return nil
    } catch let error as FileError {
      return error
    } catch {
      return nil
    }
  }

  @Test(arguments: [
    ("bad/zero_bytes.h5", "hdf5.signature"), ("bad/png_renamed.h5", "hdf5.signature"),
    ("bad/truncated.h5", "hdf5.truncated"), ("hdf5/deep.h5", "hdf5.excessive"),
    ("hdf5/chunked_newest.h5", "hdf5.version"),
  ])
  func files(name: String, code: String) throws {
    let error = try #require(refusal(name))
    #expect(error.code == code)
    #expect(error.file == name)
  }

  @Test func truncationIsMeasured() throws {
    let error = try #require(refusal("bad/truncated.h5"))
    #expect(error.description.contains("66 % of it is there"))
    #expect(error.seen == "32976 bytes")
    #expect(error.allowed?.hasPrefix("49464 bytes") == true)
  }

  @Test(arguments: [
    ("hdf5/external_storage.h5", "values", "storage"), ("hdf5/virtual.h5", "values", "storage"),
    ("hdf5/chunked_lzf.h5", "values", "filter"), ("hdf5/shapes.h5", "texts", "type"),
    ("hdf5/huge_shape.h5", "contiguous", "size"), ("hdf5/huge_shape.h5", "chunked", "size"),
    ("hdf5/huge_shape.h5", "overflow", "size"), ("hdf5/links.h5", "twice", nil),
  ])
  func datasets(name: String, path: String, code: String?) throws {
    let error = refusal(name, of: path)
    #expect(error?.code == code.map { "hdf5.dataset.\($0)" })
    if code != nil { #expect(error?.place == path) }
  }

  @Test func theLimitIsExact() {
    #expect(refusal("hdf5/chunked.h5", of: "values", maximumBytes: 96) == nil)
    #expect(refusal("hdf5/chunked.h5", of: "values", maximumBytes: 95)?.code == "hdf5.dataset.size")
  }

  @Test(arguments: ["v0", "v1", "v2", "v3"])
  func superblocks(version: String) throws {
    let bytes = try MappedFile(path: fixture("hdf5/plain_\(version).h5")).bytes
    for userBlock in [0, 512, 2048] {
      let file = ByteRegion(
        copying: [UInt8](repeating: 0, count: userBlock) + bytes.withBytes { Array($0) })
      let superblock = try #require(HDF5Superblock(of: file))
      #expect("v\(superblock.version)" == version)
      #expect(superblock.offset == userBlock)
      #expect(superblock.fileLength == file.count)
    }
    // Cut off within the superblock, nothing is known; nothing is read beyond the end either.
    for count in 0..<48 { _ = HDF5Superblock(of: try #require(bytes.slice(at: 0, count: count))) }
  }

  /// The file is damaged where the compressed numbers are, so only decoding notices.
  @Test func aWrongChecksum() throws {
    var bytes = try MappedFile(path: fixture("hdf5/chunked_filters.h5")).bytes.withBytes { Array($0) }
    let stream = try #require(bytes.indices.dropLast(1).last { bytes[$0] == 0x78 && bytes[$0 + 1] == 0x5E })
    bytes[stream + 5] ^= 0x10
    let file = try HDF5File.open(ByteRegion(copying: bytes), named: "damaged")
    let dataset = try #require(file.root.dataset("values"))
    let error = #expect(throws: FileError.self) { try file.bytes(of: dataset, maximumBytes: 96) }
    #expect(error?.code == "hdf5.malformed")
    #expect(error?.place == "values")
  }
}

@Suite struct CatalogueTests {
  private func decode(_ bytes: [UInt8]) throws(FileError) -> HDF5Group {
    var decoder = CatalogueDecoder(ByteRegion(copying: bytes), file: "catalogue")
    return try decoder.root()
  }

  private func number(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

  private func text(_ value: String) -> [UInt8] { number(UInt64(value.utf8.count)) + Array(value.utf8) }

  private var valid: [UInt8] {
    let attribute = Array("A".utf8) + text("x") + Array("S".utf8) + number(1) + text("y")
    let type = Array("i".utf8) + number(1) + Array("<".utf8) + number(1)
    let dataset =
      Array("D".utf8) + text("d") + number(99) + type + number(1) + number(5) + Array("k".utf8) + number(1)
      + number(5) + number(1) + number(1) + attribute + Array("E".utf8)
    let link = Array("L".utf8) + text("l") + Array("s".utf8) + text("t")
    return Array("G".utf8) + text("") + attribute + dataset + link + Array("E".utf8)
  }

  @Test func aValidCatalogue() throws {
    let root = try decode(valid)
    #expect(root.names == ["d", "l"])
    #expect(root.dataset("d")?.storage == .chunked(shape: [5], filters: [1]))
    #expect(root.dataset("d")?.attributes == ["x": .strings(["y"])])
  }

  @Test func everyPrefixIsRefused() {
    for count in 0..<valid.count {
      #expect(throws: FileError.self) { try decode(Array(valid.prefix(count))) }
    }
    #expect(throws: FileError.self) { try decode(valid + [0]) }
  }

  @Test func everyChangedByteGivesATreeOrAnError() {
    for index in valid.indices {
      for value in [0, 1, 0x7F, 0xFF, UInt8(ascii: "G"), UInt8(ascii: "E")] {
        var bytes = valid
        bytes[index] = value
        _ = try? decode(bytes)
      }
    }
  }

  @Test func groupsWithoutEnd() {
    let endless = (0..<100_000).flatMap { _ in Array("G".utf8) + text("g") }
    #expect(throws: FileError.self) { try decode(Array("G".utf8) + text("") + endless) }
  }

  @Test func equalNamesAreRefused() {
    let link = Array("L".utf8) + text("l") + Array("s".utf8) + text("t")
    let bytes = Array("G".utf8) + text("") + link + link + Array("E".utf8)
    let error = #expect(throws: FileError.self) { try decode(bytes) }
    #expect(error?.code == "hdf5.names")
  }
}
