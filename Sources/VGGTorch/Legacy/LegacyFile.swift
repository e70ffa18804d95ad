internal import VGGBytes
internal import VGGInterchange

/// A file as PyTorch wrote it up to 1.5: pickles one after the other, then the storages.
///
/// The pickles are a number that identifies the format, its version, the machine's sizes, the object itself, and the keys of
/// the storages; each storage is the number of its numbers, eight bytes, and then these.
struct LegacyFile {
  private let bytes: ByteRegion
  private let file: String
  private let scratchFolder: String

  /// The first pickle: the number 0x1950a86a20f9469cfc6c, little-endian.
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

  /// Whether a file begins with that number, in whichever protocol.
  static func hasSignature(_ bytes: ByteRegion) -> Bool {
    bytes.byte(at: 0) == 0x80 && (bytes.hasBytes([0x8A, 0x0A] + magic, at: 2))
  }

  init(_ bytes: ByteRegion, file: String, scratchFolder: String) {
    (self.bytes, self.file, self.scratchFolder) = (bytes, file, scratchFolder)
  }

  /// The named tensors; their numbers stay in the file.
  func stateDict() throws(FileError) -> StateDict {
    var unpickler = Unpickler(bytes, file: file, start: 0)
    func malformed(
      _ problem: String, offset: Int, seen: String? = nil, allowed: String? = nil
    ) -> FileError {
      FileError(
        .malformed, code: "torch.legacy", file: file, problem, offset: min(offset, bytes.count), seen: seen,
        allowed: allowed)
    }
    guard try unpickler.next() == .longInteger(LegacyFile.magic), case .integer(1001) = try unpickler.next()
    else {
      throw malformed("is of an unsupported version", offset: unpickler.position, allowed: "1001")
    }
    let machine = try unpickler.next()
    let isBigEndian =
      unpickler.heap.dictionary(machine)?.first { $0.key == .text("little_endian") }?.value == .bool(false)
    let root = try unpickler.next()
    let keys = try unpickler.next()
    let storages = Dictionary(unpickler.heap.storages.map { ($0.key, $0) }) { first, _ in first }
    var found: [String: (bytes: ByteRegion, fileOffset: Int?)] = [:]
    var position = unpickler.position
    for key in unpickler.heap.sequence(keys) ?? [] {
      guard let key = key.text, let storage = storages[key], found[key] == nil else {
        throw malformed("lists a storage that no tensor has, or twice", offset: position)
      }
      // The sizes of the machine are those of the numbers: an order other than little-endian holds for counts, too.
      guard let stored = bytes.integer(at: position, as: Int64.self),
        let count = Int(exactly: isBigEndian ? stored.byteSwapped : stored), count == storage.count
      else {
        throw malformed(
          "has a storage of another length than its pickle says", offset: position,
          seen: bytes.integer(at: position, as: Int64.self).map { "\($0)" } ?? "the end",
          allowed: "\(storage.count) numbers")
      }
      let (byteCount, isTooLarge) = count.multipliedReportingOverflow(by: storage.type.bitCount / 8)
      guard !isTooLarge, let numbers = bytes.slice(at: position + 8, count: byteCount) else {
        throw malformed(
          "ends within a storage", offset: position, seen: "\(bytes.count - position - 8) bytes",
          allowed: isTooLarge ? nil : "\(byteCount)")
      }
      found[key] = (numbers, position + 8)
      position += 8 + byteCount
    }
    guard position == bytes.count else {
      throw malformed(
        "has bytes behind the last storage", offset: position, seen: "\(bytes.count - position)")
    }
    return try StateDict(
      root, unpickler.heap, file: file, isBigEndian: isBigEndian, scratchFolder: scratchFolder,
      mostCopiedBytes: bytes.count
    ) { (storage) throws(FileError) in
      guard let numbers = found[storage.key] else {
        throw FileError(
          .malformed, code: "torch.storage", file: file, "lacks a storage that its pickle names",
          place: "storage \(storage.key.prefix(40))")
      }
      return numbers
    }
  }
}
