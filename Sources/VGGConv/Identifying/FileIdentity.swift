public import VGGBytes
public import VGGZoo

/// What a file is: one of those that were published, or else what is in it.
public struct FileIdentity: Sendable {
  /// The path as it was given.
  public let path: String
  /// The file that was looked at; of the folder of an unpacked `.keras` archive its weights, which may have been published.
  public let file: MappedFile
  /// What the table of published files says.
  public let identification: Zoo.Identification
  /// What is in the file; nil where the table says it all, or where nothing can be read.
  public let content: ModelDescription?
  /// Why nothing can be read, though it has the name or the length of a published file.
  public let unreadable: FileError?

  /// Compares a file with the table of published files, and opens it where that does not tell all.
  ///
  /// - Parameters:
  ///   - path: Any file, or the folder of an unpacked `.keras` archive.
  ///   - zoo: The published files.
  ///   - options: How the file is opened.
  ///   - progress: Is told how far reading it has come.
  /// - Throws: What the file is instead of a model, where no published file is like it either.
  public init(
    of path: String, in zoo: Zoo = .published, options: OpenOptions = OpenOptions(),
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) {
    self.path = path
    file = try OpenedModel.file(at: path)
    let meter = progress?.begin(.reading, total: file.bytes.count)
    defer { meter?.finish() }
    identification = try zoo.identify(file) { meter?.advance(by: $0) }
    if case .published = identification {
      (content, unreadable) = (nil, nil)
      return
    }
    do throws(FileError) {
      content = try ModelDescription(OpenedModel(path, options: options, progress: progress))
      unreadable = nil
    } catch {
      if case .unknown = identification { throw error }
      (content, unreadable) = (nil, error)
    }
  }
}
