public import VGGBytes
internal import VGGHDF5
public import VGGModel
public import VGGSources
internal import VGGTensors

/// Reads the weight files of Caffe: binary `.caffemodel` of the generations V2 (`layer`), V1 and V0 (`layers`), and HDF5
/// snapshots.
public enum CaffeImporter {
  /// Whether bytes without a signature look like a file of Caffe's, or like one that people take for it.
  ///
  /// True for networks, and for mean pictures, solver states and prototxt files, which `model` refuses by name.
  public static func looksLikeCaffe(_ bytes: ByteRegion) -> Bool {
    switch ProtobufFile(CaffeFile(path: "", bytes: bytes)) {
    case .net, .mean, .solverState, .prototxt, .solver: true
    case .onnx, .tensorFlow, .savedModel, .uff, .paddle, .coreML, .caffe2, .unknown: false
    }
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
    var importation = try Importation(of: file, prototxt: prototxt, options: options)
    let found = try importation.network()
    var provenance = Provenance(
      sourceName: file.name,
      sourceByteCount: file.bytes.count, format: "caffe", generation: importation.net.generation.rawValue,
      decisions: importation.decisions, dropped: importation.dropped)
    if let prototxt {
      provenance.companions = [Provenance.SourceFile(prototxt.name, byteCount: prototxt.bytes.count)]
    }
    var model: Model
    do throws(FileError) {
      model = try Model(
        found, file: file.path, preprocessing: nil, provenance: provenance, options: options)
    } catch {
      guard ["model.poolings", "model.architecture", "model.kernel"].contains(error.code) else { throw error }
      throw error.naming(importation.net.foreignNetwork(in: file))
    }
    let rule = PictureRule(
      transformation: importation.net.transformation, inputScaling: importation.inputScaling)
    try model.setPreprocessing(
      rule.preprocessing(of: model.network, options: options, file: file), options: options, file: file.path)
    return model
  }
}

/// What was found in a file, and the decisions that make a network of it.
private struct Importation {
  let file: CaffeFile
  let options: ImportOptions
  private(set) var net: CaffeNet
  private let chain: ChainReader
  private(set) var decisions: [Provenance.Decision] = []
  private(set) var dropped: [Provenance.DroppedTensor]
  /// What layers do to pictures in front of the first convolution.
  var inputScaling: InputScaling? { chain.inputScaling }

  /// Reads the descriptions of a network and finds its weights.
  init(of file: CaffeFile, prototxt: CaffeFile?, options: ImportOptions) throws(FileError) {
    self.file = file
    self.options = options
    var net = try Importation.net(in: file)
    dropped = net.dropped
    if let prototxt {
      let (description, skipped) = try Prototxt.net(in: prototxt)
      let described = try DescribedNet(weights: net, in: file, description: description, in: prototxt)
      net = described.net
      dropped += described.dropped
      if !skipped.isEmpty {
        decisions.append(
          Provenance.Decision(
            "prototxt-fields", "skipped: \(skipped.joined(separator: ", "))",
            because: "\(prototxt.name) has fields that Caffe does not have, or that say nothing of a VGG"))
      }
    }
    do throws(FileError) {
      if net.snapshot != nil, prototxt == nil {
        let (ordered, decision) = try SnapshotOrder.described(net, in: file, options: options)
        net = ordered
        decisions.append(decision)
      }
      chain = try ChainReader(net, file: file, options: options)
    } catch {
      let codes = ["structure", "layer.type", "layer.settings", "snapshot.order"]
      guard codes.contains(where: { error.code == "caffe.\($0)" }) else { throw error }
      throw error.naming(net.foreignNetwork(in: file))
    }
    self.net = net
    dropped += chain.dropped
  }

  private static func net(in file: CaffeFile) throws(FileError) -> CaffeNet {
    if HDF5Superblock.offset(in: file.bytes) != nil { return try SnapshotReader.net(in: file) }
    try file.requireNet()
    return try NetReader.net(in: file)
  }

