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
  ///   - options: What the user decided about a source.
  init(_ path: String, prototxt: String? = nil, options: ImportOptions = ImportOptions()) throws(FileError) {
    file = try MappedFile(path: path)
    let kind = FileKind(of: file.bytes)
    if kind == .native {
      let native = try VGGWFile.open(file.bytes, path: path)
      (self.native, model, companions) = (native, native.model, [])
      return
    }
    native = nil
    let prototxt = try prototxt.map { path throws(FileError) in try MappedFile(path: path) }
    model = try OpenedModel.importing(file, kind, prototxt: prototxt, options: options)
    companions = [prototxt].compactMap(\.self)
  }

  private static func importing(
    _ file: MappedFile, _ kind: FileKind, prototxt: MappedFile?, options: ImportOptions
  ) throws(FileError) -> Model {
    func refusal(_ problem: String, advice: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "import.kind", file: file.path, problem,
        allowed: "Keras .h5, .weights.h5 and .keras, Caffe .caffemodel, .vggw", advice: advice)
    }
    switch kind {
    case .hdf5, .zip, .json:
      return try KerasImporter.model(of: file, kind: kind, options: options)
    case .unknown:
      return try CaffeImporter.model(
        of: CaffeFile(file), prototxt: prototxt.map { CaffeFile($0) }, options: options)
    case .empty: throw refusal("is empty")
    case .npy: throw refusal("is a NumPy array, not a model")
    case .picture: throw refusal("is a picture, not a model")
    case .mistaken(let problem, let advice): throw refusal(problem, advice: advice)
    case .native: throw refusal("is a native model where a source is needed")
    }
  }
}
