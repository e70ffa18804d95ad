public import VGGBytes
internal import VGGInterchange
public import VGGModel
public import VGGSources

/// Reads state dicts of PyTorch, `.pth`: zip archives as it writes them since 1.6, and the older form.
///
/// No code of a pickle is ever run; see `Unpickler`.
public enum TorchImporter {
  /// Whether a file is of the older form.
  public static func hasLegacySignature(_ bytes: ByteRegion) -> Bool { LegacyFile.hasSignature(bytes) }

  /// Whether a zip archive is one of PyTorch's: also where it holds something else than a state dict.
  public static func recognizesArchive(_ file: MappedFile, scratchFolder: String) -> Bool {
    (try? TorchArchive(file, scratchFolder: scratchFolder)) != nil
  }

  /// Makes a model of a file's weights, which stay in the mapped file.
  ///
  /// - Throws: `unsupported` where the file holds anything but tensors, numbers and texts, or is no VGG; `malformed` where it
  ///   is damaged.
  public static func model(of file: MappedFile, options: ImportOptions) throws(FileError) -> Model {
    let dict: StateDict
    let generation: String
    if LegacyFile.hasSignature(file.bytes) {
      dict = try LegacyFile(file.bytes, file: file.path, scratchFolder: options.scratchFolder).stateDict()
      generation = "pytorch-legacy"
    } else if let archive = try TorchArchive(file, scratchFolder: options.scratchFolder) {
      dict = try archive.stateDict()
      generation = "pytorch-zip"
    } else {
      throw FileError(
        .unsupported, code: "torch.kind", file: file.path, "is not a file of PyTorch",
        allowed: "a state dict that torch.save wrote")
    }
    return try Model(
      dict, from: Provenance.SourceFile(file), format: "pytorch", generation: generation, options: options)
  }
}

extension Model {
  /// Makes a model of named tensors.
  init(
    _ dict: StateDict, from source: Provenance.SourceFile, format: String, generation: String,
    options: ImportOptions
  ) throws(FileError) {
    var assembly = try StateDictAssembly(dict, options: options)
    let found = try assembly.network()
    var options = options
    options.architecture = options.architecture ?? dict.metadata?.architecture
    var decisions = assembly.decisions
    let labels = dict.metadata?.labels ?? []
    if !labels.isEmpty {
      decisions.append(Provenance.Decision(.labels(labels.count), because: "the metadata have them"))
    }
    let provenance = Provenance(
      sourceName: source.name, sourceByteCount: source.byteCount, format: format, generation: generation,
      decisions: decisions, dropped: assembly.dropped)
    try self.init(
      found, file: dict.file, preprocessing: nil, labels: labels, provenance: provenance, options: options)
    try setPreprocessing(assembly.preprocessing(of: network), options: options, file: dict.file)
  }
}
