internal import VGGBytes
internal import VGGHDF5
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What was found in a file, and the decisions that make a network of it.
struct NetworkAssembly {
  private let file: CaffeFile
  private let options: ImportOptions
  let net: CaffeNet
  private let translation: NetTranslation
  private let parsed: ParsedNetwork
  private let weights: WeightReading
  private(set) var decisions: [Provenance.Decision] = []
  private(set) var dropped: [Provenance.DroppedTensor]
  /// What layers do to pictures in front of the first convolution.
  var inputScaling: InputScaling? { translation.inputScaling }

  /// Reads the descriptions of a network and finds its weights.
  init(of file: CaffeFile, prototxt: CaffeFile?, options: ImportOptions) throws(FileError) {
    self.file = file
    self.options = options
    var net = try NetworkAssembly.net(in: file)
    dropped = net.dropped
    if let prototxt {
      let (description, skipped) = try Prototxt.net(in: prototxt)
      let described = try DescribedNet(weights: net, in: file, description: description, in: prototxt)
      net = described.net
      dropped += described.dropped
      if !skipped.isEmpty {
        decisions.append(
          Provenance.Decision(
            .skippedFields(skipped),
            because: "\(prototxt.name) has fields that Caffe does not have, or that say nothing of a VGG"))
      }
    }
    if net.snapshot != nil, prototxt == nil {
      do throws(FileError) {
        let (ordered, decision) = try SnapshotOrder.described(net, in: file, options: options)
        net = ordered
        decisions.append(decision)
      } catch {
        throw error.naming(net.foreignNetwork(in: file))
      }
    }
    self.net = net
    translation = NetTranslation(net, file: file)
    var grammar = VGGGrammar()
    grammar.listsAllLayers = net.hasStructure
    grammar.normalizationPlace = options.normalizationPlace
    (grammar.denseLayersFlatten, grammar.allowsAnyPooling) = (true, true)
    do throws(GrammarRefusal) {
      parsed = try grammar.parse(translation.elements.map(\.neutral))
    } catch {
      let refusal = translation.error(error)
      throw NetTranslation.mayBeOfForeignNetwork(error)
        ? refusal.naming(net.foreignNetwork(in: file)) : refusal
    }
    weights = try WeightReading(translation, parsed, of: net, scratchFolder: options.scratchFolder)
    dropped += weights.dropped
  }

  private static func net(in file: CaffeFile) throws(FileError) -> CaffeNet {
    if HDF5Superblock.offset(in: file.bytes) != nil { return try SnapshotReader.net(in: file) }
    try file.requireNet()
    return try NetReader.net(in: file)
  }

  /// The network in the form that all importers give.
  mutating func network() throws(FileError) -> FoundNetwork {
    var found = FoundNetwork(
      convolutions: weights.convolutions, dense: weights.dense, flattenOrder: options.flattenOrder ?? .chw,
      poolings: poolings(), normalization: normalization(), inputExtent: try inputExtent())
    for index in found.convolutions.indices {
      found.convolutions[index].weight.isRotated = options.kernelsAreRotated ?? false
    }
    found.foreignNetwork = { [net, file] in net.foreignNetwork(in: file) }
    found.headPooling = parsed.headPooling?.pooling
    decide(
      .kernelFlip(options.kernelsAreRotated ?? false),
      options.kernelsAreRotated == nil ? "Caffe computes correlations" : "the user says so")
    if !weights.dense.isEmpty {
      decide(
        .flattenOrder(found.flattenOrder),
        options.flattenOrder == nil ? "Caffe flattens channel, row, column" : "the user says so")
    }
    if !translation.trainingLayers.isEmpty {
      decide(.trainingLayers(translation.trainingLayers), "no answer depends on them")
    }
    if !weights.batchStatistics.isEmpty {
      decide(
        .storedStatistics,
        "use_global_stats is false in \(weights.batchStatistics.joined(separator: ", ")), as in training, but one picture has no statistics"
      )
    }
    if !weights.lateNormalizations.isEmpty {
      decide(
        .normalizationOrder(.behindActivation),
        net.hasStructure
          ? "\(weights.lateNormalizations.joined(separator: ", ")) stand behind a ReLU" : "asked for")
    }
    found.headActivation = headActivation
    if let side = weights.topKernelSide {
      decide(.denseLayersOfConvolutions, "the kernel of \(side)x\(side) covers all of pool5")
    }
    return found
  }

