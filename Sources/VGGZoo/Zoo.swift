public import VGGBytes

/// A table of published files, and which of them a file is.
public struct Zoo: Sendable {
  /// The files.
  public let files: [PublishedFile]

  /// Creates a zoo of some files.
  public init(_ files: [PublishedFile]) { self.files = files }

  /// What a file is as far as the table tells.
  public enum Identification: Equatable, Sendable {
    /// It is a published file: the digest is the published one.
    case published(PublishedFile, proof: FileDigest)
    /// It has the name or the length of a published file, and is another one. The digest is nil where only the length
    /// is known to compare.
    case different(from: PublishedFile, found: FileDigest?)
    /// It has the name of a published file, and nothing that is known contradicts or proves that it is the one.
    case unproven(PublishedFile)
    /// No published file is like it.
    case unknown
  }

  /// Finds out which published file a file is: by length and digest, whatever its name; the name only tells what it
  /// was meant to be.
  ///
  /// Only where the length or, if none is known, the first bytes leave a possibility, the file is read.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - progress: Called with the number of bytes that were read since the last call; up to the file's length in all.
  /// - Throws: `unavailable` where libcrypto lacks an algorithm.
  public func identify(
    _ file: MappedFile, progress: (Int) -> Void = { _ in }
  ) throws(FileError) -> Identification {
    let namesake = files.first { $0.name == file.name }
    let possible = files.filter { $0.isPossible(file.bytes) }
    let candidates = ([namesake].compactMap(\.self) + possible).filter { $0.digest != nil }
    let computed = try FileDigest.computed(
      of: file, Set(candidates.compactMap { $0.digest?.algorithm }), progress: progress)
    func found(_ candidate: PublishedFile) -> FileDigest? {
      computed.first { $0.algorithm == candidate.digest?.algorithm }
    }

    for candidate in candidates where candidate.byteCount == nil || candidate.byteCount == file.bytes.count {
      if let proof = found(candidate), candidate.digest?.agrees(with: proof) == true {
        return .published(candidate, proof: proof)
      }
    }
    if let namesake {
      let hasItsLength = namesake.byteCount == nil || namesake.byteCount == file.bytes.count
      return hasItsLength && namesake.digest == nil
        ? .unproven(namesake) : .different(from: namesake, found: found(namesake))
    }
    if let twin = candidates.first(where: { $0.byteCount == file.bytes.count }) {
      return .different(from: twin, found: found(twin))
    }
    return .unknown
  }
}
