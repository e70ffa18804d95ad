internal import CZip
internal import Glibc
public import VGGBytes
public import VGGTensors

/// A member of an archive to be written.
public struct ArchiveMember: Sendable {
  /// The name, with slashes between folders.
  public var name: String
  /// What it holds, read as it is written.
  public var content: FileContent

  /// Creates a member.
  public init(name: String, content: FileContent) {
    (self.name, self.content) = (name, content)
  }
}

/// Writes zip archives of stored members.
public enum ArchiveWriter {
  /// Writes an archive, which appears under its name when it is complete and safely on the disk, or not at all.
  ///
  /// Equal members give equal bytes: their time is the first that zip knows, 1980-01-01. Values are streamed; sizes above
  /// 4 GiB are written as zip64.
  ///
  /// - Parameters:
  ///   - members: The members, at least one, with different names.
  ///   - path: Where to write the archive.
  ///   - overwrite: Whether a file of that name is replaced.
  ///   - progress: Called with the number of bytes that were written since the last call.
  /// - Throws: `cannotCreate` where the file exists and is not to be replaced, or its folder takes none; `inputOutput`
  ///   where the disk is full or fails; what reading the values throws.
  public static func write(
    _ members: [ArchiveMember], to path: String, overwrite: Bool, progress: @escaping (Int) -> Void = { _ in }
  ) throws(FileError) {
    let file = try AtomicFile(path: path, overwrite: overwrite)
    try write(members, to: file, path: path, progress: progress)
    try file.publish()
  }

  /// Writes an archive to a file that has no name yet.
  ///
  /// - Parameters:
  ///   - members: The members, at least one, with different names.
  ///   - file: The file, empty.
  ///   - path: The name that it is to have, for errors.
  ///   - progress: Called with the number of bytes that were written since the last call.
  package static func write(
    _ members: [ArchiveMember], to file: AtomicFile, path: String,
    progress: @escaping (Int) -> Void = { _ in }
  ) throws(FileError) {
    let output = ZipOutput(file)
    let inputs = members.map { ZipInput($0, progress: progress) }
    let hasSucceeded = withExtendedLifetime((output, inputs)) { save(inputs, to: output) }
    if let failure = output.failure ?? inputs.lazy.compactMap(\.failure).first { throw failure }
    guard hasSucceeded else {
      throw FileError(.fault, code: "zip.write", file: path, "cannot be written as a zip archive")
    }
  }

  private static func save(_ inputs: [ZipInput], to output: ZipOutput) -> Bool {
    guard let destination = makeSource(output) else { return false }
    guard let archive = zip_open_from_source(destination, ZIP_CREATE, nil) else {
      zip_source_free(destination)
      return false
    }
    for input in inputs {
      guard let source = makeSource(input) else {
        zip_discard(archive)
        return false
      }
      let index = zip_file_add(archive, input.member.name, source, zip_flags_t(ZIP_FL_ENC_UTF_8))
      if index < 0 { zip_source_free(source) }
      // 1980-01-01: year 0, month 1, day 1.
      guard index >= 0, zip_set_file_compression(archive, UInt64(index), ZIP_CM_STORE, 0) == 0,
        zip_file_set_dostime(archive, UInt64(index), 0, 1 << 5 | 1, 0) == 0
      else {
        zip_discard(archive)
        return false
      }
    }
    guard zip_close(archive) == 0 else {
      zip_discard(archive)
      return false
    }
    return true
  }

  /// A source of libzip that an object of ours answers for; the object must outlive it.
  private static func makeSource(_ object: ZipSource) -> OpaquePointer? {
    zip_source_function_create(
      { object, data, length, command in
        guard let object else { return -1 }
        return Unmanaged<ZipSource>.fromOpaque(object).takeUnretainedValue()
          .answer(command, UnsafeMutableRawBufferPointer(start: data, count: data == nil ? 0 : Int(length)))
      }, Unmanaged.passUnretained(object).toOpaque(), nil)
  }
}

/// What libzip reads from or writes to; answers its commands.
private class ZipSource {
  /// What libzip is told of the last failure.
  var zipError: (Int32, Int32) = (ZIP_ER_INTERNAL, 0)
  /// What went wrong, for our caller.
  var failure: FileError?

  /// The commands that are answered.
  var commands: [zip_source_cmd] { [] }

