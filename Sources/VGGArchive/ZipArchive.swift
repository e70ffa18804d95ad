internal import CZip
internal import Glibc
public import VGGBytes

/// A zip archive that is read where it lies: `.npz` files and Keras 3's `.keras` are such archives.
///
/// Nothing is ever unpacked to a file under a member's name. Not safe to use from several threads at once.
public final class ZipArchive {
  /// A member of an archive.
  public struct Member: Equatable, Sendable {
    /// How a member's bytes are stored.
    public enum Method: Equatable, Sendable {
      /// As they are.
      case stored
      case deflated
      /// Another method of the zip specification, which is not supported.
      case other(Int)
    }

    /// The name, with slashes between folders.
    public let name: String
    /// The number of bytes.
    public let byteCount: Int
    /// The number of bytes in the archive.
    public let compressedByteCount: Int
    /// How the bytes are stored.
    public let method: Method
    /// Whether the bytes are encrypted.
    public let isEncrypted: Bool
    /// The position in the central directory.
    fileprivate let index: Int
  }

  /// Whether a file begins as archives do: with a member, or with the end of an archive that has none.
  public static func hasSignature(_ file: ByteRegion) -> Bool {
    file.hasBytes([0x50, 0x4B, 0x03, 0x04]) || file.hasBytes([0x50, 0x4B, 0x05, 0x06])
  }

  /// The members in the order of the central directory.
  public let members: [Member]

  /// What weights and pictures are packed to at best; deflate can pack zeros to a thousandth.
  private static let bestRatio = 200
  /// What a member may unpack to however well it is packed.
  private static let harmlessByteCount = 64 << 20

  private let region: ByteRegion
  private let file: String
  private let scratchFolder: String
  private let archive: OpaquePointer

  /// Opens an archive and checks its directory.
  ///
  /// - Parameters:
  ///   - region: The whole archive.
  ///   - file: The file's path, for errors.
  ///   - scratchFolder: Where compressed members are unpacked.
  /// - Throws: `malformed` where the directory is damaged or contradicts the members' own headers, names a member twice,
  ///   or gives a member a name that would lead out of a folder.
  public init(
    _ region: ByteRegion, file: String, scratchFolder: String = ScratchFile.standardFolder
  ) throws(FileError) {
    self.region = region
    self.file = file
    self.scratchFolder = scratchFolder
    archive = try ZipArchive.open(region, file)
    do throws(FileError) {
      members = try ZipArchive.members(archive, file)
    } catch {
      zip_discard(archive)
      throw error
    }
  }

  deinit { zip_discard(archive) }

  /// The member of a name, nil where there is none.
  public func member(_ name: String) -> Member? { members.first { $0.name == name } }

  private static func open(_ region: ByteRegion, _ file: String) throws(FileError) -> OpaquePointer {
    var error = zip_error_t()
    zip_error_init(&error)
    defer { zip_error_fini(&error) }
    let archive: OpaquePointer? = region.withBytes { bytes in
      // The source refers to the bytes: `region` keeps them as long as the archive is open.
      guard let source = zip_source_buffer_create(bytes.baseAddress, UInt64(bytes.count), 0, &error) else {
        return nil
      }
      let archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error)
      if archive == nil { zip_source_free(source) }
      return archive
    }
    guard let archive else {
      if zip_error_code_zip(&error) == ZIP_ER_EXISTS {
        throw FileError(.malformed, code: "zip.duplicate", file: file, "has two members of one name")
      }
      throw FileError(
        .malformed, code: "zip.open", file: file,
        "is not a sound zip archive: \(String(cString: zip_error_strerror(&error)))",
        advice: "fetch or make the file again")
    }
    return archive
  }

  private static func members(_ archive: OpaquePointer, _ file: String) throws(FileError) -> [Member] {
    var members: [Member] = []
    for index in 0..<Int(max(0, zip_get_num_entries(archive, 0))) {
      var status = zip_stat_t()
      zip_stat_init(&status)
      let needed = UInt64(
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD
      )
      guard zip_stat_index(archive, UInt64(index), 0, &status) == 0, status.valid & needed == needed,
        let characters = status.name, let byteCount = Int(exactly: status.size),
        let compressedByteCount = Int(exactly: status.comp_size)
      else {
        throw FileError(
          .malformed, code: "zip.entry", file: file, "has a member without a usable description",
          place: "member \(index)")
      }
      let name = String(cString: characters)
      guard isHarmless(name) else {
        throw FileError(
          .malformed, code: "zip.name", file: file, "has a member whose name leads out of the archive",
          place: "member \(index)", seen: name, allowed: "relative names without '..'")
      }
      let method: Member.Method =
        switch Int32(status.comp_method) {
        case ZIP_CM_STORE: .stored
        case ZIP_CM_DEFLATE: .deflated
        default: .other(Int(status.comp_method))
        }
      members.append(
        Member(
          name: name, byteCount: byteCount, compressedByteCount: compressedByteCount, method: method,
          isEncrypted: Int32(status.encryption_method) != ZIP_EM_NONE, index: index))
    }
    return members
  }

  /// Whether a name stays inside the folder that the archive would be unpacked to, on any system.
  private static func isHarmless(_ name: String) -> Bool {
    let parts = name.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
    guard let first = parts.first, !name.isEmpty else { return false }
    return !first.isEmpty && !first.hasSuffix(":") && !parts.contains("..")
  }
}

