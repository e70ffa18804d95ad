internal import VGGArchive
public import VGGBytes
public import VGGExport
public import VGGModel
internal import VGGTensors

/// A format of other tools.
public enum ExportFormat: String, CaseIterable, Sendable {
  /// Tensors that Python, Rust and JavaScript read without running code; float16 and bfloat16 stay so.
  case safetensors
  /// A zip archive of NumPy arrays; reals are float32.
  case npz
  /// Files of Keras 3: a model, or weights.
  case keras
  /// HDF5 files as Keras wrote them before, which Keras 3 reads too: a model, or weights.
  case kerasLegacy = "keras-legacy"
  /// A network for Caffe, with a prototxt beside it.
  case caffe
}

/// What is decided about an export besides its format.
public struct ExportOptions: Sendable {
  /// Whether files of the same names are replaced.
  public var overwrites = false
  /// Whether codes are written as the values that they stand for. Otherwise they stay signed bytes, with scales and zero points of
  /// their own.
  public var dequantizes = false
  /// Whether files of Keras hold only the weights; those whose names end in `.weights.h5` always do.
  public var writesWeightsOnly = false

  /// Decides nothing.
  public init() {}
}

/// What an export wrote.
public struct ExportResult: Sendable {
  /// The files, with their lengths.
  public var files: [(path: String, byteCount: Int)]
  /// What of the model is not in them, or not as it was.
  public var losses: [ExportLoss]
}

extension Model {
  /// Writes the model in a format of other tools.
  ///
  /// - Parameters:
  ///   - format: The format to write.
  ///   - path: Where to write the file. It and the files beside it that some formats need appear when they are complete or not
  ///     at all; these have its name with other extensions.
  ///   - options: What else is decided.
  ///   - progress: Is told how far it has come.
  /// - Throws: `unsupported` where the format cannot hold the model.
  @discardableResult
  public func export(
    to format: ExportFormat, at path: String, options: ExportOptions = ExportOptions(),
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> ExportResult {
    let export = try self.export(to: format, at: path, options)
    let meter = progress?.begin(.exporting, total: export.files.reduce(0) { $0 + $1.content.byteCount })
    defer { meter?.finish() }
    var written: [(path: String, file: AtomicFile)] = []
    for described in export.files {
      let path = described.suffix.map { path.replacingExtension(by: $0) } ?? path
      let file = try AtomicFile(path: path, overwrite: options.overwrites)
      switch described.content {
      case .plain(let content): try content.write(to: file) { meter?.advance(by: $0) }
      case .archive(let members):
        try ArchiveWriter.write(members, to: file, path: path) { meter?.advance(by: $0) }
      }
      written.append((path, file))
    }
    // The first file refers to the others: it comes last.
    for (_, file) in written.reversed() { try file.publish() }
    var files: [(path: String, byteCount: Int)] = []
    for (path, _) in written { files.append((path, try MappedFile(path: path).bytes.count)) }
    return ExportResult(files: files, losses: export.losses)
  }

  private func export(
    to format: ExportFormat, at path: String, _ options: ExportOptions
  ) throws(FileError) -> Export {
    switch format {
    case .safetensors: SafetensorsExporter.export(self, dequantizes: options.dequantizes)
    case .npz: NumPyExporter.export(self, dequantizes: options.dequantizes)
    case .keras:
      try KerasExporter.export(
        self, as: options.writesWeightsOnly || path.hasSuffix(".weights.h5") ? .weights : .archive, file: path
      )
    case .kerasLegacy:
      try KerasExporter.export(
        self, as: options.writesWeightsOnly ? .legacyWeights : .legacyModel, file: path)
    case .caffe: try CaffeExporter.export(self, file: path)
    }
  }
}

extension String {
  /// A file's path with something else for its extension.
  fileprivate func replacingExtension(by suffix: String) -> String {
    let name = split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return self + suffix }
    return String(self[..<dot]) + suffix
  }
}
