internal import VGGModel

/// Follows a network's layers one by one and takes them for what they are in a VGG: convolutions with their ReLUs,
/// five poolings, one normalisation at most, dense layers, a softmax. What deviates is refused by name.
///
/// The order is that of the file; the blobs' names (bottom, top) are followed only to see that it is a chain.
struct ChainReader {
  /// The convolutions of the five blocks.
  private(set) var convolutions: [FoundNetwork.WeightedLayer] = []
  /// The dense layers, whether they are stored as such or as convolutions over the whole picture.
  private(set) var dense: [FoundNetwork.WeightedLayer] = []
  /// The poolings, and the number of convolutions before each.
  private(set) var pooling: [(settings: Pooling, layer: CaffeLayer, convolutionCount: Int)] = []
  private(set) var normalization: NormalizationSettings?
  /// The batch normalisations of which the file says that they use the statistics of a batch.
  private(set) var batchStatistics: [String] = []
  /// The normalisations behind an activation.
  private(set) var lateNormalizations: [String] = []
  /// The side of the first dense layer's kernel where it is stored as a convolution.
  private(set) var topKernelSide: Int?
  private(set) var hasSoftmax = false
  /// What is done to pictures in front of the first convolution.
  private(set) var inputScaling: InputScaling?
  /// Layers that were left out because no answer depends on them.
  private(set) var trainingLayers: [String] = []
  private(set) var dropped: [Provenance.DroppedTensor] = []

  private let net: CaffeNet
  private let file: CaffeFile
  private let options: ImportOptions
  /// The names of the last layer's output; empty: not known.
  private var currentBlobs: Set<String>
  /// The layer with weights whose ReLU has not come yet.
  private var withoutActivation: CaffeLayer?
  /// Whether a pooling came since the last layer with weights.
  private var hasPooledSinceWeights = false
  private var namesWithWeights: Set<String> = []

  /// Follows the layers of a network whose weights are in a file.
  init(_ net: CaffeNet, file: CaffeFile, options: ImportOptions) throws(FileError) {
    self.net = net
    self.file = file
    self.options = options
    currentBlobs = Set(net.inputNames)
    for layer in net.layers { try add(layer) }
    try finish()
  }

  private mutating func add(_ layer: CaffeLayer) throws(FileError) {
    guard layer.isUsedForTesting, layer.operation != .training else {
      trainingLayers.append(layer.name)
      return drop(layer, because: "the layer is there only for training")
    }
    switch layer.operation {
    case .input, .data:
      currentBlobs.formUnion(layer.tops)
      return drop(layer, because: "an input has no weights")
    case .split:
      if layer.bottoms.contains(where: currentBlobs.contains) { currentBlobs.formUnion(layer.tops) }
      return drop(layer, because: "a Split has no weights")
    default: try addToChain(layer)
    }
  }

  private mutating func addToChain(_ layer: CaffeLayer) throws(FileError) {
    try requireConnection(layer)
    if hasSoftmax { throw deviation(layer, seen: "\(layer.type) behind the softmax", allowed: "nothing") }
    switch layer.operation {
    case .convolution(let settings): return try addConvolution(layer, settings)
    case .batchNormalization(let settings): return try addBatchNormalization(layer, settings)
    case .scale(let settings): return try addScale(layer, settings)
    case .innerProduct(let settings):
      dense.append(
        try weights(of: layer) { (reader: inout BlobReader) throws(FileError) in
          try reader.dense(settings)
        })
      return
    case .power(let settings):
      guard convolutions.isEmpty, dense.isEmpty else {
        throw deviation(layer, seen: "a Power", allowed: "one in front of the first convolution")
      }
      inputScaling = inputScaling ?? InputScaling()
      inputScaling?.append(layer.name, settings)
    case .relu:
      guard withoutActivation != nil else {
        throw deviation(layer, seen: "a ReLU", allowed: "one behind each layer with weights")
      }
      withoutActivation = nil
    case .pooling(let settings): try addPooling(layer, settings)
    case .normalization(let settings):
      guard convolutions.count == 1, pooling.isEmpty, withoutActivation == nil, normalization == nil else {
        throw deviation(
          layer, seen: "behind \(convolutions.count) convolutions and \(pooling.count) poolings",
          allowed: "one normalisation, behind the ReLU of the first convolution")
      }
      normalization = settings
    case .flatten:
      guard pooling.count == 5, dense.isEmpty else {
        throw deviation(
          layer, seen: "behind \(pooling.count) poolings and \(dense.count) dense layers",
          allowed: "one Flatten, between pool5 and fc6")
      }
    case .softmax:
      guard !dense.isEmpty else {
        throw deviation(layer, seen: "no dense layers before it", allowed: "a softmax behind fc8")
      }
      hasSoftmax = true
    case .dropout: break  // nothing happens in a test: Caffe scales while it trains
    case .refused(let error): throw error
    case .input, .data, .training, .split, .padding, .undescribed:
      preconditionFailure("these are no part of the chain")
    }
    drop(layer, because: "a \(layer.type) layer has no weights")
    currentBlobs = Set(layer.tops)
  }

