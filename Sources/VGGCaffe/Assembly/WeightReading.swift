internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Reads the blobs of a net whose layers are known for what they are in a VGG.
struct WeightReading {
  /// The convolutions of the five blocks.
  private(set) var convolutions: [FoundNetwork.WeightedLayer] = []
  /// The dense layers, whether they are stored as such or as convolutions over the whole picture.
  private(set) var dense: [FoundNetwork.WeightedLayer] = []
  /// The side of the first dense layer's kernel where it is stored as a convolution.
  private(set) var topKernelSide: Int?
  /// The batch normalisations of which the file says that they use the statistics of a batch.
  private(set) var batchStatistics: [String] = []
  /// The normalisations behind an activation.
  private(set) var lateNormalizations: [String] = []
  /// What is not in the model.
  private(set) var dropped: [Provenance.DroppedTensor] = []

  private let parsed: ParsedNetwork
  private let net: CaffeNet
  private let file: CaffeFile
  private let scratchFolder: String
  private var namesWithWeights: Set<String> = []

  init(
    _ translation: NetTranslation, _ parsed: ParsedNetwork, of net: CaffeNet, scratchFolder: String
  ) throws(FileError) {
    (self.parsed, self.net, file) = (parsed, net, translation.file)
    self.scratchFolder = scratchFolder
    for step in translation.steps {
      switch step {
      case .drop(let layer, let reason): drop(layer, because: reason)
      case .element(let index): try take(translation.elements[index].layer, at: index)
      }
    }
  }

  /// What the grammar says of the layer with weights that comes next, or of the last one.
  private var current: ParsedNetwork.Weighted { parsed.weighted[convolutions.count + dense.count - 1] }

  private mutating func take(_ layer: CaffeLayer, at index: Int) throws(FileError) {
    switch layer.operation {
    case .convolution(let settings):
      let found = try read(layer) { (reader: inout BlobReader) throws(FileError) in
        try reader.convolution(settings)
      }
      if parsed.weighted[convolutions.count + dense.count].isHead {
        dense.append(try denseLayer(found, of: layer))
      } else {
        convolutions.append(found)
      }
    case .innerProduct(let settings):
      dense.append(
        try read(layer) { (reader: inout BlobReader) throws(FileError) in try reader.dense(settings) })
    case .batchNormalization(let settings): try takeBatchNormalization(layer, settings, at: index)
    case .scale(let settings): try takeScale(layer, settings, at: index)
    default: drop(layer, because: "a \(layer.type) layer has no weights")
    }
  }

  private mutating func read<Result>(
    _ layer: CaffeLayer, _ body: (inout BlobReader) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    guard namesWithWeights.insert(layer.name).inserted else {
      throw file.unsupported(
        "duplicate", "has two layers of the same name", at: layer.offset, place: layer.place,
        seen: layer.name,
        allowed: "each name once")
    }
    var reader = BlobReader(layer, of: file, snapshot: net.snapshot, scratchFolder: scratchFolder)
    let found = try body(&reader)
    dropped += reader.dropped
    return found
  }

  private mutating func drop(_ layer: CaffeLayer, because reason: String) {
    dropped += layer.blobs.indices.map { Provenance.DroppedTensor(layer.blobName($0), because: reason) }
  }

  /// A dense layer that is stored as a convolution over all that is left of the picture.
  private mutating func denseLayer(
    _ found: FoundNetwork.WeightedLayer, of layer: CaffeLayer
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    let shape = found.weight.shape
    if dense.isEmpty {
      topKernelSide = shape[2]
      if let channels = convolutions.last?.weight.shape[0], channels != shape[1] {
        throw file.malformed(
          "chain", "has layers that do not fit together", at: layer.offset, place: layer.place,
          seen: "\(shape[1]) input channels", allowed: "\(channels), as the layer before it gives")
      }
    }
    var found = found
    found.weight.shape = [shape[0], shape[1] * shape[2] * shape[3]]
    found.weight.layout = .outIn
    found.convolution = nil
    return found
  }

  // MARK: BatchNorm and Scale layers, which are worked into the layers around them

  private mutating func takeBatchNormalization(
    _ layer: CaffeLayer, _ settings: BatchNormalizationSettings?, at index: Int
  ) throws(FileError) {
    let outputs = lastWithWeights.outputs
    let normalization = try read(layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.batchNormalization(settings, channels: outputs)
    }
    setNormalization(normalization, at: index)
    if settings?.usesBatchStatistics == true { batchStatistics.append(layer.name) }
  }

  /// Factors and summands, of a batch normalisation or on their own.
  private mutating func takeScale(
    _ layer: CaffeLayer, _ settings: ScaleSettings?, at index: Int
  ) throws(FileError) {
    let outputs = lastWithWeights.outputs
    let (gamma, beta) = try read(layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.scale(settings, channels: outputs)
    }
    var normalization =
      (isBeforeActivation(index)
        ? lastWithWeights.batchNormalization : lastWithWeights.outputNormalization?.normalization)
      ?? BatchNormalization(name: layer.name, gamma: nil, beta: nil, mean: nil, spread: nil, epsilon: 0)
    normalization.gamma = gamma
    normalization.beta = beta
    setNormalization(normalization, at: index)
  }

  private func isBeforeActivation(_ index: Int) -> Bool { current.normalization?.contains(index) == true }

  private mutating func setNormalization(_ normalization: BatchNormalization, at index: Int) {
    if isBeforeActivation(index) {
      lastWithWeights.batchNormalization = normalization
    } else {
      if lastWithWeights.outputNormalization == nil { lateNormalizations.append(normalization.name) }
      lastWithWeights.outputNormalization = FoundNetwork.WeightedLayer.OutputNormalization(
        normalization, isBehindPooling: current.outputNormalization?.place == .behindPooling)
    }
  }

  /// The layer with weights that was read last; the grammar lets no normalisation stand in front of the first.
  private var lastWithWeights: FoundNetwork.WeightedLayer {
    get { dense.last ?? convolutions[convolutions.count - 1] }
    set {
      if dense.isEmpty {
        convolutions[convolutions.count - 1] = newValue
      } else {
        dense[dense.count - 1] = newValue
      }
    }
  }
}

extension FoundNetwork.WeightedLayer {
  /// The number of channels or neurons that the layer gives.
  fileprivate var outputs: Int { weight.canonicalShape.last ?? 0 }
}
