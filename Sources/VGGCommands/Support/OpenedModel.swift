internal import VGGCaffe
internal import VGGFile
internal import VGGKeras
internal import VGGModel

/// A file that holds a model: the native format, or a source that was imported in memory.
struct OpenedModel {
  let file: MappedFile
  /// The other files that the model was made of, in the order of the provenance.
  let companions: [MappedFile]
  let model: Model
  /// The native file, nil for a source.
  let native: NativeFile?

  /// Opens a native model or imports a source; its content says which, not its name.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - prototxt: A deploy prototxt beside a Caffe source.
  ///   - mean: A mean picture beside a Caffe source.
  ///   - options: What the user decided about a source.
  init(
    _ path: String, prototxt: String? = nil, mean: String? = nil, options: ImportOptions = ImportOptions()
  ) throws(FileError) {
    file = try MappedFile(path: path)
    let kind = FileKind(of: file.bytes)
    if kind == .native {
      let native = try VGGWFile.open(file.bytes, path: path)
      (self.native, model, companions) = (native, native.model, [])
      return
    }
    native = nil
    let prototxt = try prototxt.map { path throws(FileError) in try MappedFile(path: path) }
    let mean = try mean.map { path throws(FileError) in try MappedFile(path: path) }
    model = try OpenedModel.importing(file, kind, prototxt: prototxt, mean: mean, options: options)
      .foldingInput(options.inputFolding, file: path)
    companions = [prototxt, mean].compactMap(\.self)
  }

  private static func importing(
    _ file: MappedFile, _ kind: FileKind, prototxt: MappedFile?, mean: MappedFile?, options: ImportOptions
  ) throws(FileError) -> Model {
    func refusal(_ problem: String, advice: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "import.kind", file: file.path, problem,
        allowed: "Keras .h5, .weights.h5 and .keras, Caffe .caffemodel and .caffemodel.h5, .vggw",
        advice: advice)
    }
    func caffeModel() throws(FileError) -> Model {
      try CaffeImporter.model(
        of: CaffeFile(file), prototxt: prototxt.map { CaffeFile($0) }, mean: mean.map { CaffeFile($0) },
        options: options)
    }
    func kerasModel() throws(FileError) -> Model {
      guard prototxt == nil, mean == nil else {
        throw refusal("is no Caffe model, so a prototxt or mean picture has no meaning for it")
      }
      return try KerasImporter.model(of: file, kind: kind, options: options)
    }
    func hdf5Model() throws(FileError) -> Model {
      // Most are Keras's: what its reader knows nothing of is looked at a second time.
      if prototxt == nil, mean == nil {
        do throws(FileError) { return try kerasModel() } catch {
          guard error.code == "keras.generation" else { throw error }
        }
      }
      return try CaffeImporter.writesLike(file) ? caffeModel() : kerasModel()
    }
    switch kind {
    case .hdf5: return try hdf5Model()
    case .zip, .json: return try kerasModel()
    case .unknown: return try caffeModel()
    case .empty: throw refusal("is empty")
    case .npy: throw refusal("is a NumPy array, not a model")
    case .picture: throw refusal("is a picture, not a model")
    case .mistaken(let problem, let advice): throw refusal(problem, advice: advice)
    case .native: throw refusal("is a native model where a source is needed")
    }
  }
}
