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
  /// ncnn's network as text, and its weights beside it, `.bin`.
  case ncnn
}

/// What is decided about an export besides its format.
public struct ExportOptions: Sendable {
  /// Whether files of the same names are replaced.
  public var overwrites = false
  /// Whether codes are written as the values that they stand for. Otherwise they stay signed bytes, with scales and zero points of
  /// their own.
  public var dequantizes = false
  /// Whose names and layouts tensors have, in formats that are tensors by name.
  public var naming = TensorNaming.canonical
  /// The identity of the weights, where it is known without reading them; formats with room for it say it.
  public var weightsDigest: [UInt8]?

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
    let export = try self.export(to: format, options)
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

  private func export(to format: ExportFormat, _ options: ExportOptions) throws(FileError) -> Export {
    switch format {
    case .safetensors:
      try SafetensorsExporter.export(
        self, naming: options.naming, dequantizes: options.dequantizes, weightsDigest: options.weightsDigest)
    case .npz:
      try NumPyExporter.export(self, naming: options.naming, dequantizes: options.dequantizes)
    case .ncnn: try NCNNExporter.export(self, dequantizes: options.dequantizes)
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
