public import VGGBytes
internal import VGGHDF5
public import VGGModel
public import VGGSources
internal import VGGTensors

/// Reads the weight files of Caffe: binary `.caffemodel` of the generations V2 (`layer`), V1 and V0 (`layers`), and HDF5
/// snapshots.
public enum CaffeImporter {
  /// Whether bytes without a signature are of a kind that `model` knows: a network, or what it refuses by name, such as a
  /// mean picture, a prototxt file or an ONNX model.
  public static func recognizes(_ bytes: ByteRegion) -> Bool {
    ProtobufFile(CaffeFile(path: "", bytes: bytes)) != .unknown
  }

  /// Whether an HDF5 file is one of Caffe's: a snapshot, or a solver's state, which `model` refuses by name.
  ///
  /// - Throws: Where the file is damaged or libhdf5 is not installed.
  public static func writesLike(_ file: MappedFile) throws(FileError) -> Bool {
    switch SnapshotReader.Kind(try HDF5File.open(file.bytes, named: file.path).root) {
    case .weights, .solverState: true
    case .foreign: false
    }
  }

  /// Makes a model of a file's weights.
  ///
  /// The weights stay in the file's bytes, which may be a map of it; only what is stored in pieces is copied, into a
  /// temporary file. The source's SHA-256 is left empty.
  ///
  /// - Parameters:
  ///   - file: The weights.
  ///   - prototxt: The network's description as text: used for what the weights file does not say, and checked
  ///     against it. Layers are matched by name.
  ///   - options: What the user decided.
  /// - Throws: `malformed` where the bytes are no serialised network or do not fit together, `unsupported` where
  ///   they are something else or not a VGG, `inputOutput` where there is no temporary space.
  public static func model(
    of file: CaffeFile, prototxt: CaffeFile? = nil,
    options: ImportOptions = ImportOptions()
  ) throws(FileError) -> Model {
    var assembly = try NetworkAssembly(of: file, prototxt: prototxt, options: options)
    let found = try assembly.network()
    var provenance = Provenance(
      sourceName: file.name,
      sourceByteCount: file.bytes.count, format: "caffe", generation: assembly.net.generation.rawValue,
      decisions: assembly.decisions, dropped: assembly.dropped)
    if let prototxt {
      provenance.companions = [Provenance.SourceFile(prototxt.name, byteCount: prototxt.bytes.count)]
    }
    var model = try Model(
      found, file: file.path, preprocessing: nil, provenance: provenance, options: options)
    let rule = PictureRule(
      transformation: assembly.net.transformation, inputScaling: assembly.inputScaling)
    try model.setPreprocessing(
      rule.preprocessing(of: model.network, options: options, file: file), options: options, file: file.path)
    return model
  }
}
