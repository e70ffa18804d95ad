internal import VGGBytes
internal import VGGKeras
internal import VGGModel
internal import VGGNative
internal import VGGSources

extension OpenedModel {
  /// What is in a file.
  struct Content {
    var file: MappedFile
    var companions: [MappedFile] = []
    var model: Model
    var unfolded: Model?
    var native: NativeFile?
    var sandboxFailure: String?
  }

  /// Reads what a path names: a folder, a native file or a source.
  static func content(of path: String, _ options: OpenOptions) throws(FileError) -> Content {
    var importing = options.importing
    var mean: MappedFile?
    if let stated = options.mean {
      (importing.mean, mean) = try stated.colour(scratchFolder: importing.scratchFolder)
    }
    guard !KerasSource.isFolder(path) else {
      guard options.prototxt == nil else { throw .hasNoUseForAPrototxt(path) }
      return try SourceImport.folder(path, mean: mean, importing)
    }
    let file: MappedFile
    do throws(FileError) { file = try MappedFile(path: path) } catch {
      // TensorFlow's users name a checkpoint by what its files' names begin with.
      throw error.kind == .missing ? FileError.mistakenName(path, isMissing: true) ?? error : error
    }
    let kind = FileKind(of: file.bytes)
    if kind == .native || kind == .damagedNative {
      let native = try VGGWFile.open(file.bytes, path: path)
      return Content(file: file, model: native.model, native: native)
    }
    let prototxt = try options.prototxt.map { path throws(FileError) in try MappedFile(path: path) }
    return try SourceImport(file, kind: kind, prototxt: prototxt, mean: mean, importing) {
      name throws(FileError) in
      try MappedFile(path: "\(AtomicFile.folder(of: path))/\(name)")
    }.content()
  }

  /// Imports files that have no names yet.
  ///
  /// - Parameters:
  ///   - files: The file that stands for the model, and the others that belong to it.
  ///   - importing: What is decided.
  static func content(of files: [MappedFile], _ importing: ImportOptions) throws(FileError) -> Content {
    let prototxt = files.dropFirst().first { $0.name.hasSuffix(".prototxt") }
    return try SourceImport(files[0], kind: FileKind(of: files[0].bytes), prototxt: prototxt, importing) {
      name throws(FileError) in
      guard let file = files.first(where: { $0.name == name }) else {
        throw FileError(
          .missing, code: "file.open", file: name, "is named by \(files[0].name), but not there")
      }
      return file
    }.content()
  }
}

extension KerasSource {
  /// Opens the files of a folder that was a `.keras` archive, and names other folders that people take for one.
  init(folderOrMistake path: String) throws(FileError) {
    guard let source = try KerasSource(folder: path) else { throw .mistakenFolder(path) }
    self = source
  }
}
