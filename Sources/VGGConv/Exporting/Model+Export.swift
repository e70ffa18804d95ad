internal import VGGArchive
public import VGGBoards
public import VGGBytes
public import VGGExport
public import VGGModel
internal import VGGSources
internal import VGGTensors

/// A format of other tools.
public enum ExportFormat: String, CaseIterable, Sendable {
  /// Tensors that Python, Rust and JavaScript read without running code; float16 and bfloat16 stay so.
  case safetensors
  /// A zip archive of NumPy arrays; reals are float32.
  case npz
  /// A TensorFlow Lite model, for LiteRT or TensorFlow Lite Micro.
  case tflite
  /// A graph that ONNX Runtime, OpenVINO, MNN and others run.
  case onnx
  /// ncnn's network as text, and its weights beside it, `.bin`.
  case ncnn
  /// Files of Keras 3: a model, or weights.
  case keras
  /// HDF5 files as Keras wrote them before, which Keras 3 reads too: a model, or weights.
  case kerasLegacy = "keras-legacy"
  /// A network for Caffe, with a prototxt beside it.
  case caffe
  /// The graph alone, as JSON that Netron draws.
  case netron
  /// A folder of C sources for boards: the runtime, the model as constants, and the image of its weights.
  case c

  /// Whether there is an importer that reads what is written.
  var isReadBack: Bool {
    switch self {
    case .safetensors, .tflite, .onnx, .keras, .kerasLegacy, .caffe: true
    case .npz, .ncnn, .netron, .c: false
    }
  }
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
  /// The program that a TensorFlow Lite model is for.
  public var runtime = TFLiteExporter.Runtime.litert
  /// Whether tensors are in a second file, of a format that may have them there.
  public var usesExternalData = false
  /// Whether what is written prepares pictures itself, in a format that can say so.
  public var preparesPictures = false
  /// Whether files of Keras hold only the weights; those whose names end in `.weights.h5` always do.
  public var writesWeightsOnly = false
  /// What is decided about a package for boards.
  public var board = BoardOptions()

  /// Decides nothing.
  public init() {}
}

/// What an export wrote.
public struct ExportResult: Sendable {
  /// The files, with their lengths.
  public var files: [(path: String, byteCount: Int)]
  /// What of the model is not in them, or not as it was.
  public var losses: [ExportLoss]
  /// What came of reading them back; nil where the format has no importer.
  public var proof: ExportProof?
  /// The package for boards, with what was proven of it; nil for other formats.
  public var board: BoardPackage?
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
  /// - Throws: `unsupported` where the format cannot hold the model; `fault` where what was written is not the model when it is read
  ///   back: then there is no file.
  @discardableResult
  public func export(
    to format: ExportFormat, at path: String, options: ExportOptions = ExportOptions(),
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> ExportResult {
    if format == .c { return try exportForBoards(at: path, options, progress) }
    var export = try self.export(to: format, at: path, options)
    if export.losses.contains(.dequantized), integerArithmetic != nil {
      export.losses.append(.integerArithmetic)
    }
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
    let proof = try format.isReadBack ? proof(of: written, losses: export.losses) : nil
    let sizes = try written.map { file throws(FileError) in try file.file.mapped().bytes.count }
    // The first file refers to the others: it comes last.
    for (_, file) in written.reversed() { try file.publish() }
    return ExportResult(files: zip(written, sizes).map { ($0.path, $1) }, losses: export.losses, proof: proof)
  }

  /// Writes a folder, which is proven by being run.
  private func exportForBoards(
    at path: String, _ options: ExportOptions, _ progress: (any ProgressMonitor)?
  ) throws(FileError) -> ExportResult {
    let meter = progress?.begin(.exporting, total: parameterCount)
    defer { meter?.finish() }
    let package = try BoardPackage(
      writing: self, to: path, options.board, overwrites: options.overwrites
    ) { meter?.advance(by: $0) }
    return ExportResult(
      files: package.files.map { ("\(path)/\($0.name)", $0.byteCount) }, losses: [.provenance], proof: nil,
      board: package)
  }

  /// Reads files that have no names yet.
  private func proof(
    of written: [(path: String, file: AtomicFile)], losses: [ExportLoss]
  ) throws(FileError) -> ExportProof {
    let files = try written.map { file throws(FileError) in try file.file.mapped() }
    var importing = ImportOptions()
    importing.allowsNonFinite = true
    importing.assumedNormalization = network.normalization
    // Whoever reads weights alone has to state it, too.
    if losses.contains(.layers) { importing.headActivation = network.head?.activation }
    let readBack: Model
    do throws(FileError) {
      readBack = try OpenedModel.content(of: files, importing).model
    } catch  where error.kind == .malformed || error.kind == .unsupported {
      throw FileError(
        .fault, code: "export.read", file: files[0].path, "was not written: it could not be read back",
        place: error.place, seen: error.problem)
    }
    return try ExportProof(of: readBack, as: self, losses: losses, path: files[0].path)
  }

  private func export(
    to format: ExportFormat, at path: String, _ options: ExportOptions
  ) throws(FileError) -> Export {
    switch format {
    case .safetensors:
      return try SafetensorsExporter.export(
        self, naming: options.naming, dequantizes: options.dequantizes, weightsDigest: options.weightsDigest)
    case .npz:
      return try NumPyExporter.export(self, naming: options.naming, dequantizes: options.dequantizes)
    case .tflite:
      return try TFLiteExporter.export(self, for: options.runtime, dequantizes: options.dequantizes)
    case .onnx:
      let external = path.replacingExtension(by: ONNXExporter.externalSuffix)
      var onnx = ONNXExporter.Options(
        externalName: external.split(separator: "/").last.map(String.init) ?? "")
      onnx.usesExternalData = options.usesExternalData
      onnx.preparesPictures = options.preparesPictures
      onnx.dequantizes = options.dequantizes
      return try ONNXExporter.export(self, onnx)
    case .ncnn: return try NCNNExporter.export(self, dequantizes: options.dequantizes)
    case .keras:
      return try KerasExporter.export(
        self, as: options.writesWeightsOnly || path.hasSuffix(".weights.h5") ? .weights : .archive, file: path
      )
    case .kerasLegacy:
      return try KerasExporter.export(
        self, as: options.writesWeightsOnly ? .legacyWeights : .legacyModel, file: path)
    case .caffe: return try CaffeExporter.export(self, file: path)
    case .netron: return NetronExporter.export(self)
    case .c: preconditionFailure("a package for boards is no single file")
    }
  }
}

extension String {
  /// A file's path with something else for its extension.
  package func replacingExtension(by suffix: String) -> String {
    let name = split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return self + suffix }
    return String(self[..<dot]) + suffix
  }
}