extension ZipArchive {
  /// The bytes of a member, checked against its CRC-32.
  ///
  /// A stored member is the part of the archive itself, without a copy. A deflated one is unpacked into scratch space.
  ///
  /// - Parameters:
  ///   - member: One of this archive's members.
  ///   - maximumBytes: The most bytes that the member may have.
  /// - Throws: `unsupported` where it is encrypted, packed with another method, larger, or packed as only nonsense can be:
  ///   over 64 MiB from less than a 200th of it; `malformed` where it is damaged.
  public func bytes(of member: Member, maximumBytes: Int = .max) throws(FileError) -> ByteRegion {
    guard !member.isEncrypted else {
      throw failure(.unsupported, "encrypted", member, "has an encrypted member")
    }
    guard member.byteCount <= maximumBytes else {
      throw failure(
        .unsupported, "size", member, "has a member that is too large", seen: "\(member.byteCount) bytes",
        allowed: "at most \(maximumBytes)")
    }
    switch member.method {
    case .stored: return try storedBytes(of: member)
    case .deflated: return try inflatedBytes(of: member)
    case .other(let method):
      throw failure(
        .unsupported, "method", member, "has a member that is packed with an unsupported method",
        seen: "method \(method)", allowed: "0 (stored), 8 (deflated)")
    }
  }

  private func storedBytes(of member: Member) throws(FileError) -> ByteRegion {
    guard let offset = ZipLayout.dataOffset(ofEntry: member.index, in: region),
      let data = region.slice(at: offset, count: member.byteCount)
    else {
      throw failure(.malformed, "place", member, "has a member whose place cannot be found")
    }
    // libzip checks the CRC of what it reads; that these are the bytes of the region is checked here.
    var position = 0
    try read(member) { piece throws(FileError) in
      let isSame = data.withBytes { data in
        guard let own = data.baseAddress, let other = piece.baseAddress else { return false }
        return piece.count <= data.count - position && memcmp(own + position, other, piece.count) == 0
      }
      guard isSame else {
        throw failure(.malformed, "place", member, "has a member whose two directory entries disagree")
      }
      position += piece.count
    }
    return data
  }

  private func inflatedBytes(of member: Member) throws(FileError) -> ByteRegion {
    let (unpacked, isHuge) = member.compressedByteCount.multipliedReportingOverflow(by: ZipArchive.bestRatio)
    let mostBytes = isHuge ? Int.max : max(unpacked, ZipArchive.harmlessByteCount)
    guard member.byteCount <= mostBytes else {
      throw failure(
        .unsupported, "ratio", member, "has a member that unpacks to far more than weights or pictures do",
        seen: "\(member.byteCount) bytes from \(member.compressedByteCount)", allowed: "at most \(mostBytes)",
        advice: "if that is as it should be, store it without compression")
    }
    let scratch = try ScratchFile(byteCount: member.byteCount, in: scratchFolder, for: file)
    var position = 0
    try read(member) { piece throws(FileError) in
      guard piece.count <= member.byteCount - position else {
        throw failure(.malformed, "length", member, "has a member that is longer than it says")
      }
      UnsafeMutableRawBufferPointer(rebasing: scratch.mutableBytes[position...]).copyMemory(from: piece)
      position += piece.count
    }
    return scratch.bytes
  }

  /// Reads a member from beginning to end in pieces; at the end its length and CRC are known to be right.
  private func read(
    _ member: Member, _ body: (UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) {
    guard let opened = zip_fopen_index(archive, UInt64(member.index), 0) else {
      throw failure(.malformed, "member", member, "has a damaged member: \(message(zip_get_error(archive)))")
    }
    defer { zip_fclose(opened) }
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { piece.deallocate() }
    var total = 0
    while true {
      let count = Int(zip_fread(opened, piece.baseAddress, UInt64(piece.count)))
      guard count >= 0 else {
        throw failure(
          .malformed, "member", member, "has a damaged member: \(message(zip_file_get_error(opened)))")
      }
      if count == 0 { break }
      try body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      total += count
    }
    guard total == member.byteCount else {
      throw failure(
        .malformed, "length", member, "has a member of another length than it says", seen: "\(total) bytes",
        allowed: "\(member.byteCount)")
    }
  }

  private func message(_ error: UnsafeMutablePointer<zip_error_t>?) -> String {
    zip_error_strerror(error).map { String(cString: $0) } ?? "unknown"
  }

  private func failure(
    _ kind: FileError.Kind, _ code: String, _ member: Member, _ problem: String, seen: String? = nil,
    allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    FileError(
      kind, code: "zip.\(code)", file: file, problem, place: "member \(member.name)", seen: seen,
      allowed: allowed, advice: advice)
  }
}
