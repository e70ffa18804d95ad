public import VGGBytes
internal import VGGHDF5
public import VGGModel
public import VGGSources

/// Reads weight files of all generations of Keras.
///
/// The file decides by its content which generation it is. `KerasWeights` is what each generation is brought to;
/// `NetworkAssembly` does the rest, the same for all.
public enum KerasImporter {
  /// Makes a canonical model of a source.
  ///
  /// Weights are not copied: the model's tensors refer to the mapped files, as far as their numbers stand there as they are.
  ///
  /// - Parameters:
  ///   - source: The source's files.
  ///   - options: What the user decided.
  /// - Returns: The model; the digests of the source files are left to the caller.
  /// - Throws: `malformed` where a file is damaged or contradicts itself; `unsupported` where it is not a Keras file or no
  ///   VGG; `unavailable` where libhdf5 is not installed; `inputOutput` where there is no room for decompressed data.
  public static func model(of source: KerasSource, options: ImportOptions) throws(FileError) -> Model {
    let main = source.main
    var files: [KerasFile] = []
    let weights: KerasWeights
    switch source.content {
    case .hdf5(let file):
      files = [file]
      weights = try GenerationReader(file).weights()
    case .archive:
      let archive = try KerasArchive(main, scratchFolder: options.scratchFolder)
      files = [try KerasFile(archive.weights, path: main.path, offset: archive.weightsOffset)]
      weights = try GenerationReader.keras3(files, form: .archive, configuration: archive.configuration)
    case .folder(let configuration):
      files = [try KerasFile(main.bytes, path: main.path, offset: 0)]
      weights = try GenerationReader.keras3(
        files, form: .folder, configuration: try KerasArchive.configuration(of: configuration))
    case .shards(let index):
      for shard in source.companions {
        files.append(try KerasFile(shard.bytes, path: shard.path, offset: 0))
      }
      weights = try GenerationReader.keras3(files, form: .shards, configuration: nil)
      try index.requireAgreement(with: weights, shards: source.companions, file: main.path)
    }
    var model = try model(
      of: weights, in: files, from: Provenance.SourceFile(main), path: main.path, options: options)
    model.provenance.companions.insert(contentsOf: source.companions.map { Provenance.SourceFile($0) }, at: 0)
    return model
  }

  /// Makes a model of what the files of a source hold.
  static func model(
    of weights: KerasWeights, in files: [KerasFile], from source: Provenance.SourceFile, path: String,
    options: ImportOptions
  ) throws(FileError) -> Model {
    var assembly = try NetworkAssembly(weights, in: files, named: path, options: options)
    let found = try assembly.network()
    let provenance = Provenance(
      sourceName: source.name, sourceByteCount: source.byteCount, format: "keras",
      generation: weights.generation.name, decisions: assembly.decisions, dropped: assembly.dropped)
    var model = try Model(
      found, file: path, preprocessing: nil, provenance: provenance, options: options)
    try model.setPreprocessing(
      preprocessing(model.network, assembly.configured?.inputScaling, options), options: options, file: path)
    return model
  }

  /// Keras files say nothing of what is done to pictures, unless layers do it; released weights need what the Caffe
  /// models need.
  private static func preprocessing(
    _ network: Network, _ scaling: InputScaling?, _ options: ImportOptions
  ) -> FoundPreprocessing {
    if let scaling {
      let released = Preprocessing.released(for: network.inputExtent)
      guard var rule = scaling.preprocessing(released, channels: network.inputChannels) else {
        return FoundPreprocessing(
          unknownBecause: "\(scaling.names.joined(separator: ", ")) has numbers for 3 channels")
      }
      let order = network.inputChannels == 1 ? .gray : options.channelOrder ?? .rgb
      rule.channelOrder = order
      var evidence = "as \(scaling.names.joined(separator: ", ")) in the model"
      if order != .gray {
        evidence +=
          "; channel order "
          + (options.channelOrder == nil ? "assumed: as Keras loads pictures" : "asked for")
      }
      return FoundPreprocessing(rule, .computed, because: evidence)
    }
    return FoundPreprocessing(assumedFor: network, options, because: "a Keras file")
  }
}
