internal import VGGBytes
internal import VGGHDF5
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Makes what the canonical model is built of from the layers of a file of any generation.
///
/// Every shape is checked before any bytes are asked for, so that a file which declares more than it has costs nothing.
struct NetworkAssembly {
  private let files: [KerasFile]
  private let weights: KerasWeights
  let options: ImportOptions
  /// The path of the source, for errors.
  let file: String
  /// What the configuration says, where there is one.
  let configured: ConfiguredNetwork?
  var decisions: [Provenance.Decision]
  private(set) var dropped: [Provenance.DroppedTensor] = []

  init(
    _ weights: KerasWeights, in files: [KerasFile], named file: String, options: ImportOptions
  ) throws(FileError) {
    self.files = files
    self.weights = weights
    self.options = options
    self.file = file
    decisions = weights.decisions
    try WrappedModel.requireNone(in: weights, file: file)
    configured = try weights.configuration.map { (configuration) throws(FileError) in
      try ConfiguredNetwork(configuration, file: file, options: options)
    }
    decisions += configured?.decisions ?? []
  }

  /// The network's layers, with nothing of the file left over.
  mutating func network() throws(FileError) -> FoundNetwork {
    var sorting = LayerSorting(configured: configured, ledger: Ledger())
    var layers = try sorting.sorted(weights.layers)
    guard !layers.isEmpty else {
      throw FileError(
        .unsupported, code: "keras.empty", file: file, "has no weights",
        seen: "\(weights.layers.count) layers")
    }
    guard layers.contains(where: \.isConvolution) else {
      throw FileError(
        .unsupported, code: "keras.top", file: file, "is only the top of a network, without convolutions",
        seen: "\(layers.count) dense layers", allowed: "a network with its convolutions",
        advice: "put it behind the network that gave the features, and save both as one model")
    }
    try unpackQuantized(&layers)
    try requireAgreement(with: configured, layers)
    try requireBiases(layers)
    for file in files { dropped += try sorting.ledger.dropped(from: file) }
    let others = try weightlessLayers()
    let lrn = try localNormalization(others?.normalizationName ?? configured?.normalizationName)
    let headPooling = configured?.headPooling ?? others?.headPooling
    try requireConvolutionsFirst(layers)
    let kernels = layers.filter(\.isConvolution).map { ($0.kernel.shape, $0.kernel.name) }
    markHead(&layers, KernelConvention.layout(of: kernels).value, others?.poolings)
    let head = layers.filter(\.isHead)
    try requirePoolingInFront(of: head, others?.headPooling?.name)
    let convention = KernelConvention(
      KernelConvention.Evidence(
        writer: weights.generation.writer, backend: weights.backend, kernels: kernels,
        flattens: head.first?.isConvolution == false && headPooling?.pooling.isGlobal != true,
        configuration: configured), options: options)
    decisions += convention.decisions
    try ShapeCheck(layout: convention.layout).require(layers)
    try others?.requireKnownHead(
      weights, head.first.flatMap { $0.isConvolution ? nil : $0 },
      channels: layers.last(where: { !$0.isHead })?.sizes(convention.layout).outputs)
    let statistics = try normalizationConvention(&layers)

    var found = FoundNetwork(
      convolutions: [], dense: [], flattenOrder: convention.flattenOrder,
      poolings: configured.map { .placed($0.poolings) } ?? others?.poolings
        ?? .unknown(Pooling(rounding: .floor)),
      normalization: lrn, inputExtent: configured?.inputExtent)
    found.blockSizes = others?.blockSizes
    found.headActivation = try headActivation(head, others)
    take(headPooling, into: &found)
    for (index, layer) in layers.enumerated() {
      let configuration = configured?.weighted[index]
      var weight =
        if let quantization = layer.quantization {
          try quantization.tensor(of: layer.kernel, options)
        } else {
          try layer.kernel.tensor(layer.isConvolution ? convention.layout : .inOut, options)
        }
      weight.isRotated = layer.isConvolution && convention.isRotated
      if layer.isHead, layer.isConvolution { weight = try denseWeight(weight, of: layer) }
      var foundLayer = FoundNetwork.WeightedLayer(
        name: layer.name, weight: weight, bias: try vector(layer.bias))
      if let normalization = layer.normalization, let statistics {
        foundLayer.batchNormalization = try batchNormalization(
          normalization, configuration?.normalization, statistics)
      }
      if let normalization = layer.outputNormalization, let statistics {
        foundLayer.outputNormalization = FoundNetwork.WeightedLayer.OutputNormalization(
          try batchNormalization(normalization, configuration?.outputNormalization, statistics),
          isBehindPooling: normalization.isBehindPooling)
      }
      if configuration?.activation == .linear { foundLayer.hiddenActivation = Activation.none }
      if layer.isHead { found.dense.append(foundLayer) } else { found.convolutions.append(foundLayer) }
    }
    return found
  }

