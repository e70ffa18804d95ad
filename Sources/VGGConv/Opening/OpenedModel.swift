public import VGGBytes
internal import VGGCaffe
internal import VGGKeras
public import VGGModel
public import VGGNative
internal import VGGSources

/// A file that holds a model: the native format, or a source that was imported in memory.
///
/// Nothing of the weights is in memory: they are read from the file when somebody asks for them.
public struct OpenedModel: Sendable {
  /// The path as it was given.
  public let path: String
  /// The file that identifies the model; of the folder of an unpacked `.keras` archive its weights.
  public let file: MappedFile
  /// The other files that the model was made of, in the order of the provenance.
  public let companions: [MappedFile]
  /// The model.
  public internal(set) var model: Model
  /// The source before mean and scale became part of its first convolution, nil where they did not.
  public let unfolded: Model?
  /// The native file, nil for a source.
  public let native: NativeFile?
  /// Why HDF5 was parsed without a sandbox, nil where it was not.
  public let sandboxFailure: String?
  /// How it was opened.
  public let options: OpenOptions
  /// Whether the constants of its normalisation layer are those of the model that it is compared with, see
  /// ``openSource(_:options:progress:)``.
  public internal(set) var assumesNormalization = false

  /// Opens a native model or imports a source; its content says which, not its name.
  ///
  /// - Parameters:
  ///   - path: A file, or the folder of an unpacked `.keras` archive.
  ///   - options: What is not left to the evidence in the file.
  ///   - progress: Is told how far checking a native file has come.
  /// - Throws: What the file is instead where it is nothing that is read, and where a file is damaged, what and where.
  public init(
    _ path: String, options: OpenOptions = OpenOptions(), progress: (any ProgressMonitor)? = nil
  ) throws(FileError) {
    self.init(path, try OpenedModel.content(of: path, options), options: options)
    if options.checksDigests { try checkDigests(progress: progress) }
  }

  /// Compares what a native file stores with the digests in it; opening it does so, unless the options say otherwise.
  public func checkDigests(progress: (any ProgressMonitor)? = nil) throws(FileError) {
    guard let native else { return }
    let meter = progress?.begin(.checking, total: native.tensorRecords.reduce(0) { $0 + $1.storedBytes })
    defer { meter?.finish() }
    try native.checkStoredBytes { meter?.advance(by: $0) }
  }

  /// Compares the values that a native file's stored bytes stand for with the digests that its identity is made of.
  func checkValues(progress: (any ProgressMonitor)?) throws(FileError) {
    guard let native, options.checksDigests else { return }
    let meter = progress?.begin(.checking, total: model.parameterCount * MemoryLayout<Float>.size)
    defer { meter?.finish() }
    try native.checkValues { meter?.advance(by: $0) }
  }

  private init(_ path: String, _ content: Content, options: OpenOptions) {
    (self.path, self.options) = (path, options)
    (file, companions, native) = (content.file, content.companions, content.native)
    (model, unfolded, sandboxFailure) = (content.model, content.unfolded, content.sandboxFailure)
  }

  /// Refuses a source, for what is done to native files only.
  public func requireNative() throws(FileError) {
    guard native == nil else { return }
    let names = [
      "caffe": "Caffe weight file", "keras": "Keras weight file", "pytorch": "PyTorch weight file",
      "onnx": "ONNX model", "tflite": "TFLite model",
    ]
    let name = names[model.provenance.format] ?? "\(model.provenance.format) file"
    throw FileError(
      .unsupported, code: "model.source", file: path, "is a \(name), not a vggconv model",
      advice: "import it first: vggconv import \(path)")
  }

  /// Refuses a native file, for what is done to sources only.
  public func requireSource() throws(FileError) {
    guard native != nil else { return }
    throw FileError(
      .unsupported, code: "import.native", file: path, "is a native model already",
      advice: "'vggconv quantize' and 'vggconv prune' change native models")
  }

  /// Opens the source of a native model as the model was made of it.
  ///
  /// What the model knows of the source need not be said again: what of the preprocessing was folded into the first
  /// convolution, and the constants of a normalisation layer, which Keras' files cannot hold.
  ///
  /// - Parameters:
  ///   - path: The source.
  ///   - options: What else is not left to the evidence in the file.
  ///   - progress: As for any file.
  public func openSource(
    _ path: String, options: OpenOptions = OpenOptions(), progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> OpenedModel {
    var options = options
    options.importing.inputFolding = model.provenance.inputFolding
    return try openForeign(path, options, progress)
  }

  /// Opens a file of another format, which gets the constants of this model's normalisation layer where it cannot hold any.
  private func openForeign(
    _ path: String, _ options: OpenOptions, _ progress: (any ProgressMonitor)?
  ) throws(FileError) -> OpenedModel {
    var options = options
    options.importing.assumedNormalization = model.network.normalization
    var file = try OpenedModel(path, options: options, progress: progress)
    file.assumesNormalization =
      options.importing.normalization == nil && file.model.network.normalization != nil
      && file.model.provenance.format == "keras"
    return file
  }

  /// Opens a file that this model was exported to.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - options: What is not left to the evidence in the file. The constants of a normalisation layer, which some formats cannot
  ///     hold, need not be said again, nor the prototxt of Caffe weights that stands beside them under the same name.
  ///   - progress: As for any file.
  public func openExport(
    _ path: String, options: OpenOptions = OpenOptions(), progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> OpenedModel {
    var options = options
    // Caffe runs what the prototxt says, and one is written beside the weights.
    let prototxt = path.replacingExtension(by: ".prototxt")
    if options.prototxt == nil, let file = try? MappedFile(path: path), FileKind(of: file.bytes) == .unknown,
      CaffeImporter.recognizes(file.bytes), (try? MappedFile(path: prototxt)) != nil
    {
      options.prototxt = prototxt
    }
    return try openForeign(path, options, progress)
  }

  /// Whether a path names a native model.
  public static func isNative(_ path: String) -> Bool {
    guard let file = try? MappedFile(path: path) else { return false }
    return FileKind(of: file.bytes) == .native
  }
}

extension OpenedModel {
  /// The file that identifies what a path names: itself, or of the folder of an unpacked `.keras` archive its weights.
  public static func file(at path: String) throws(FileError) -> MappedFile {
    try KerasSource.isFolder(path) ? KerasSource(folderOrMistake: path).main : MappedFile(path: path)
  }

  /// The identity of the weights: the same for the same weights, whatever file they came from and however they are stored.
  public func weightsDigest() throws(FileError) -> Digest {
    if let native { return native.weightsDigest }
    return try VGGWFile.weightsDigest(of: model, scratchFolder: options.scratchFolder)
  }
}
