public import VGGBytes
internal import VGGInterchange
public import VGGModel
public import VGGSources

/// Reads safetensors files with the names of torchvision, timm, Keras or Caffe, or our own; and indices of several.
public enum SafetensorsImporter {
  /// Whether a file is an index of several.
  public static func recognizesIndex(_ file: ByteRegion) -> Bool { SafetensorsIndex.recognizes(file) }

  /// Makes a model of a file's weights, which stay in the mapped file.
  ///
  /// - Parameters:
  ///   - file: The file, or an index.
  ///   - companion: Gives the files that an index names; not called for others.
  ///   - options: What the user decided.
  /// - Throws: `malformed` where a file is damaged, `unsupported` where it is no VGG.
  public static func model(
    of file: MappedFile, companion: (String) throws(FileError) -> MappedFile, options: ImportOptions
  ) throws(FileError) -> Model {
    guard !SafetensorsFile.hasSignature(file.bytes) else {
      return try model(of: file.bytes, from: Provenance.SourceFile(file), path: file.path, options: options)
    }
    var dict = StateDict(file: file.path, tensors: [])
    let index = try SafetensorsIndex(file.bytes, file: file.path)
    let names = Dictionary(grouping: index.shardOfTensor.keys) { index.shardOfTensor[$0] ?? "" }
    var companions: [Provenance.SourceFile] = []
    for name in index.shards {
      let shard = try companion(name)
      let content = try SafetensorsFile(shard.bytes, file: shard.path)
      let expected = Set(names[name] ?? [])
      guard Set(content.tensors.map(\.name)) == expected else {
        throw FileError(
          .malformed, code: "safetensors.shard", file: shard.path, "has other tensors than its index says",
          seen: "\(content.tensors.count) tensors", allowed: "\(expected.count), as in \(file.name)")
      }
      dict.add(content.tensors)
      companions.append(Provenance.SourceFile(shard))
    }
    var model = try Model(
      dict, from: Provenance.SourceFile(file), format: "safetensors", generation: "safetensors-shards",
      options: options)
    model.provenance.companions.insert(contentsOf: companions, at: 0)
    return model
  }

  /// Makes a model of the bytes of one file.
  static func model(
    of bytes: ByteRegion, from source: Provenance.SourceFile, path: String, options: ImportOptions
  ) throws(FileError) -> Model {
    let content = try SafetensorsFile(bytes, file: path)
    var dict = StateDict(file: path, tensors: [])
    dict.add(content.tensors)
    dict.metadata = try ModelMetadata(content.metadata, file: path)
    let generation = dict.metadata == nil ? "safetensors" : "safetensors-vggconv"
    return try Model(dict, from: source, format: "safetensors", generation: generation, options: options)
  }
}

extension StateDict {
  fileprivate mutating func add(_ tensors: [SafetensorsFile.Tensor]) {
    self.tensors += tensors.map {
      Tensor(name: $0.name, type: $0.type, shape: $0.shape, bytes: $0.bytes, fileOffset: $0.fileOffset)
    }
  }
}