  private func vector(_ weight: KerasWeight?) throws(FileError) -> SourceTensor? {
    try weight.map { (weight) throws(FileError) in try weight.tensor(.vector, options) }
  }

  // MARK: Quantised layers

  /// Finds out how the kernels of quantised layers are packed: from front to back, for the inputs of each layer tell.
  private mutating func unpackQuantized(_ layers: inout [StoredLayer]) throws(FileError) {
    // A quantised file is of Keras 3, whose kernels are HWIO.
    var before = StoredQuantization.Inputs.map(channels: layers.last(where: \.isConvolution)?.shape.last ?? 1)
    var names: [String: [String]] = [:]
    for index in layers.indices where !layers[index].isConvolution {
      let mode = configured.flatMap { index < $0.weighted.count ? $0.weighted[index].quantization : nil }
      if var quantization = layers[index].quantization {
        try quantization.unpack(layers[index], inputs: before, mode: mode)
        layers[index].quantization = quantization
        names[quantization.summary, default: []].append(layers[index].name)
      }
      before = .exactly(layers[index].shape[1])
    }
    for (summary, names) in names.sorted(by: { $0.key < $1.key }) {
      decisions.append(
        Provenance.Decision(
          .quantization(summary, layers: names),
          because: "so kernels and scales are stored; what Keras does to activations is not imitated"))
    }
  }

  // MARK: Batch normalisation

  /// What the statistics of the file's normalisations are; nil where there are none.
  private mutating func normalizationConvention(
    _ layers: inout [StoredLayer]
  ) throws(FileError) -> NormalizationConvention? {
    guard let first = layers.lazy.compactMap({ $0.normalization ?? $0.outputNormalization }).first else {
      return nil
    }
    if configured == nil {
      let order = try NormalizationOrder(weights, file: file, options: options)
      decisions += order.decisions
      for index in layers.indices {
        guard var normalization = layers[index].normalization else { continue }
        let place = order.place(of: normalization.name)
        guard place != .beforeActivation else { continue }
        normalization.isBehindPooling = place == .behindPooling
        layers[index].normalization = nil
        layers[index].outputNormalization = normalization
      }
    }
    let convention = try NormalizationConvention(
      NormalizationConvention.Evidence(
        writer: weights.generation.writer, version: weights.version,
        isOfTensorFlow: first.mean.name.hasSuffix(":0"),
        epsilonIsConfigured: configured?.weighted.allSatisfy {
          [$0.normalization, $0.outputNormalization].allSatisfy { $0 == nil || $0?.epsilon != nil }
        } ?? false,
        name: first.name), file: file, options: options)
    decisions += convention.decisions
    return convention
  }

  private func batchNormalization(
    _ stored: StoredNormalization, _ configured: ConfiguredNetwork.Normalization?,
    _ convention: NormalizationConvention
  ) throws(FileError) -> BatchNormalization {
    let configuredEpsilon = convention.overridesConfiguration ? nil : configured?.epsilon
    return BatchNormalization(
      name: stored.name, gamma: try vector(stored.gamma), beta: try vector(stored.beta),
      mean: try stored.mean.tensor(.vector, options), spread: try stored.spread.tensor(.vector, options),
      spreadKind: convention.spreadKind, epsilon: configuredEpsilon ?? convention.epsilon)
  }

  // MARK: What layers must have

