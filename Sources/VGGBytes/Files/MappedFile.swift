internal import CMemoryFaults
internal import Glibc

/// A file mapped read-only: opening costs the same for 1 kB and for 500 MB.
public final class MappedFile: @unchecked Sendable {
  // Safe to share: the mapping is read-only and lives until the last reference is gone.
  private let mapping: UnsafeRawBufferPointer
  private let registration: OpaquePointer?
  /// The path as it was given.
  public let path: String

  /// The file's name, without folders.
  public var name: String { path.split(separator: "/").last.map(String.init) ?? path }

  /// The whole file.
  public var bytes: ByteRegion { ByteRegion(owner: self, bytes: mapping) }

  /// Maps a regular file.
  ///
  /// - Throws: `missing` where there is no such file; `unreadable` where it is no regular file or cannot be opened.
  public convenience init(path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let reason = errno
      throw FileError(
        reason == ENOENT || reason == ENOTDIR ? .missing : .unreadable,
        code: "file.open", file: path, "cannot be opened: \(systemMessage(reason))")
    }
    defer { close(descriptor) }
    try self.init(descriptor, path: path)
  }

  /// Maps an open file, which may have another name than `path` or none.
  init(_ descriptor: Int32, path: String) throws(FileError) {
    self.path = path
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw FileError(
        .unreadable, code: "file.stat", file: path, "cannot be examined: \(systemMessage(errno))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let seen = status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a device, pipe or socket"
      throw FileError(
        .unreadable, code: "file.type", file: path, "is not a regular file", seen: seen,
        allowed: "a regular file")
    }
    guard status.st_size > 0 else {
      (mapping, registration) = (UnsafeRawBufferPointer(start: nil, count: 0), nil)
      return
    }
    guard let start = mmap(nil, status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else {
      throw FileError(.unreadable, code: "file.map", file: path, "cannot be mapped: \(systemMessage(errno))")
    }
    mapping = UnsafeRawBufferPointer(start: start, count: status.st_size)
    registration = cmf_add_mapping(start, &status, path)
  }

  deinit {
    cmf_remove(registration)
    if let start = mapping.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), mapping.count) }
  }
}

extension MappedFile {
  /// Makes sure that no file that is mapped has become shorter: what was read of it may have been zeros.
  ///
  /// - Throws: `inputOutput`, naming the file.
  package static func requireWhole() throws(FileError) {
    guard let path = cmf_copy_path_cut_off() else { return }
    defer { free(path) }
    throw shortened(String(cString: path))
  }

  /// The error of a file that has become shorter.
  package static func shortened(_ path: String) -> FileError {
    FileError(
      .inputOutput, code: "file.shortened", file: path, "became shorter while it was read",
      advice: "run the command again when nothing writes to it")
  }
}

/// What the system says of an `errno`.
package func systemMessage(_ number: Int32) -> String {
  String(cString: strerror(number))
}
