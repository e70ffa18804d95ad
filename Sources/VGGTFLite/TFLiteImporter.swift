public import VGGBytes
internal import VGGFlatBuffers
internal import VGGInterchange
public import VGGModel
public import VGGSources
internal import VGGTensors

/// Reads TensorFlow Lite models (`.tflite`) of a VGG: float32, float16, int8 weights, and integers throughout.
///
/// Files of TensorFlow's converter and of `TFLiteExporter`. The operators are followed from the input to the output; what a VGG
/// has no use for is refused by name.
public enum TFLiteImporter {
  /// Whether bytes say that they are a TensorFlow Lite model.
  public static func recognizes(_ bytes: ByteRegion) -> Bool {
    FlatBuffer.has(identifier: TFLite.identifier, bytes)
  }

  /// Makes a model of a file; its weights stay in the file's bytes.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - options: What the user decided.
  /// - Throws: `malformed` where the file is damaged or its parts do not fit together; `unsupported` where it is no VGG.
  public static func model(
    of file: MappedFile, options: ImportOptions = ImportOptions()
  ) throws(FileError) -> Model {
    try model(of: file.bytes, path: file.path, name: file.name, options: options)
  }

  /// Makes a model of a file's bytes.
  public static func model(
    of bytes: ByteRegion, path: String, name: String, options: ImportOptions = ImportOptions()
  ) throws(FileError) -> Model {
    let file = try TFLiteFile(bytes, path: path)
    let metadata = try file.ownMetadata()
    var options = options
    options.architecture = options.architecture ?? metadata?.architecture
    var assembly = try NetworkAssembly(file, metadata)
    let found = try assembly.network()
    let provenance = Provenance(
      sourceName: name, sourceByteCount: bytes.count, format: "tflite", generation: assembly.generation,
      decisions: assembly.decisions, dropped: try assembly.dropped())
    var model = try Model(
      found, file: path, preprocessing: nil, labels: metadata?.labels ?? [], provenance: provenance,
      options: options)
    if let count = model.network.head?.outputCount, !model.labels.isEmpty, model.labels.count != count {
      throw FileError(
        .malformed, code: "tflite.labels", file: path, "has labels that do not fit the network",
        place: "metadata '\(TFLite.ownMetadata)'", seen: "\(model.labels.count)", allowed: "\(count)")
    }
    try model.setPreprocessing(
      preprocessing(model.network, metadata, options), options: options, file: path)
    return model
  }

  /// What is done to pictures is in our own metadata; otherwise released weights need what the Caffe models need.
  private static func preprocessing(
    _ network: Network, _ metadata: ModelMetadata?, _ options: ImportOptions
  ) -> FoundPreprocessing {
    if let metadata {
      guard let rule = metadata.preprocessing, rule.mean.count == network.inputChannels else {
        return FoundPreprocessing(unknownBecause: "the file's metadata does not tell")
      }
      return FoundPreprocessing(rule, .configured, because: "the file's metadata says so")
    }
    return FoundPreprocessing(assumedFor: network, options, because: "a TFLite file")
  }
}
