internal import VGGBytes
internal import VGGCaffe
internal import VGGHDF5
internal import VGGKeras
internal import VGGModel
internal import VGGNative
internal import VGGSources
internal import VGGTorch

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
      guard options.prototxt == nil else { throw hasNoUseForAPrototxt(path) }
      return try keras(
        KerasSource(folderOrMistake: path), mean, importing,
        sandboxFailure: sandboxFailure(for: path, importing))
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
    return try source(file, kind, prototxt: prototxt, mean: mean, importing)
  }

  /// Imports a file.
  private static func source(
    _ file: MappedFile, _ kind: FileKind, prototxt: MappedFile?, mean: MappedFile?, _ options: ImportOptions
  ) throws(FileError) -> Content {
    let mayHoldHDF5 =
      switch kind {
      case .zip: !TorchImporter.recognizesArchive(file, scratchFolder: options.scratchFolder)
      case .json: !SafetensorsImporter.recognizesIndex(file.bytes)
      case .hdf5: true
      default: false
      }
    let sandboxFailure = try mayHoldHDF5 ? sandboxFailure(for: file.path, options) : nil
    func refusal(_ problem: String, advice: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "import.kind", file: file.path, problem,
        allowed:
          "Keras .h5, .weights.h5, .weights.json and .keras, Caffe .caffemodel and .caffemodel.h5, PyTorch .pth, "
          + ".safetensors, .vggw",
        advice: advice)
    }
    func unknown() throws(FileError) -> Content {
      if CaffeImporter.recognizes(file.bytes) { return try caffe() }
      if let mistake = FileError.mistakenName(file.path) { throw mistake }
      guard (try? TextFile(file)) == nil else { throw refusal("is a text file, not a model") }
      throw refusal("is not a file of a kind that vggconv knows")
    }
    func caffe() throws(FileError) -> Content {
      let model = try CaffeImporter.model(
        of: CaffeFile(file), prototxt: prototxt.map { CaffeFile($0) }, options: options)
      return Content(
        file: file, companions: [prototxt, mean].compactMap(\.self),
        model: try model.foldingInput(options.inputFolding, file: file.path),
        unfolded: options.inputFolding.includesMeanAndScale ? model : nil, sandboxFailure: sandboxFailure)
    }
    func keras() throws(FileError) -> Content {
      guard prototxt == nil else {
        if case .hdf5 = kind, try CaffeImporter.writesLike(file) { return try caffe() }
        throw hasNoUseForAPrototxt(file.path)
      }
      let source = try KerasSource(file)
      // Most are Keras's: only what is not is looked at a second time.
      if source.isForeign, try CaffeImporter.writesLike(file) { return try caffe() }
      return try OpenedModel.keras(source, mean, options, sandboxFailure: sandboxFailure)
    }
    func torch(
      _ model: (inout [MappedFile]) throws(FileError) -> Model
    ) throws(FileError) -> Content {
      guard prototxt == nil else { throw hasNoUseForAPrototxt(file.path) }
      var companions: [MappedFile] = []
      let model = try model(&companions)
      return Content(
        file: file, companions: companions + [mean].compactMap(\.self),
        model: try model.foldingInput(options.inputFolding, file: file.path),
        unfolded: options.inputFolding.includesMeanAndScale ? model : nil)
    }
    func safetensors() throws(FileError) -> Content {
      try torch { (companions) throws(FileError) in
        try SafetensorsImporter.model(
          of: file,
          companion: { (name) throws(FileError) in
            let folder = file.path.lastIndex(of: "/").map { String(file.path[...$0]) } ?? ""
            companions.append(try MappedFile(path: folder + name))
            return companions[companions.count - 1]
          }, options: options)
      }
    }
    func stateDict() throws(FileError) -> Content {
      try torch { (_) throws(FileError) in try TorchImporter.model(of: file, options: options) }
    }
    switch kind {
    case .safetensors: return try safetensors()
    case .json where SafetensorsImporter.recognizesIndex(file.bytes): return try safetensors()
    case .pickledTensors: return try stateDict()
    case .zip where TorchImporter.recognizesArchive(file, scratchFolder: options.scratchFolder):
      return try stateDict()
    case .hdf5, .zip, .json: return try keras()
    case .unknown: return try unknown()
    case .empty: throw refusal("is empty")
    case .npy:
      throw refusal(
        "is a NumPy array, not a model", advice: "give the weight file; a mean picture goes with --mean")
    case .picture: throw refusal("is a picture, not a model")
    case .otherPicture(let name): throw refusal("is \(name), not a model")
    case .mistaken(let problem, let advice): throw refusal(problem, advice: advice)
    case .native, .damagedNative: throw refusal("is a native model where a source is needed")
    }
  }

  private static func keras(
    _ source: KerasSource, _ mean: MappedFile?, _ options: ImportOptions, sandboxFailure: String?
  ) throws(FileError) -> Content {
    let model = try KerasImporter.model(of: source, options: options)
    return Content(
      file: source.main, companions: source.companions + [mean].compactMap(\.self),
      model: try model.foldingInput(options.inputFolding, file: source.main.path),
      unfolded: options.inputFolding.includesMeanAndScale ? model : nil, sandboxFailure: sandboxFailure)
  }

  /// Finds out whether HDF5 can be parsed without rights, before it is.
  private static func sandboxFailure(for path: String, _ options: ImportOptions) throws(FileError) -> String?
  {
    let failure = HDF5Sandbox.failure()
    guard let failure, options.requiresSandbox else { return failure }
    throw FileError(
      .unavailable, code: "hdf5.sandbox", file: path, "would have to be read without a sandbox: \(failure)",
      advice: "leave out --require-sandbox if the file can be trusted")
  }

  private static func hasNoUseForAPrototxt(_ path: String) -> FileError {
    FileError(
      .unsupported, code: "import.kind", file: path,
      "is not a Caffe model, so a prototxt means nothing for it")
  }
}

extension KerasSource {
  /// Opens the files of a folder that was a `.keras` archive, and names other folders that people take for one.
  init(folderOrMistake path: String) throws(FileError) {
    guard let source = try KerasSource(folder: path) else { throw .mistakenFolder(path) }
    self = source
  }
}