  // MARK: Layers with weights

  private mutating func addConvolution(_ layer: CaffeLayer, _ settings: ConvolutionSettings?)
    throws(FileError)
  {
    let kernel = if let settings { settings.kernel } else { try declaredKernel(of: layer) }
    if let kernel,
      pooling.count == 5 || !dense.isEmpty || (!net.hasStructure && ![1, 3].contains(kernel.height))
    {
      return try addDense(layer, convolution: settings, kernel: kernel)
    }
    if let settings,
      settings.padding != settings.kernel.half || settings.stride != Extent(side: 1)
        || settings.dilation != Extent(side: 1)
    {
      throw deviation(
        layer, seen: settings.windowDescription,
        allowed:
          "padding \(settings.kernel.half), stride 1x1, dilation 1x1 for a kernel of \(settings.kernel)",
        advice: settings.dilation == Extent(side: 1)
          ? nil : "this is a network for segmentation; use the one for classification that it was made from")
    }
    convolutions.append(
      try weights(of: layer) { (reader: inout BlobReader) throws(FileError) in
        try reader.convolution(settings)
      })
  }

  /// A dense layer that is stored as a convolution over all that is left of the picture.
  private mutating func addDense(
    _ layer: CaffeLayer, convolution settings: ConvolutionSettings?, kernel: Extent
  ) throws(FileError) {
    guard kernel.height == kernel.width, dense.isEmpty || kernel == Extent(side: 1),
      settings?.isUnpadded ?? true
    else {
      throw file.unsupported(
        "fc_reduced", "has dense layers that were reduced to convolutions, as in SSD and DeepLab",
        at: layer.offset, place: layer.place,
        seen: "kernel \(kernel)" + (settings.map { ", \($0.windowDescription)" } ?? ""),
        allowed: "a square kernel, 1x1 behind the first, no padding, stride and dilation 1",
        advice: "use the classification network that it was made from")
    }
    let found = try weights(of: layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.convolution(settings)
    }
    let shape = found.weight.shape
    if dense.isEmpty {
      topKernelSide = kernel.height
      if let channels = convolutions.last?.weight.shape[0], channels != shape[1] {
        throw file.malformed(
          "chain", "has layers that do not fit together", at: layer.offset, place: layer.place,
          seen: "\(shape[1]) input channels", allowed: "\(channels), as the layer before it gives")
      }
    }
    var layer = found
    layer.weight.shape = [shape[0], shape[1] * shape[2] * shape[3]]
    layer.weight.layout = .outIn
    layer.convolution = nil
    dense.append(layer)
  }