  /// What is applied to the last dense layer: a layer tells it, or a loss, or that nothing stands there.
  private var headActivation: FoundNetwork.FoundActivation? {
    guard let last = parsed.weighted.last, last.isHead else { return nil }
    let name = translation.elements[last.layer].layer.name
    guard let found = parsed.headActivation else {
      return net.hasStructure
        ? FoundNetwork.FoundActivation(.linear, because: "nothing stands behind \(name)") : nil
    }
    let layer = translation.elements[found.layer].layer
    return FoundNetwork.FoundActivation(
      found.kind,
      because: last.activation == nil
        ? "\(layer.name) of type \(layer.type) trains \(name)"
        : found.kind == .relu
          ? "the ReLU behind \(name) is the last layer"
          : "\(layer.name) of type \(layer.type) stands behind \(name)")
  }

  private mutating func poolings() -> FoundNetwork.Poolings {
    guard net.hasStructure else {
      decide(
        .usualStructure,
        "the file lists only layers with weights; poolings and ReLUs are taken to be where VGG has them")
      return .unknown(Pooling(rounding: .ceiling))
    }
    let poolings = parsed.poolings.map(\.pooling) + [parsed.headPooling?.pooling].compactMap(\.self)
    let isCeiling = poolings.allSatisfy { $0.isGlobal || $0.rounding == .ceiling }
    decide(
      .poolingRounding(isCeiling ? .ceiling : nil),
      isCeiling ? "Caffe rounds up" : "round_mode or ceil_mode is given")
    return .placed(parsed.poolings)
  }

  private mutating func normalization() -> LocalResponseNormalization? {
    if let given = options.normalization {
      decide(.localResponseNormalization(.statedForCaffe(given)), "the user says so")
      return given
    }
    guard let index = parsed.localResponseNormalization,
      case .normalization(let settings) = translation.elements[index].layer.operation
    else { return nil }
    decide(
      .localResponseNormalization(.caffe(alpha: settings.alpha, elementCount: settings.elementCount)),
      "Caffe divides alpha by the number of elements" + (settings.k == nil ? "; k is not given and 1" : ""))
    return settings.canonical
  }

  /// The input's extent where the file says it, checked against the first convolution.
  private mutating func inputExtent() throws(FileError) -> Extent? {
    guard let shape = net.inputShape else {
      return net.transformation?.cropSide.flatMap {
        $0 <= Network.largestInputSide && weights.topKernelSide == nil ? Extent(side: $0) : nil
      }
    }
    let sides = 1...Network.largestInputSide
    guard shape.count == 4, sides.contains(shape[2]), sides.contains(shape[3]) else {
      throw file.unsupported(
        "input", "has an input that is not a picture", seen: "\(shape)",
        allowed: "pictures, channels, rows and columns, up to \(Network.largestInputSide)")
    }
    let channels = weights.convolutions[0].weight.shape[1]
    guard shape[1] == channels else {
      throw file.malformed(
        "input", "has an input that does not fit its first convolution", seen: "\(shape[1]) channels",
        allowed: "\(channels)")
    }
    // As a convolution the first dense layer takes larger pictures too: its kernel tells the network's own size.
    return weights.topKernelSide == nil || parsed.headPooling?.pooling.isGlobal == true
      ? Extent(height: shape[2], width: shape[3]) : nil
  }

  private mutating func decide(_ kind: Provenance.Decision.Kind, _ evidence: String) {
    decisions.append(Provenance.Decision(kind, because: evidence))
  }
}
