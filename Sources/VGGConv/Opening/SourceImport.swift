internal import VGGBytes
internal import VGGCaffe
internal import VGGHDF5
internal import VGGKeras
internal import VGGModel
internal import VGGONNX
internal import VGGSources
internal import VGGTFLite
internal import VGGTorch

/// A source, what belongs to it, and what was decided: finds the importer for it.
struct SourceImport {
  private let file: MappedFile
  private let kind: FileKind
  private let prototxt: MappedFile?
  private let mean: MappedFile?
  private let options: ImportOptions
  private let companion: (String) throws(FileError) -> MappedFile

  /// Describes an import.
  ///
  /// - Parameters:
  ///   - file: The file that stands for the model.
  ///   - kind: What it is.
  ///   - prototxt: The description of a Caffe net, if there is one.
  ///   - mean: The file that the mean of the options comes from.
  ///   - options: What was decided.
  ///   - companion: Opens a file that the first one names, by its path from the folder of that one.
  init(
    _ file: MappedFile, kind: FileKind, prototxt: MappedFile? = nil, mean: MappedFile? = nil,
    _ options: ImportOptions, companion: @escaping (String) throws(FileError) -> MappedFile
  ) {
    (self.file, self.kind, self.prototxt, self.mean) = (file, kind, prototxt, mean)
    (self.options, self.companion) = (options, companion)
  }

  /// The model in the file.
  func content() throws(FileError) -> OpenedModel.Content {
    switch kind {
    case .hdf5: return try hdf5()
    case .zip where TorchImporter.recognizesArchive(file, scratchFolder: options.scratchFolder):
      return try content(of: TorchImporter.model(of: file, options: options))
    case .pickledTensors: return try content(of: TorchImporter.model(of: file, options: options))
    case .json where SafetensorsImporter.recognizesIndex(file.bytes): return try safetensors()
    case .safetensors: return try safetensors()
    case .zip, .json: return try hdf5()
    case .onnx:
      return try content(
        of: ONNXImporter.model(of: file.bytes, path: file.path, companion: companion, options: options))
    case .tflite: return try content(of: TFLiteImporter.model(of: file, options: options))
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

  private func safetensors() throws(FileError) -> OpenedModel.Content {
    try content(of: SafetensorsImporter.model(of: file, companion: companion, options: options))
  }

  /// A file without a signature.
  private func unknown() throws(FileError) -> OpenedModel.Content {
    if CaffeImporter.recognizes(file.bytes) { return try caffe(sandboxFailure: nil) }
    if let mistake = FileError.mistakenName(file.path) { throw mistake }
    guard (try? TextFile(file)) == nil else { throw refusal("is a text file, not a model") }
    throw refusal("is not a file of a kind that vggconv knows")
  }

  /// What may hold HDF5: most of it is Keras's, and only what is not is looked at a second time.
  private func hdf5() throws(FileError) -> OpenedModel.Content {
    let sandboxFailure = try sandboxFailure(for: file.path)
    guard prototxt == nil else {
      if case .hdf5 = kind, try CaffeImporter.writesLike(file) {
        return try caffe(sandboxFailure: sandboxFailure)
      }
      throw .hasNoUseForAPrototxt(file.path)
    }
    let source = try KerasSource(file)
    if source.isForeign, try CaffeImporter.writesLike(file) {
      return try caffe(sandboxFailure: sandboxFailure)
    }
    return try keras(source, sandboxFailure: sandboxFailure)
  }

  private func caffe(sandboxFailure: String?) throws(FileError) -> OpenedModel.Content {
    let model = try CaffeImporter.model(
      of: CaffeFile(file), prototxt: prototxt.map { CaffeFile($0) }, options: options)
    return try content(
      of: model, file: file, companions: [prototxt].compactMap(\.self), sandboxFailure: sandboxFailure)
  }

  private func keras(_ source: KerasSource, sandboxFailure: String?) throws(FileError) -> OpenedModel.Content
  {
    try content(
      of: KerasImporter.model(of: source, options: options), file: source.main,
      companions: source.companions, sandboxFailure: sandboxFailure)
  }

  /// What a file of a format is that has no prototxt. What else the importer read stands in the model's provenance.
  private func content(of model: Model) throws(FileError) -> OpenedModel.Content {
    guard prototxt == nil else { throw .hasNoUseForAPrototxt(file.path) }
    var companions: [MappedFile] = []
    for source in model.provenance.companions where source.name != mean?.name {
      companions.append(try companion(source.name))
    }
    return try content(of: model, file: file, companions: companions, sandboxFailure: nil)
  }

  private func content(
    of model: Model, file: MappedFile, companions: [MappedFile], sandboxFailure: String?
  ) throws(FileError) -> OpenedModel.Content {
    OpenedModel.Content(
      file: file, companions: companions + [mean].compactMap(\.self),
      model: try model.foldingInput(options.inputFolding, file: file.path),
      unfolded: options.inputFolding.includesMeanAndScale ? model : nil, sandboxFailure: sandboxFailure)
  }

  /// Finds out whether HDF5 can be parsed without rights, before it is.
  private func sandboxFailure(for path: String) throws(FileError) -> String? {
    let failure = HDF5Sandbox.failure()
    guard let failure, options.requiresSandbox else { return failure }
    throw FileError(
      .unavailable, code: "hdf5.sandbox", file: path, "would have to be read without a sandbox: \(failure)",
      advice: "leave out --require-sandbox if the file can be trusted")
  }

  private func refusal(_ problem: String, advice: String? = nil) -> FileError {
    FileError(
      .unsupported, code: "import.kind", file: file.path, problem,
      allowed: "Keras .h5, .weights.h5, .weights.json and .keras, Caffe .caffemodel and .caffemodel.h5, "
        + "PyTorch .pth, .safetensors, .onnx, .tflite, .vggw",
      advice: advice)
  }
}

extension SourceImport {
  /// The model in the folder of an unpacked `.keras` archive.
  static func folder(
    _ path: String, mean: MappedFile?, _ options: ImportOptions
  ) throws(FileError) -> OpenedModel.Content {
    let source = try KerasSource(folderOrMistake: path)
    let folder = SourceImport(source.main, kind: .zip, mean: mean, options) { (name) throws(FileError) in
      try MappedFile(path: "\(path)/\(name)")
    }
    return try folder.keras(source, sandboxFailure: folder.sandboxFailure(for: path))
  }
}

extension FileError {
  /// A prototxt was given for a file that is none of Caffe's.
  static func hasNoUseForAPrototxt(_ path: String) -> FileError {
    FileError(
      .unsupported, code: "import.kind", file: path,
      "is not a Caffe model, so a prototxt means nothing for it")
  }
}