  func answer(_ command: zip_source_cmd, _ data: UnsafeMutableRawBufferPointer) -> Int64 {
    switch command {
    case ZIP_SOURCE_SUPPORTS: return commands.reduce(0) { $0 | 1 << Int64($1.rawValue) }
    case ZIP_SOURCE_ERROR:
      guard data.count >= MemoryLayout<(Int32, Int32)>.size else { return -1 }
      data.storeBytes(of: zipError, as: (Int32, Int32).self)
      return Int64(MemoryLayout<(Int32, Int32)>.size)
    case ZIP_SOURCE_FREE: return 0
    default: return -1
    }
  }

  /// Does something, and remembers its failure.
  func attempt(_ body: () throws(FileError) -> Int64) -> Int64 {
    do throws(FileError) {
      return try body()
    } catch {
      failure = failure ?? error
      return -1
    }
  }
}

/// The file that an archive is written to.
private final class ZipOutput: ZipSource {
  let file: AtomicFile
  private var position = 0
  private var end = 0

  init(_ file: AtomicFile) { self.file = file }

  /// libzip wants to be told of reading and seeking too, but has nothing to read from a new archive.
  override var commands: [zip_source_cmd] {
    [
      ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
      ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
      ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE,
      ZIP_SOURCE_REMOVE, ZIP_SOURCE_SUPPORTS,
    ]
  }

  override func answer(_ command: zip_source_cmd, _ data: UnsafeMutableRawBufferPointer) -> Int64 {
    switch command {
    case ZIP_SOURCE_STAT:
      // There is no archive yet.
      zipError = (ZIP_ER_READ, ENOENT)
      return -1
    case ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE: return 0
    case ZIP_SOURCE_WRITE:
      return attempt { () throws(FileError) in
        try file.write(UnsafeRawBufferPointer(data), at: position)
        position += data.count
        end = max(end, position)
        return Int64(data.count)
      }
    case ZIP_SOURCE_SEEK_WRITE:
      guard let arguments = data.baseAddress else { return -1 }
      let offset = zip_source_seek_compute_offset(
        UInt64(position), UInt64(end), arguments, UInt64(data.count), nil)
      guard offset >= 0 else { return -1 }
      position = Int(offset)
      return 0
    case ZIP_SOURCE_TELL_WRITE: return Int64(position)
    default: return super.answer(command, data)
    }
  }
}

/// A member that libzip reads while it writes the archive.
private final class ZipInput: ZipSource {
  let member: ArchiveMember
  private let progress: (Int) -> Void
  private var position = 0
  /// Bytes that were read ahead: sources in another order are cheap only in long ranges.
  private var piece: (range: Range<Int>, bytes: [UInt8]) = (0..<0, [])

  init(_ member: ArchiveMember, progress: @escaping (Int) -> Void) {
    self.member = member
    self.progress = progress
  }

  override var commands: [zip_source_cmd] {
    [ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE]
  }

  override func answer(_ command: zip_source_cmd, _ data: UnsafeMutableRawBufferPointer) -> Int64 {
    switch command {
    case ZIP_SOURCE_OPEN:
      position = 0
      return 0
    case ZIP_SOURCE_CLOSE:
      piece = (0..<0, [])
      return 0
    case ZIP_SOURCE_STAT:
      guard data.count >= MemoryLayout<zip_stat_t>.size, let status = data.baseAddress else { return -1 }
      let pointer = status.assumingMemoryBound(to: zip_stat_t.self)
      pointer.pointee.size = UInt64(member.content.byteCount)
      pointer.pointee.valid |= UInt64(ZIP_STAT_SIZE)
      return Int64(MemoryLayout<zip_stat_t>.size)
    case ZIP_SOURCE_READ:
      return attempt { () throws(FileError) in
        let count = try read(into: data)
        progress(count)
        return Int64(count)
      }
    default: return super.answer(command, data)
    }
  }

  /// Reads on, as many bytes as there are at once, none at the end.
  private func read(into data: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    if !piece.range.contains(position) {
      let range = position..<min(member.content.byteCount, position + 1 << 24)
      guard !range.isEmpty else { return 0 }
      piece = (range, try member.content.bytes(range))
    }
    let start = position - piece.range.lowerBound
    let count = min(data.count, piece.range.count - start)
    piece.bytes.withUnsafeBytes { data.copyMemory(from: .init(rebasing: $0[start..<start + count])) }
    position += count
    return count
  }
}
