public import VGGBytes
internal import VGGInterchange
public import VGGModel
internal import VGGProtobuf
public import VGGSources
internal import VGGTensors

/// Reads VGG networks from `.onnx` files: of torch, tf2onnx, the ONNX zoo, and our own; float, with int8 or int4 weights, or in integers
/// (QDQ).
public enum ONNXImporter {
  /// Whether a file is a serialised ModelProto, by its outermost fields; a file that is cut short may be one.
  public static func recognizes(_ bytes: ByteRegion) -> Bool {
    let file = MessageFile(path: "", bytes: bytes, format: "onnx")
    var reader = WireReader(0..<bytes.count, of: file, place: "")
    var hasVersion = false
    // A mean picture of Caffe's begins with numbers too, but has several of them.
    for _ in 0..<64 {
      let start = reader.offset
      guard let field = try? reader.next() else {
        return hasVersion && bytes.byte(at: start) == UInt8(ONNXField.Model.graph << 3 | 2)
      }
      switch (field.number, field.value) {
      case (ONNXField.Model.irVersion, .varint(let version)): hasVersion = (1...64).contains(version)
      case (ONNXField.Model.graph, .bytes(let graph)):
        return hasVersion && hasNode(graph, file)
      case (2...4, .bytes), (5, .varint), (6, .bytes), (ONNXField.Model.operatorSet..., .bytes): continue
      default: return false
      }
    }
    return false
  }

  /// Whether a message begins like a graph: with a node, which begins with texts.
  private static func hasNode(_ graph: Range<Int>, _ file: MessageFile) -> Bool {
    var reader = WireReader(graph, of: file, place: "")
    for _ in 0..<8 {
      guard let field = try? reader.next(), case .bytes(let message) = field.value else { return false }
      guard field.number == ONNXField.Graph.node else { continue }
      var node = WireReader(message, of: file, place: "")
      guard let first = try? node.next(), case .bytes = first.value else { return false }
      return first.number <= ONNXField.Node.domain
    }
    return false
  }

  /// Makes a model of a file's graph.
  ///
  /// The weights stay in the file, which may be mapped; only codes that are not bytes with a sign, and numbers that are stored one by
  /// one, are copied, into a temporary file. The source's SHA-256 is left empty.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - path: Its path, for errors.
  ///   - companion: Opens a file in the same folder, or one below, by its path from there: numbers may be in others.
  ///   - options: What the user decided.
  /// - Throws: `malformed` where the bytes are no model or do not fit together; `unsupported` where it is no VGG, naming the node;
  ///   what `companion` throws; `inputOutput` where there is no temporary space.
  public static func model(
    of bytes: ByteRegion, path: String, companion: @escaping (String) throws(FileError) -> MappedFile,
    options: ImportOptions = ImportOptions()
  ) throws(FileError) -> Model {
    let file = ONNXFile(
      message: MessageFile(path: path, bytes: bytes, format: "onnx"), scratchFolder: options.scratchFolder)
    let description = try ONNXModel(of: file)
    let companions = Companions()
    let graph = try ONNXGraph(description, file) { (name) throws(FileError) in
      try companions.file(name, open: companion)
    }
    return try model(of: graph, description, companions, options)
  }

  private static func model(
    of graph: ONNXGraph, _ description: ONNXModel, _ companions: Companions, _ options: ImportOptions
  ) throws(FileError) -> Model {
    let file = graph.file
    var assembly = try NetworkAssembly(graph, options: options)
    let found = try assembly.network()
    var provenance = Provenance(
      sourceName: file.path.split(separator: "/").last.map(String.init) ?? file.path,
      sourceByteCount: file.bytes.count, format: "onnx",
      generation: "onnx opset \(description.operatorSet)"
        + (description.producer.isEmpty ? "" : ", \(description.producer)"),
      decisions: assembly.decisions, dropped: assembly.dropped)
    provenance.companions = companions.files.map {
      Provenance.SourceFile($0.name, byteCount: $0.file.bytes.count)
    }
    let metadata = assembly.chain.metadata
    var model = try Model(
      found, file: file.path, preprocessing: nil, provenance: provenance, options: options)
    let labels = metadata?.labels ?? []
    if !labels.isEmpty {
      guard labels.count == model.network.classCount else {
        throw file.malformed(
          "labels", "has metadata that do not fit its output", place: "metadata labels",
          seen: "\(labels.count) names", allowed: "\(model.network.classCount ?? 0)")
      }
      model.labels = labels
      model.provenance.decisions.append(
        Provenance.Decision(.labels(labels.count), because: "the metadata say so"))
    }
    let rule = PictureRule(chain: assembly.chain)
    try model.setPreprocessing(
      rule.preprocessing(of: model.network, options: options), options: options, file: file.path)
    return model
  }
}

/// The files beside a model, each opened once.
private final class Companions {
  private(set) var files: [(name: String, file: MappedFile)] = []

  /// The most files that tensors are in: one for each would be more than any VGG has.
  private static let mostFiles = 1 << 12

  func file(
    _ name: String, open: (String) throws(FileError) -> MappedFile
  ) throws(FileError) -> MappedFile {
    if let known = files.first(where: { $0.name == name }) { return known.file }
    let file = try open(name)
    if files.count < Companions.mostFiles { files.append((name, file)) }
    return file
  }
}
