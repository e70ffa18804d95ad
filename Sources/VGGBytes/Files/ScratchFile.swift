internal import Glibc

/// Writable memory of any size that counts as page cache, not as private memory: a mapped temporary file.
///
/// The file loses its name as soon as it is made, so nothing is left behind however the program ends.
public final class ScratchFile: @unchecked Sendable {
  // Safe to share: writers get disjoint parts and are done before `bytes` is read.
  private let mapping: UnsafeMutableRawBufferPointer

  /// Where scratch files live unless something else is asked for.
  public static let standardFolder = "/tmp"

  /// The memory, to be filled by its creator before anybody reads `bytes`.
  public var mutableBytes: UnsafeMutableRawBufferPointer { mapping }

  /// The contents.
  public var bytes: ByteRegion { ByteRegion(owner: self, bytes: UnsafeRawBufferPointer(mapping)) }

  /// Creates zeroed scratch memory of a size that was checked before.
  ///
  /// - Parameters:
  ///   - byteCount: The size in bytes.
  ///   - folder: Where the file lives.
  ///   - source: The file on whose behalf the memory is needed, to be named in errors.
  /// - Throws: `inputOutput` where the folder cannot hold it, as on a full disk.
  public init(byteCount: Int, in folder: String, for source: String) throws(FileError) {
    guard byteCount > 0 else {
      mapping = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      return
    }
    func failure(_ action: String, _ reason: Int32) -> FileError {
      FileError(
        .inputOutput, code: "scratch.\(action)", file: source,
        "needs \(byteCount) bytes of temporary space in \(folder): \(systemMessage(reason))",
        advice: "free some space there, or set TMPDIR to another folder")
    }
    var template = Array("\(folder)/vggconv-XXXXXX".utf8CString)
    let descriptor: Int32 = template.withUnsafeMutableBufferPointer { name in
      guard let start = name.baseAddress else { return -1 }
      let created = mkstemp(start)
      if created >= 0 { unlink(start) }
      return created
    }
    guard descriptor >= 0 else { throw failure("create", errno) }
    defer { close(descriptor) }
    let refusal = posix_fallocate(descriptor, 0, byteCount)
    guard refusal == 0 else { throw failure("allocate", refusal) }
    guard
      let start = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), start != MAP_FAILED
    else { throw failure("map", errno) }
    mapping = UnsafeMutableRawBufferPointer(start: start, count: byteCount)
  }

  deinit {
    if let start = mapping.baseAddress { munmap(start, mapping.count) }
  }
}
