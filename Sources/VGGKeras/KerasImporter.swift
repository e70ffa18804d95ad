internal import VGGHDF5
public import VGGModel

/// Reads weight files of all generations of Keras.
///
/// The file decides by its content which generation it is. `KerasWeights` is what each generation is brought to;
/// `NetworkAssembly` does the rest, the same for all.
public enum KerasImporter {
  /// Makes a canonical model of an HDF5 file or a `.keras` archive.
  ///
  /// Weights are not copied: the model's tensors refer to the mapped file, as far as their numbers stand there as they are.
  ///
  /// - Parameters:
  ///   - file: The source file.
  ///   - kind: What the file is by its first bytes: `.hdf5` or `.zip`.
  ///   - options: What the user decided.
  /// - Returns: The model; the digest of the source file is left to the caller.
  /// - Throws: `malformed` where the file is damaged or contradicts itself; `unsupported` where it is no Keras file or no
  ///   VGG; `unavailable` where libhdf5 is not installed; `inputOutput` where there is no room for decompressed data.
  public static func model(
    of file: MappedFile, kind: FileKind, options: ImportOptions
  ) throws(FileError) -> Model {
    switch kind {
    case .hdf5:
      let hdf5 = try KerasFile(file.bytes, path: file.path, offset: 0)
      return try model(of: GenerationReader(hdf5).weights(), in: [hdf5], named: file, options: options)
    case .zip:
      let archive = try KerasArchive(file)
      let hdf5 = try KerasFile(archive.weights, path: file.path, offset: archive.weightsOffset)
      let weights = try GenerationReader(hdf5).keras3(form: .archive, configuration: archive.configuration)
      return try model(of: weights, in: [hdf5], named: file, options: options)
    default:
      throw FileError(
        .unsupported, code: "keras.kind", file: file.path,
        kind == .json ? "is JSON, perhaps an index of Keras shards, which is not read" : "is no Keras file",
        allowed: "HDF5 or a .keras archive")
    }
  }

  private static func model(
    of weights: KerasWeights, in files: [KerasFile], named file: MappedFile, options: ImportOptions
  ) throws(FileError) -> Model {
    var assembly = try NetworkAssembly(weights, in: files, named: file.path, options: options)
    let found = try assembly.network()
    let provenance = Provenance(
      sourceName: file.name, sourceByteCount: file.bytes.count, format: "keras",
      generation: weights.generation.name, decisions: assembly.decisions, dropped: assembly.dropped)
    var model = try Model(
      found, file: file.path, preprocessing: nil, provenance: provenance, options: options)
    if let configured = assembly.configured { model.network = configured.withActivations(model.network) }
    assumePreprocessing(of: &model, options)
    return model
  }

  /// Keras files say nothing of what is done to pictures; released weights need what the Caffe models need.
  private static func assumePreprocessing(of model: inout Model, _ options: ImportOptions) {
    guard model.network.inputChannels == 3 else { return }
    var rule = Preprocessing.released(for: model.network.inputExtent)
    if options.channelOrder == .rgb {
      rule.channelOrder = .rgb
      rule.mean.reverse()
    }
    model.preprocessing = rule
    model.provenance.decisions.append(
      Provenance.Decision(
        "preprocessing", "\(rule.channelOrder.rawValue), less the mean colour of ImageNet",
        because: options.channelOrder == nil
          ? "assumed: as for the released weights; a Keras file does not tell" : "channel order asked for"))
  }
}
