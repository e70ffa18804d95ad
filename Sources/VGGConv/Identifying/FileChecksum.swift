public import VGGBytes
internal import VGGModel
public import VGGNative
public import VGGZoo

/// The SHA-256 sums of files, the more telling for a native file, which is looked into before.
public enum FileChecksum {
  /// What a list of sums says of a file, held against the file.
  public enum Verdict: Equatable, Sendable {
    /// It has the sum.
    case same
    /// It has this sum instead.
    case different(Digest)
    /// It cannot be read, or is a native file that is damaged.
    case unreadable(FileError)
  }

  /// Computes the sum of a file, after every block of a native file was compared with the digests in it.
  ///
  /// - Parameters:
  ///   - path: Any file.
  ///   - progress: Is told how far checking a native file has come.
  /// - Throws: `malformed` where a native file is damaged, saying where.
  public static func sum(
    of path: String, progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> Digest {
    let file = try MappedFile(path: path)
    let kind = FileKind(of: file.bytes)
    if kind == .native || kind == .damagedNative {
      let native = try VGGWFile.open(file.bytes, path: path)
      let valueBytes = native.model.parameterCount * MemoryLayout<Float>.size
      let meter = progress?.begin(.checking, total: file.bytes.count + valueBytes)
      defer { meter?.finish() }
      try native.checkStoredBytes { meter?.advance(by: $0) }
      try native.checkValues { meter?.advance(by: $0) }
    }
    return sha256(of: file.bytes)
  }

  /// Compares a file with what a list says of it; its path is relative to the current folder.
  public static func verdict(
    on entry: ChecksumList.Entry, progress: (any ProgressMonitor)? = nil
  ) -> Verdict {
    do throws(FileError) {
      let sum = try sum(of: entry.path, progress: progress)
      return sum.description == entry.sum ? .same : .different(sum)
    } catch {
      return .unreadable(error)
    }
  }

  /// Reads a list of sums, as `sha256sum` prints them.
  public static func list(at path: String) throws(FileError) -> ChecksumList {
    try ChecksumList(TextFile(MappedFile(path: path)))
  }
}