  /// A normalisation behind a layer with weights, its ReLU or the pooling after that.
  private mutating func addBatchNormalization(_ layer: CaffeLayer, _ settings: BatchNormalizationSettings?)
    throws(FileError)
  {
    let place = try placeOfNormalization(layer)
    guard let last = lastWithWeights, last.normalization(at: place) == nil else {
      throw deviation(
        layer, seen: "a batch normalisation", allowed: "one behind a layer with weights or behind its ReLU")
    }
    let normalization = try read(layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.batchNormalization(settings, channels: last.outputs)
    }
    setNormalization(normalization, at: place)
    if settings?.usesBatchStatistics == true { batchStatistics.append(layer.name) }
  }

  /// Factors and summands, of a batch normalisation or on their own.
  private mutating func addScale(_ layer: CaffeLayer, _ settings: ScaleSettings?) throws(FileError) {
    let place = try placeOfNormalization(layer)
    guard let last = lastWithWeights, last.normalization(at: place)?.gamma == nil else {
      throw deviation(
        layer, seen: "a Scale",
        allowed: "one behind a layer with weights, its batch normalisation or its ReLU")
    }
    let (gamma, beta) = try read(layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.scale(settings, channels: last.outputs)
    }
    var normalization =
      last.normalization(at: place)
      ?? BatchNormalization(name: layer.name, gamma: nil, beta: nil, mean: nil, spread: nil, epsilon: 0)
    normalization.gamma = gamma
    normalization.beta = beta
    setNormalization(normalization, at: place)
  }

  /// Where a normalisation that comes next stands; behind a pooling only where none stands in front of it.
  private func placeOfNormalization(_ layer: CaffeLayer) throws(FileError) -> NormalizationPlace {
    guard net.hasStructure else {
      guard let place = options.normalizationPlace else {
        throw file.unsupported(
          "normalization.order",
          "does not tell whether a batch normalisation stands in front of its ReLU or behind it",
          at: layer.offset, place: layer.place, seen: "no ReLU layers",
          advice: "give the deploy prototxt with --prototxt, or state it with --bn-before-activation or "
            + "--bn-after-activation")
      }
      return place
    }
    if withoutActivation != nil { return .beforeActivation }
    if let earlier = lastWithWeights?.outputNormalization, earlier.isBehindPooling != hasPooledSinceWeights {
      throw deviation(
        layer, seen: "a second normalisation, behind \(earlier.normalization.name) and a pooling",
        allowed: "one behind each layer with weights")
    }
    return hasPooledSinceWeights ? .behindPooling : .behindActivation
  }

  private mutating func setNormalization(_ normalization: BatchNormalization, at place: NormalizationPlace) {
    if place == .beforeActivation {
      lastWithWeights?.batchNormalization = normalization
    } else {
      if lastWithWeights?.outputNormalization == nil { lateNormalizations.append(normalization.name) }
      lastWithWeights?.outputNormalization = FoundNetwork.WeightedLayer.OutputNormalization(
        normalization, isBehindPooling: place == .behindPooling)
    }
  }

  /// The layer with weights that was added last.
  private var lastWithWeights: FoundNetwork.WeightedLayer? {
    get { dense.last ?? convolutions.last }
    set {
      guard let newValue else { return }
      if dense.isEmpty {
        convolutions[convolutions.count - 1] = newValue
      } else {
        dense[dense.count - 1] = newValue
      }
    }
  }

  private mutating func weights(
    of layer: CaffeLayer,
    _ body: (inout BlobReader) throws(FileError) -> FoundNetwork.WeightedLayer
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    try requireActivation(before: layer)
    let found = try read(layer, body)
    withoutActivation = layer
    hasPooledSinceWeights = false
    return found
  }

  /// Reads the blobs of a layer.
  private mutating func read<Result>(
    _ layer: CaffeLayer, _ body: (inout BlobReader) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    guard namesWithWeights.insert(layer.name).inserted else {
      throw file.unsupported(
        "duplicate", "has two layers of one name", at: layer.offset, place: layer.place, seen: layer.name,
        allowed: "each name once")
    }
    var reader = reader(of: layer)
    let found = try body(&reader)
    dropped += reader.dropped
    currentBlobs = Set(layer.tops)
    return found
  }

