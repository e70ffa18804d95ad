internal import CMemoryFaults
internal import Glibc
internal import Synchronization

/// A file that appears under its name when it is complete, or not at all.
///
/// It has no name while it is written, so nothing is left behind however the program ends. Where the file system
/// cannot do that, it has a temporary name in the same folder.
package final class AtomicFile: @unchecked Sendable {
  // Safe to share: only `write` and `startSync` are called from several threads, and they change no property.
  private let path: String
  private let overwrite: Bool
  private let descriptor: Int32
  /// The temporary name, where it needs one.
  private var temporaryPath: String?
  /// The temporary name's, so that it goes even where the process ends by a fault.
  private var registration: OpaquePointer?
  /// What the system is handed at a time. For more, it looks for large runs of memory, and to get these can cost it ten times
  /// what the copy does.
  private static let writeLength = 1 << 17
  /// The bytes that have room on the disk.
  private var reserved = 0
  /// What brings data to the disk meanwhile: an `errno`, or 0.
  private let syncs = Mutex<BackgroundWork<Int32>?>(nil)

  /// Begins a file.
  ///
  /// - Throws: `cannotCreate` where something stands under the name that is not to be replaced, or the folder cannot
  ///   take a file.
  package convenience init(path: String, overwrite: Bool) throws(FileError) {
    try AtomicFile.checkDestination(path, overwrite: overwrite)
    try self.init(path: path, overwrite: overwrite, createdIn: AtomicFile.folder(of: path))
  }

  /// Begins a file of a folder that is not there yet, in a folder of the same file system.
  init(path: String, overwrite: Bool = false, createdIn folder: String) throws(FileError) {
    self.path = path
    self.overwrite = overwrite
    guard let file = AtomicFile.create(in: folder) else { throw AtomicFile.cannotCreate(path, errno) }
    descriptor = file.descriptor
    name(file.name)
  }

  /// Takes a temporary name, or gives it up.
  private func name(_ path: String?) {
    temporaryPath = path
    cmf_remove(registration)
    registration = path.flatMap { cmf_add_temporary($0) }
  }

  /// A new file without a name where that is possible, with a temporary one otherwise.
  private static func create(in folder: String) -> (descriptor: Int32, name: String?)? {
    // O_TMPFILE is not imported because it is made of two flags; its own is the same on all but three old architectures.
    let unnamed = open(folder, 0o20_000_000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o666)
    if unnamed >= 0 { return (unnamed, nil) }
    let name = temporaryName(in: folder)
    let named = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o666)
    return named >= 0 ? (named, name) : nil
  }

  deinit {
    close(descriptor)
    if let temporaryPath { unlink(temporaryPath) }
    cmf_remove(registration)
  }

  /// Makes sure that the disk has room for the file's first bytes, so that writing to a mapping cannot fail.
  package func reserve(_ byteCount: Int) throws(FileError) {
    guard byteCount > reserved else { return }
    // Past the limit of the process the system would send a signal, not return an error.
    var limit = rlimit()
    let isLimited = getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0
    let refusal =
      isLimited && limit.rlim_cur < UInt64(byteCount) ? EFBIG : posix_fallocate(descriptor, 0, byteCount)
    guard refusal == 0 else { throw failure("reserve", refusal, "needs \(byteCount) bytes of free space") }
    reserved = byteCount
  }

  /// Maps a part of the file for writing; only bytes that are reserved.
  package func map(_ range: Range<Int>) throws(FileError) -> WritableMapping {
    guard let mapping = WritableMapping(descriptor, range) else { throw failure("map", errno) }
    return mapping
  }

  /// Maps what was written so far for reading, before the file has its name.
  package func contents(_ byteCount: Int) throws(FileError) -> ByteRegion {
    let mapping = try map(0..<byteCount)
    return ByteRegion(owner: mapping, bytes: UnsafeRawBufferPointer(mapping.bytes))
  }

  /// Maps all that was written so far for reading, under the name that it is to have.
  package func mapped() throws(FileError) -> MappedFile { try MappedFile(descriptor, path: path) }

  /// Writes bytes at an offset; safe to call from several threads.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let part = written..<min(bytes.count, written + AtomicFile.writeLength)
      let count = pwrite(
        descriptor, bytes.baseAddress.map { $0 + part.lowerBound }, part.count, off_t(offset + written))
      guard count > 0 || errno == EINTR else {
        let reason = errno
        // The system could not read the bytes: it is their file that is gone.
        try MappedFile.requireWhole()
        throw failure("write", reason)
      }
      written += max(0, count)
    }
  }

  /// Starts to bring what was written so far to the disk, so that less is left to wait for at the end.
  package func startSync() {
    syncs.withLock { sync in
      // One at a time. The system tells of a failure only once, so one that failed stays.
      guard sync.map({ $0.valueIfDone == 0 }) ?? true else { return }
      sync = BackgroundWork(needsProcessor: false) { [self] in fdatasync(descriptor) == 0 ? 0 : errno }
    }
  }

  /// Gives the complete file its name, when it is safely on the disk.
  package func publish() throws(FileError) {
    try sync()
    let folder = AtomicFile.folder(of: path)
    if temporaryPath == nil {
      if link(to: path) {
        return try syncFolder(folder)
      }
      guard overwrite, errno == EEXIST else { throw AtomicFile.cannotCreate(path, errno) }
      let name = AtomicFile.temporaryName(in: folder)
      guard link(to: name) else { throw AtomicFile.cannotCreate(path, errno) }
      self.name(name)
    }
    guard let name = temporaryPath else { return }
    // A rename replaces what is there; a second link does not.
    let result = overwrite ? rename(name, path) : Glibc.link(name, path)
    guard result == 0 else { throw AtomicFile.cannotCreate(path, errno) }
    if overwrite { self.name(nil) }
    try syncFolder(folder)
  }

  /// Gives the complete file another name, in a new folder, when it is safely on the disk.
  func publish(as name: String) throws(FileError) {
    try sync()
    let result = temporaryPath.map { rename($0, name) == 0 } ?? link(to: name)
    guard result else { throw AtomicFile.cannotCreate(path, errno) }
    self.name(nil)
  }

  private func sync() throws(FileError) {
    let reason = syncs.withLock { $0?.wait() ?? 0 }
    guard reason == 0 else { throw failure("sync", reason) }
    guard fsync(descriptor) == 0 else { throw failure("sync", errno) }
  }

  /// Links the file without a name under a name.
  private func link(to name: String) -> Bool {
    linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0
  }

  private func syncFolder(_ folder: String) throws(FileError) {
    guard AtomicFile.sync(folder: folder) else { throw failure("sync", errno) }
  }

  /// Brings the names in a folder to the disk; false, and `errno` set, where that fails.
  static func sync(folder: String) -> Bool {
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return true }
    defer { close(directory) }
    // Some file systems cannot do it for folders.
    return fsync(directory) == 0 || errno == EINVAL
  }

  private func failure(_ action: String, _ reason: Int32, _ problem: String? = nil) -> FileError {
    FileError(
      .inputOutput, code: "output.\(action)", file: path,
      "\(problem ?? "cannot be written"): \(systemMessage(reason))",
      advice: reason == ENOSPC || reason == EDQUOT ? "free some space" : nil)
  }

  private static func checkDestination(_ path: String, overwrite: Bool) throws(FileError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    // Even by force nothing but files is replaced: not /dev/null, for one.
    let isReplaceable = [S_IFREG, S_IFLNK].contains(status.st_mode & S_IFMT)
    guard overwrite, isReplaceable else {
      throw FileError(
        .cannotCreate, code: "output.exists", file: path,
        isReplaceable ? "exists already" : "is there already, and is not a file",
        advice: isReplaceable ? "--force replaces it" : "choose another name")
    }
  }

  static func cannotCreate(_ path: String, _ reason: Int32) -> FileError {
    FileError(
      .cannotCreate, code: "output.create", file: path, "cannot be created: \(systemMessage(reason))")
  }

  /// The folder of a file.
  package static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func temporaryName(in folder: String) -> String {
    "\(folder)/.vggconv-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
  }
}

/// A part of a file that is mapped for writing: memory that counts as page cache, not as private memory.
package final class WritableMapping: @unchecked Sendable {
  // Safe to share: writers get disjoint parts, and are done before the bytes are read.
  private let whole: UnsafeMutableRawBufferPointer
  /// The bytes of the part.
  package let bytes: UnsafeMutableRawBufferPointer

  /// Maps a range of a file; nil, and `errno` set, where that fails.
  fileprivate init?(_ descriptor: Int32, _ range: Range<Int>) {
    let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    let skipped = range.lowerBound % pageSize
    let count = max(1, skipped + range.count)
    let start = mmap(
      nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, off_t(range.lowerBound - skipped))
    guard let start, start != MAP_FAILED else { return nil }
    whole = UnsafeMutableRawBufferPointer(start: start, count: count)
    bytes = UnsafeMutableRawBufferPointer(rebasing: whole[skipped..<skipped + range.count])
  }

  deinit { munmap(whole.baseAddress, whole.count) }
}
