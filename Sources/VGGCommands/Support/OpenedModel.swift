internal import CommandLineKit
internal import VGGBytes
internal import VGGCaffe
internal import VGGConv
internal import VGGHDF5
internal import VGGKeras
internal import VGGModel
internal import VGGNative
internal import VGGSources

/// A file that holds a model: the native format, or a source that was imported in memory.
struct OpenedModel {
  let file: MappedFile
  /// The other files that the model was made of, in the order of the provenance.
  let companions: [MappedFile]
  let model: Model
  /// The source before mean and scale became part of its first convolution, nil where they did not.
  let unfolded: Model?
  /// The native file, nil for a source.
  let native: NativeFile?
  /// Why HDF5 was parsed without a sandbox, nil where it was not.
  let sandboxFailure: String?

  /// Opens a native model or imports a source; its content says which, not its name.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - prototxt: A deploy prototxt beside a Caffe source.
  ///   - mean: What the user states of the mean of the training pictures.
  ///   - options: What the user decided about a source.
  init(
    _ path: String, prototxt: String? = nil, mean: StatedMean? = nil, options: ImportOptions = .byEvidence
  ) throws(FileError) {
    var options = options
    var meanFile: MappedFile?
    if let mean { (options.mean, meanFile) = try mean.colour(scratchFolder: options.scratchFolder) }
    guard !KerasSource.isFolder(path) else {
      guard prototxt == nil else { throw OpenedModel.hasNoUseForAPrototxt(path) }
      let source: KerasSource
      do throws(FileError) { source = try KerasSource(folder: path) } catch {
        throw error.code == "keras.folder" ? FileError.mistakenFolder(path) ?? error : error
      }
      self = try OpenedModel(
        source, mean: meanFile, options: options,
        sandboxFailure: OpenedModel.sandboxFailure(for: path, options))
      return
    }
    let file: MappedFile
    do throws(FileError) { file = try MappedFile(path: path) } catch {
      // TensorFlow's users name a checkpoint by what its files' names begin with.
      throw error.kind == .missing ? FileError.mistakenName(path, isMissing: true) ?? error : error
    }
    let kind = FileKind(of: file.bytes)
    if kind == .native || kind == .damagedNative {
      let native = try VGGWFile.open(file.bytes, path: path)
      self.init(file: file, companions: [], model: native.model, native: native)
      return
    }
    let prototxt = try prototxt.map { path throws(FileError) in try MappedFile(path: path) }
    self = try OpenedModel(file, kind, prototxt: prototxt, mean: meanFile, options: options)
  }

  /// Opens a file whose values are going to be used; see `NativeFile.checkDigests`.
  init(checking path: String, by arguments: Arguments, _ console: Console) throws(FileError) {
    var options = ImportOptions.byEvidence
    options.requiresSandbox = arguments[ModelOptions.requireSandbox]
    try self.init(path, options: options)
    warn(console)
    try native?.checkDigests(by: arguments, console)
  }

  /// Imports a file.
  private init(
    _ file: MappedFile, _ kind: FileKind, prototxt: MappedFile?, mean: MappedFile?, options: ImportOptions
  ) throws(FileError) {
    let mayHoldHDF5 =
      switch kind {
      case .hdf5, .zip, .json: true
      default: false
      }
    let sandboxFailure = try mayHoldHDF5 ? OpenedModel.sandboxFailure(for: file.path, options) : nil
    func refusal(_ problem: String, advice: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "import.kind", file: file.path, problem,
        allowed:
          "Keras .h5, .weights.h5, .weights.json and .keras, Caffe .caffemodel and .caffemodel.h5, .vggw",
        advice: advice)
    }
    func unknown() throws(FileError) -> OpenedModel {
      do throws(FileError) { return try caffe() } catch {
        guard error.code == "caffe.kind.unknown" else { throw error }
        if let mistake = FileError.mistakenName(file.path) { throw mistake }
        guard (try? TextFile(file)) == nil else { throw refusal("is a text file, not a model") }
        throw refusal("is not a file of a kind that vggconv knows")
      }
    }
    func caffe() throws(FileError) -> OpenedModel {
      let model = try CaffeImporter.model(
        of: CaffeFile(file), prototxt: prototxt.map { CaffeFile($0) }, options: options)
      return OpenedModel(
        file: file, companions: [prototxt, mean].compactMap(\.self),
        model: try model.foldingInput(options.inputFolding, file: file.path),
        unfolded: options.inputFolding.includesMeanAndScale ? model : nil, native: nil,
        sandboxFailure: sandboxFailure)
    }
    func keras() throws(FileError) -> OpenedModel {
      guard prototxt == nil else { throw OpenedModel.hasNoUseForAPrototxt(file.path) }
      return try OpenedModel(
        KerasSource(file), mean: mean, options: options, sandboxFailure: sandboxFailure)
    }
    func hdf5() throws(FileError) -> OpenedModel {
      guard prototxt == nil else {
        return try CaffeImporter.writesLike(file) ? caffe() : keras()
      }
      // Most are Keras's: only what its reader knows nothing of is looked at a second time.
      do throws(FileError) { return try keras() } catch {
        guard error.code == "keras.generation", try CaffeImporter.writesLike(file) else { throw error }
        return try caffe()
      }
    }
    switch kind {
    case .hdf5: self = try hdf5()
    case .zip, .json: self = try keras()
    case .unknown: self = try unknown()
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

  private init(
    file: MappedFile, companions: [MappedFile], model: Model, unfolded: Model? = nil, native: NativeFile?,
    sandboxFailure: String? = nil
  ) {
    self.unfolded = unfolded
    (self.file, self.companions, self.model, self.native) = (file, companions, model, native)
    self.sandboxFailure = sandboxFailure
  }

  private init(
    _ source: KerasSource, mean: MappedFile?, options: ImportOptions, sandboxFailure: String?
  ) throws(FileError) {
    let model = try KerasImporter.model(of: source, options: options)
    self.init(
      file: source.main, companions: source.companions + [mean].compactMap(\.self),
      model: try model.foldingInput(options.inputFolding, file: source.main.path),
      unfolded: options.inputFolding.includesMeanAndScale ? model : nil, native: nil,
      sandboxFailure: sandboxFailure)
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

  /// Says what a user should know of how the file was read.
  func warn(_ console: Console) {
    guard let sandboxFailure else { return }
    console.note("\(file.path): was read without a sandbox: \(sandboxFailure)")
  }

  private static func hasNoUseForAPrototxt(_ path: String) -> FileError {
    FileError(
      .unsupported, code: "import.kind", file: path,
      "is not a Caffe model, so a prototxt means nothing for it")
  }
}

extension NativeFile {
  /// Compares what is stored with the digests before anything is derived from it, unless the user does without.
  func checkDigests(by arguments: Arguments, _ console: Console) throws(FileError) {
    guard !arguments[ModelOptions.noCheck] else { return }
    let progress = console.progress("checking", total: tensorRecords.reduce(0) { $0 + $1.storedBytes })
    defer { progress.finish() }
    try checkStoredBytes { progress.advance(by: $0) }
  }
}