  private func reader(of layer: CaffeLayer) -> BlobReader {
    BlobReader(layer, of: file, snapshot: net.snapshot, scratchFolder: options.scratchFolder)
  }

  /// The extent of a kernel that only its own shape tells.
  private func declaredKernel(of layer: CaffeLayer) throws(FileError) -> Extent? {
    guard let shape = try reader(of: layer).declaredShape(), shape.count == 4 else { return nil }
    return Extent(height: shape[2], width: shape[3])
  }

  // MARK: Layers without weights

  private mutating func addPooling(_ layer: CaffeLayer, _ settings: Pooling) throws(FileError) {
    try requireActivation(before: layer)
    guard pooling.count < 5, dense.isEmpty else {
      throw deviation(
        layer, seen: "pooling number \(pooling.count + 1), behind \(dense.count) dense layers",
        allowed: "five poolings, one at the end of each block")
    }
    pooling.append((settings, layer, convolutions.count))
    hasPooledSinceWeights = true
  }

  // MARK: Checks

  private mutating func finish() throws(FileError) {
    guard !convolutions.isEmpty else {
      throw file.unsupported(
        "noweights", "has no convolutions", seen: "\(net.layers.count) layers",
        allowed: "the layers of a VGG network")
    }
    guard net.hasStructure else { return }
    if let layer = withoutActivation, dense.isEmpty {
      throw deviation(layer, seen: "no ReLU behind it", allowed: "a ReLU behind each convolution")
    }
    if withoutActivation == nil, let last = dense.last {
      throw file.unsupported(
        "structure", "is built differently than VGG", place: "layer \(last.name)",
        seen: "a ReLU behind the last dense layer", allowed: "none: the class scores may be negative")
    }
  }

  /// Each layer reads what the one before it wrote, where the file says what it reads.
  private func requireConnection(_ layer: CaffeLayer) throws(FileError) {
    if net.hasStructure, !currentBlobs.isEmpty, !layer.bottoms.isEmpty,
      layer.bottoms.count > 1 || !currentBlobs.contains(layer.bottoms[0])
    {
      throw deviation(
        layer, seen: "input \(layer.bottoms.joined(separator: ", "))",
        allowed: "\(currentBlobs.sorted().joined(separator: " or ")), which the layer before it gives")
    }
  }

  private func requireActivation(before layer: CaffeLayer) throws(FileError) {
    guard net.hasStructure, let withoutActivation else { return }
    throw deviation(
      withoutActivation, seen: "no ReLU between it and \(layer.name)",
      allowed: "a ReLU behind each layer with weights but the last")
  }

  private mutating func drop(_ layer: CaffeLayer, because reason: String) {
    dropped += layer.blobs.indices.map { Provenance.DroppedTensor(layer.blobName($0), because: reason) }
  }

  private func deviation(_ layer: CaffeLayer, seen: String, allowed: String, advice: String? = nil)
    -> FileError
  {
    file.unsupported(
      "structure", "is built differently than VGG", at: layer.offset, place: layer.place, seen: seen,
      allowed: allowed, advice: advice)
  }
}

extension Extent {
  /// The padding that keeps the extent of a picture under a kernel of this one.
  fileprivate var half: Extent { Extent(height: height / 2, width: width / 2) }
}

extension FoundNetwork.WeightedLayer {
  /// The number of channels or neurons that the layer gives.
  fileprivate var outputs: Int { weight.canonicalShape.last ?? 0 }

  /// The normalisation in front of the activation, or the one behind it.
  fileprivate func normalization(at place: NormalizationPlace) -> BatchNormalization? {
    place == .beforeActivation ? batchNormalization : outputNormalization?.normalization
  }
}

extension ConvolutionSettings {
  /// Whether the kernel goes over the picture as it is, one pixel after the other.
  fileprivate var isUnpadded: Bool {
    padding == Extent(side: 0) && stride == Extent(side: 1) && dilation == Extent(side: 1)
  }

  fileprivate var windowDescription: String {
    "padding \(padding), stride \(stride), dilation \(dilation)"
  }
}
