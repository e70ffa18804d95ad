internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Follows a network's layers one by one and takes them for what they are in a VGG: convolutions with their ReLUs,
/// five poolings, one normalisation at most, dense layers, a softmax. What deviates is refused by name.
///
/// The order is that of the file; the blobs' names (bottom, top) are followed only to see that it is a chain.
struct ChainReader {
  /// The convolutions of the five blocks.
  var convolutions: [FoundNetwork.WeightedLayer] = []
  /// The dense layers, whether they are stored as such or as convolutions over the whole picture.
  var dense: [FoundNetwork.WeightedLayer] = []
  /// The poolings, and the number of convolutions before each.
  private(set) var pooling: [(settings: Pooling, layer: CaffeLayer, convolutionCount: Int)] = []
  private(set) var normalization: NormalizationSettings?
  /// The batch normalisations of which the file says that they use the statistics of a batch.
  var batchStatistics: [String] = []
  /// The normalisations behind an activation.
  var lateNormalizations: [String] = []
  /// The side of the first dense layer's kernel where it is stored as a convolution.
  private(set) var topKernelSide: Int?
  /// What is applied to the last dense layer, where a layer behind it or a loss tells.
  private(set) var headActivation: FoundNetwork.FoundActivation?
  /// What is done to pictures in front of the first convolution.
  private(set) var inputScaling: InputScaling?
  /// Whether one pooling goes over the whole map.
  var hasGlobalPooling: Bool { pooling.last?.settings.isGlobal == true }
  /// Layers that were left out because no answer depends on them.
  private(set) var trainingLayers: [String] = []
  private(set) var dropped: [Provenance.DroppedTensor] = []

  let net: CaffeNet
  let file: CaffeFile
  let options: ImportOptions
  /// The names of the last layer's output; empty: not known.
  private var currentBlobs: Set<String>
  /// The layer with weights whose ReLU has not come yet.
  private(set) var withoutActivation: CaffeLayer?
  /// Whether a pooling came since the last layer with weights.
  private(set) var hasPooledSinceWeights = false
  /// What a loss behind the last layer says of it.
  private var loss: FoundNetwork.FoundActivation?
  /// The softmax or sigmoid, behind which there is nothing.
  private var lastLayer: CaffeLayer?
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
    if case .training(let activation) = layer.operation, let activation {
      try noteLoss(layer, activation)
    }
    guard layer.isUsedForTesting, !layer.operation.isTraining else {
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
    if let last = lastLayer {
      throw deviation(
        layer, seen: "\(layer.type) behind \(last.name)", allowed: "nothing behind a \(last.type)")
    }
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
      guard !convolutions.isEmpty, dense.isEmpty else {
        throw deviation(
          layer, seen: "behind \(convolutions.count) convolutions and \(dense.count) dense layers",
          allowed: "one Flatten, in front of the first dense layer")
      }
    case .softmax: try endHead(layer, .softmax)
    case .sigmoid: try endHead(layer, .sigmoid)
    case .dropout: break  // nothing happens in a test: Caffe scales while it trains
    case .refused(let error): throw error
    case .input, .data, .training, .split, .padding, .undescribed:
      preconditionFailure("these are not part of the chain")
    }
    drop(layer, because: "a \(layer.type) layer has no weights")
    currentBlobs = Set(layer.tops)
  }

  // MARK: Layers with weights

  private mutating func addConvolution(_ layer: CaffeLayer, _ settings: ConvolutionSettings?)
    throws(FileError)
  {
    let kernel = if let settings { settings.kernel } else { try declaredKernel(of: layer) }
    if let last = pooling.last, hasGlobalPooling, kernel != Extent(side: 1) {
      throw deviation(
        layer, seen: "behind \(last.layer.name), which leaves one pixel", allowed: "only dense layers there")
    }
    if let kernel,
      pooling.count >= 5 || hasGlobalPooling || !dense.isEmpty
        || (!net.hasStructure && ![1, 3].contains(kernel.height))
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
  mutating func read<Result>(
    _ layer: CaffeLayer, _ body: (inout BlobReader) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    guard namesWithWeights.insert(layer.name).inserted else {
      throw file.unsupported(
        "duplicate", "has two layers of the same name", at: layer.offset, place: layer.place,
        seen: layer.name,
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
    guard pooling.count < 6, dense.isEmpty, !hasGlobalPooling else {
      throw deviation(
        layer, seen: "pooling number \(pooling.count + 1), behind \(dense.count) dense layers",
        allowed: "one pooling at the end of each block, and one in front of the dense layers")
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
    guard net.hasStructure else {
      headActivation = headActivation ?? loss
      return
    }
    if let layer = withoutActivation, dense.isEmpty {
      throw deviation(layer, seen: "no ReLU behind it", allowed: "a ReLU behind each convolution")
    }
    if let last = dense.last { finishHead(last) }
  }

  // MARK: The head

  /// A softmax or a sigmoid, which belongs to the last dense layer.
  private mutating func endHead(_ layer: CaffeLayer, _ activation: HeadActivation) throws(FileError) {
    guard let last = dense.last, withoutActivation?.name == last.name || !net.hasStructure else {
      throw deviation(
        layer,
        seen: dense.isEmpty ? "no dense layers in front of it" : "not right behind the last dense layer",
        allowed: "one behind the last dense layer, without a ReLU")
    }
    headActivation = FoundNetwork.FoundActivation(
      activation, because: "\(layer.name) of type \(layer.type) stands behind \(last.name)")
    lastLayer = layer
  }

  /// A loss tells what the outputs are, where it reads those of the last layer.
  private mutating func noteLoss(_ layer: CaffeLayer, _ activation: HeadActivation) throws(FileError) {
    guard lastLayer == nil, let last = dense.last, last.name == withoutActivation?.name,
      layer.bottoms.contains(where: currentBlobs.contains)
    else { return }
    if let loss, loss.activation != activation {
      throw deviation(layer, seen: "a \(layer.type), though \(loss.evidence)", allowed: "losses of one kind")
    }
    loss = FoundNetwork.FoundActivation(
      activation, because: "\(layer.name) of type \(layer.type) trains \(last.name)")
  }

  /// Where no layer is the activation of the last dense layer, a loss tells it, or that nothing stands there.
  private mutating func finishHead(_ last: FoundNetwork.WeightedLayer) {
    guard headActivation == nil else { return }
    if withoutActivation == nil {
      headActivation = FoundNetwork.FoundActivation(
        .relu, because: "the ReLU behind \(last.name) is the last layer")
    } else {
      headActivation =
        loss ?? FoundNetwork.FoundActivation(.linear, because: "nothing stands behind \(last.name)")
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

  func deviation(_ layer: CaffeLayer, seen: String, allowed: String, advice: String? = nil)
    -> FileError
  {
    file.unsupported(
      "structure", "is not built like a VGG", at: layer.offset, place: layer.place, seen: seen,
      allowed: allowed, advice: advice)
  }
}

extension Extent {
  /// The padding that keeps the extent of a picture under a kernel of this one.
  fileprivate var half: Extent { Extent(height: height / 2, width: width / 2) }
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