  /// The network in the form that all importers give.
  mutating func network() throws(FileError) -> FoundNetwork {
    var found = FoundNetwork(
      convolutions: chain.convolutions, dense: chain.dense, flattenOrder: options.flattenOrder ?? .chw,
      poolings: poolings(), normalization: normalization(), inputExtent: try inputExtent())
    for index in found.convolutions.indices {
      found.convolutions[index].weight.isRotated = options.kernelsAreRotated ?? false
    }
    decide(
      "kernel-flip", options.kernelsAreRotated == true ? "yes" : "no",
      options.kernelsAreRotated == nil ? "Caffe computes correlations" : "the user says so")
    if !chain.dense.isEmpty {
      decide(
        "flatten-order", found.flattenOrder.rawValue,
        options.flattenOrder == nil ? "Caffe flattens channel, row, column" : "the user says so")
    }
    if !chain.trainingLayers.isEmpty {
      decide(
        "training-layers", "left out: \(chain.trainingLayers.joined(separator: ", "))",
        "no answer depends on them")
    }
    if !chain.batchStatistics.isEmpty {
      decide(
        "batch-statistics", "those that are stored",
        "use_global_stats is false in \(chain.batchStatistics.joined(separator: ", ")), as in training, but one picture has no statistics"
      )
    }
    if !chain.lateNormalizations.isEmpty {
      decide(
        "normalization-order", NormalizationPlace.behindActivation.rawValue,
        net.hasStructure
          ? "\(chain.lateNormalizations.joined(separator: ", ")) stand behind a ReLU" : "asked for")
    }
    found.headActivation = chain.headActivation
    if let side = chain.topKernelSide {
      decide(
        "dense-layers", "made of convolutions", "the kernel of \(side)x\(side) covers all of pool5")
    }
    return found
  }

  private mutating func poolings() -> FoundNetwork.Poolings {
    guard net.hasStructure else {
      decide(
        "structure", "that of VGG",
        "the file lists only layers with weights; poolings and ReLUs are taken to be where VGG has them")
      return .unknown(Pooling(rounding: .ceiling))
    }
    let isCeiling = chain.pooling.allSatisfy { $0.settings.isGlobal || $0.settings.rounding == .ceiling }
    decide(
      "pooling-rounding", isCeiling ? "ceiling" : "as each layer says",
      isCeiling ? "Caffe rounds up" : "round_mode or ceil_mode is given")
    return .placed(
      chain.pooling.map { FoundNetwork.PlacedPooling($0.settings, behind: $0.convolutionCount) })
  }

  private mutating func normalization() -> LocalResponseNormalization? {
    if let given = options.normalization {
      decide("normalization", given.words, "the user says so")
      return given
    }
    guard let settings = chain.normalization else { return nil }
    decide(
      "normalization", "alpha \(settings.alpha) divided by \(settings.elementCount)",
      "Caffe divides alpha by the number of elements" + (settings.k == nil ? "; k is not given and 1" : ""))
    return settings.canonical
  }

  /// The input's extent where the file says it, checked against the first convolution.
  private mutating func inputExtent() throws(FileError) -> Extent? {
    guard let shape = net.inputShape else {
      return net.transformation?.cropSide.flatMap {
        $0 <= Network.largestInputSide && chain.topKernelSide == nil ? Extent(side: $0) : nil
      }
    }
    let sides = 1...Network.largestInputSide
    guard shape.count == 4, sides.contains(shape[2]), sides.contains(shape[3]) else {
      throw file.unsupported(
        "input", "has an input that is not a picture", seen: "\(shape)",
        allowed: "pictures, channels, rows and columns, up to \(Network.largestInputSide)")
    }
    let channels = chain.convolutions[0].weight.shape[1]
    guard shape[1] == channels else {
      throw file.malformed(
        "input", "has an input that does not fit its first convolution", seen: "\(shape[1]) channels",
        allowed: "\(channels)")
    }
    // As a convolution the first dense layer takes larger pictures too: its kernel tells the network's own size.
    return chain.topKernelSide == nil || chain.hasGlobalPooling
      ? Extent(height: shape[2], width: shape[3]) : nil
  }

  private mutating func decide(_ subject: String, _ choice: String, _ evidence: String) {
    decisions.append(Provenance.Decision(subject, choice, because: evidence))
  }
}