  /// Biases may be missing only where the configuration says so, or everywhere, or in all layers that are normalised.
  private func requireBiases(_ layers: [StoredLayer]) throws(FileError) {
    for (index, layer) in layers.enumerated() {
      let isExpected =
        configured?.weighted[index].hasBias
        ?? layers.contains { $0.bias != nil && ($0.normalization == nil) == (layer.normalization == nil) }
      guard isExpected != (layer.bias != nil) else { continue }
      throw FileError(
        .malformed, code: "keras.bias", file: file,
        isExpected ? "has a layer with a kernel but without a bias" : "has a bias that is not configured",
        offset: layer.kernel.fileOffset, place: "layer \(layer.name)",
        seen: isExpected ? "1 weight" : "2 weights",
        allowed: isExpected ? "2: a kernel and a bias" : "1: a kernel")
    }
  }

  private func requireConvolutionsFirst(_ layers: [StoredLayer]) throws(FileError) {
    guard let firstDense = layers.firstIndex(where: { !$0.isConvolution }),
      let late = layers[firstDense...].first(where: \.isConvolution)
    else { return }
    throw FileError(
      .unsupported, code: "keras.order", file: file, "is not a VGG: a convolution comes after a dense layer",
      place: "layer \(late.name)", seen: "after \(layers[firstDense].name)", allowed: "convolutions first")
  }

  // MARK: What the configuration says

  /// The configuration must describe exactly these layers.
  private func requireAgreement(
    with configured: ConfiguredNetwork?, _ layers: [StoredLayer]
  ) throws(FileError) {
    guard let configured else { return }
    let common = min(layers.count, configured.weighted.count)
    for (described, layer) in zip(configured.weighted, layers) {
      guard described.fits(layer.shape) else {
        let kind = described.kernel.map { "a convolution of \($0)" } ?? "a dense layer"
        throw disagreement(
          "layer \(layer.name)", seen: "a kernel of shape \(layer.shape)",
          allowed: "\(kind) with \(described.outputs) outputs, as configured (\(described.name))")
      }
      for (wanted, stored) in [
        (described.normalization, layer.normalization),
        (described.outputNormalization, layer.outputNormalization),
      ] where (wanted == nil) != (stored == nil) {
        throw disagreement(
          "layer \(layer.name)", seen: stored.map { "a batch normalisation, \($0.name)" } ?? "none",
          allowed: wanted.map { "\($0.name) behind it, as configured" }
            ?? "no batch normalisation, as configured")
      }
    }
    guard layers.count == configured.weighted.count else {
      throw disagreement(
        "layer \(layers.count > common ? layers[common].name : configured.weighted[common].name)",
        seen: "\(layers.count) layers with weights", allowed: "\(configured.weighted.count), as configured")
    }
  }

  private func disagreement(_ place: String, seen: String, allowed: String) -> FileError {
    FileError(
      .malformed, code: "keras.config.weights", file: file,
      "has other weights than its configuration describes",
      place: place, seen: seen, allowed: allowed)
  }

  // MARK: Layers without weights

  /// What the names of layers without weights tell, in a file without configuration.
  private mutating func weightlessLayers() throws(FileError) -> WeightlessLayers? {
    guard configured == nil else { return nil }
    let others = try WeightlessLayers(weights, file: file, options: options)
    decisions.append(
      Provenance.Decision(
        .usualLayers,
        because: "assumed: a file of weights does not tell"))
    decisions += others.decisions
    return others
  }

  /// The normalisation of A-LRN, where a layer is one; its constants are the user's.
  private mutating func localNormalization(_ name: String?) throws(FileError) -> LocalResponseNormalization? {
    guard let normalization = options.normalizationOfKeras else {
      guard let name else { return nil }
      throw FileError(
        .unsupported, code: "keras.lrn", file: file,
        "has a local response normalisation, whose constants a Keras file does not hold",
        place: "layer \(name)", advice: LayerName.lrnAdvice)
    }
    decisions.append(
      Provenance.Decision(
        .localResponseNormalization(.stated(normalization)),
        because: (options.normalization == nil ? "those of the model that it is compared with" : "asked for")
          + (name.map { "; \($0) stands in its place" } ?? "; the file names no such layer")))
    return normalization
  }
}

extension ImportOptions {
  /// The constants of the normalisation layer, which no file of Keras can hold.
  var normalizationOfKeras: LocalResponseNormalization? { normalization ?? assumedNormalization }
}
