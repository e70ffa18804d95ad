internal import CHDF5
public import VGGBytes

/// What an HDF5 file holds, and access to its numbers.
///
/// The file is parsed by the system's libhdf5 in a child process without rights (see `CHDF5.h`), which ends
/// before `open` returns. The value holds no resources but the bytes that it was given.
public struct HDF5File: Sendable {
  /// The group that everything is in.
  public let root: HDF5Group
  private let bytes: ByteRegion
  private let name: String
  private let reader: HDF5Reader
  /// What chunks of a data set that is smaller may have, as of one that can grow.
  private static let harmlessChunk = 4 << 20

  /// Takes contents that are known already.
  init(root: HDF5Group, bytes: ByteRegion, name: String, reader: HDF5Reader) {
    self.root = root
    self.bytes = bytes
    self.name = name
    self.reader = reader
  }

  /// Lists what is in a file.
  ///
  /// - Parameters:
  ///   - bytes: The whole file, or a member of a mapped archive.
  ///   - name: The file's name for errors.
  /// - Throws: `malformed` where the file is truncated, not well formed, larger in number or depth of its
  ///   objects than any model, or makes the library fail; `unavailable` where libhdf5 is not installed;
  ///   `inputOutput` where the system lacks what is needed for a child process.
  public static func open(_ bytes: ByteRegion, named name: String) throws(FileError) -> HDF5File {
    try open(bytes, named: name, with: HDF5Reader())
  }

  static func open(_ bytes: ByteRegion, named name: String, with reader: HDF5Reader) throws(FileError)
    -> HDF5File
  {
    guard let superblock = HDF5Superblock(of: bytes) else {
      throw FileError(.malformed, code: "hdf5.signature", file: name, "is not an HDF5 file")
    }
    if let fileLength = superblock.fileLength, fileLength > bytes.count {
      let percentage = Double(bytes.count) / Double(fileLength) * 100
      throw FileError(
        .malformed, code: "hdf5.truncated", file: name,
        "is cut off: \(Int(percentage)) % of it is there", offset: bytes.count, seen: "\(bytes.count) bytes",
        allowed: "\(fileLength) bytes, as its superblock says", advice: "download or copy it again")
    }
    return HDF5File(root: try reader.list(bytes, named: name), bytes: bytes, name: name, reader: reader)
  }

  /// The bytes of a data set, row-major, each number as `type` says.
  ///
  /// Numbers that stand in the file as they are, as in nearly all files, are handed out where they are.
  /// Others are decoded into a scratch file.
  ///
  /// - Parameters:
  ///   - dataset: A data set of this file.
  ///   - maximumBytes: The most that the caller will take; compared before anything is allocated.
  ///   - scratchFolder: Where the scratch file lives.
  /// - Throws: `unsupported` where the elements are no plain numbers or are stored in other files;
  ///   `malformed` where the data set exceeds `maximumBytes`, lies outside the file, or cannot be decoded.
  public func bytes(
    of dataset: HDF5Dataset, maximumBytes: Int, scratchFolder: String = ScratchFile.standardFolder
  ) throws(FileError) -> ByteRegion {
    func refusal(
      _ kind: FileError.Kind, _ code: String, _ problem: String, seen: String? = nil, allowed: String? = nil
    ) -> FileError {
      FileError(
        kind, code: "hdf5.dataset.\(code)", file: name, problem, place: dataset.path, seen: seen,
        allowed: allowed)
    }
    if case .other = dataset.type { throw refusal(.unsupported, "type", "holds no plain numbers") }
    if case .string(byteCount: nil) = dataset.type { throw refusal(.unsupported, "type", "holds texts") }
    guard let byteCount = dataset.byteCount, byteCount <= maximumBytes else {
      throw refusal(
        .malformed, "size", "is too large", seen: "shape \(dataset.shape)", allowed: "\(maximumBytes) bytes")
    }
    switch dataset.storage {
    case .external, .virtual:
      throw refusal(.unsupported, "storage", "is stored in other files, which are never opened")
    case .other:
      throw refusal(.unsupported, "storage", "is stored in an unknown way")
    case .contiguous(let offset, let storedCount):
      guard storedCount >= byteCount, let stored = bytes.slice(at: offset, count: byteCount) else {
        throw refusal(
          .malformed, "range", "does not lie inside the file", seen: "\(storedCount) bytes at \(offset)",
          allowed: "\(byteCount) bytes before \(bytes.count)")
      }
      return stored
    case .chunked(_, let filters) where filters.contains { !(1...6).contains($0) }:
      throw refusal(
        .unsupported, "filter", "is compressed in a way that is not supported",
        seen: "filters \(filters)", allowed: "HDF5's own: 1 to 6")
    case .unallocated, .compact, .chunked:
      guard byteCount > 0 else { return ByteRegion(copying: []) }
      // A chunk is decoded as a whole, however little of it the data set needs.
      let mostBytes = max(byteCount, HDF5File.harmlessChunk)
      guard let chunk = dataset.chunkByteCount, chunk <= mostBytes else {
        throw refusal(
          .malformed, "chunk", "is stored in chunks that are larger than itself",
          seen: dataset.chunkByteCount.map { "\($0) bytes" } ?? "more than any memory holds",
          allowed: "\(mostBytes) bytes")
      }
      let scratch = try ScratchFile(byteCount: byteCount, in: scratchFolder, for: name)
      try reader.decode(dataset, of: bytes, named: name, into: scratch.mutableBytes)
      return scratch.bytes
    }
  }
}
