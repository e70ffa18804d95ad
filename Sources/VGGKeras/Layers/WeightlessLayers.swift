internal import VGGBytes
internal import VGGModel
internal import VGGSources

/// The layers without weights of a file without configuration: their names are all there is, so these are looked at.
///
/// This is evidence for a `FoundNetwork`, not a chain for `VGGGrammar`, for such a file has none. Keras 3 tells only how
/// many layers of each class there are, Keras 0 only how many stand between two with weights, not which. Later files have an
/// order, but leave out what is no layer of its own (activations, the inside of a nested model, the second use of one layer),
/// and their kernels get sides only once the order of axes is found in all of them. What the names tell is therefore less
/// than the grammar asks for, and what contradicts a VGG is refused here, by the name that was read.
struct WeightlessLayers {
  /// The layer in the place of A-LRN's normalisation.
  private(set) var normalizationName: String?
  /// What the names tell of the poolings of the blocks.
  private(set) var poolings = FoundNetwork.Poolings.unknown(Pooling(rounding: .floor))
  /// The pooling that belongs to no block.
  private(set) var headPooling: (name: String, pooling: Pooling)?
  /// What is applied to the last layer, where a name tells.
  private(set) var headActivation: FoundNetwork.FoundActivation?
  /// What was passed over or assumed, and why.
  private(set) var decisions: [Provenance.Decision] = []

  private let layers: [KerasLayer]
  private let file: String
  private let hasDense: Bool
  private let placesAreKnown: Bool

  /// Looks at the names.
  ///
  /// - Throws: `unsupported` where a layer, as far as its name tells, computes what no VGG computes.
  init(_ weights: KerasWeights, file: String, options: ImportOptions) throws(FileError) {
    layers = weights.layers
    self.file = file
    placesAreKnown = weights.placesAreKnown
    hasDense = layers.contains(where: \.isDense)
    try takeOthers(weights, options)
    if weights.generation.writer == .keras0 {
      if weights.generation.form != .graph { takeNumberedLayers() }
    } else if weights.placesAreKnown {
      try takeNamedPoolings()
    } else {
      try takeCountedPoolings()
    }
    headActivation = activation()
  }

  // MARK: Poolings

  private typealias Placed = FoundNetwork.PlacedPooling

  /// The number of convolutions of each block, where their names tell.
  var blockSizes: [Int]? {
    let convolutions = layers.filter(\.isConvolution)
    // Behind the blocks there may be others, as a head.
    let named = convolutions.prefix { LayerName.blockAndNumber($0.name) != nil }
    return named.isEmpty ? nil : LayerName.blockSizes(named.map(\.name))
  }

  private func refusal(_ layer: KerasLayer, _ problem: String) -> FileError {
    FileError(
      .unsupported, code: "keras.layer", file: file, problem, place: "layer \(layer.name)",
      seen: layer.className ?? "a layer without weights")
  }

  /// The layers stand in order under their names: `max_pooling2d_3`, `block4_pool`, or any name with "pool".
  private mutating func takeNamedPoolings() throws(FileError) {
    var placed: [Placed] = []
    var last: String?
    var convolutions = 0
    var hasUnknown = false
    var hasFlattened = false
    for layer in layers {
      guard layer.weights.isEmpty else {
        guard !layer.isConvolution || headPooling == nil || layer.isPoint else {
          throw refusal(layer, "has a convolution behind a pooling that belongs to no block")
        }
        convolutions += layer.isConvolution ? 1 : 0
        hasFlattened = hasFlattened || layer.isDense
        continue
      }
      hasFlattened = hasFlattened || layer.isFlatten
      guard let pooling = LayerName.pooling(layer.name) else {
        hasUnknown = hasUnknown || !LayerName.isKnownOther(layer.name)
        continue
      }
      guard !hasFlattened, headPooling == nil, convolutions > 0 else {
        throw refusal(layer, "has a pooling where no VGG has one")
      }
      last = layer.name
      if pooling.isGlobal || placed.last?.convolutionCount == convolutions {
        headPooling = (layer.name, pooling)
      } else {
        placed.append(Placed(pooling, behind: convolutions))
      }
    }
    let hasFlatten = layers.contains(where: \.isFlatten)
    try settle(&placed, last, hasFlatten: hasFlatten)
    let hidesLayers = layers.contains { $0.isNested && $0.isConvolution }
    // A list without what flattens the map does not name all layers.
    let isComplete =
      layers.contains(where: \.weights.isEmpty) && !hasUnknown && headPooling == nil
      && (hasFlatten || !hasDense)
    if hidesLayers {
      guard placed.isEmpty else {
        throw FileError(
          .unsupported, code: "keras.poolings", file: file,
          "does not tell which poolings the model inside has, in front of \(last ?? "")",
          seen: "a model that is used as a layer, of which only layers with weights are named",
          allowed: "a pooling over the whole map, or none, behind it",
          advice: "save the whole model, whose configuration tells")
      }
    } else if placed.count == 1, (blockSizes?.count ?? 0) > 1, placed[0].convolutionCount == convolutions {
      // One layer that a model of a class of its own uses behind each block.
    } else if !placed.isEmpty || isComplete {
      poolings = .placed(placed)
    }
  }

  /// A dense layer reads a map that was flattened, or one that a pooling has made a single pixel of.
  private mutating func settle(
    _ placed: inout [Placed], _ last: String?, hasFlatten: Bool
  ) throws(FileError) {
    guard hasDense, !hasFlatten, let last else { return }
    if headPooling == nil, let pooling = placed.last?.pooling, pooling.method == .average {
      placed.removeLast()
      headPooling = (last, pooling)
    }
    guard let head = headPooling, !head.pooling.isGlobal else { return }
    headPooling = (last, Pooling(global: head.pooling.method))
    decisions.append(
      Provenance.Decision(
        .headPooling(.wholeMap),
        because: "no layer between \(last) and the dense layers flattens a map"))
  }

  /// Keras 3 tells of each class how many layers it has.
  private mutating func takeCountedPoolings() throws(FileError) {
    let weightless = layers.filter(\.weights.isEmpty)
    let found = weightless.compactMap { layer in
      LayerName.pooling(layer.className ?? layer.name).map { (layer: layer, pooling: $0) }
    }
    let global = found.filter(\.pooling.isGlobal)
    if let first = global.first {
      guard global.count == 1 else {
        throw refusal(global[1].layer, "has a second pooling over the whole map")
      }
      headPooling = (first.layer.name, first.pooling)
    }
    let maximum = found.filter { !$0.pooling.isGlobal && $0.pooling.method == .maximum }
    let average = found.filter { !$0.pooling.isGlobal && $0.pooling.method == .average }
    guard !weightless.isEmpty, !found.isEmpty || weightless.contains(where: { $0.className == "flatten" })
    else {
      return
    }
    if let first = average.first, !maximum.isEmpty {
      guard average.count == 1, headPooling == nil else {
        throw FileError(
          .unsupported, code: "keras.poolings", file: file,
          "does not tell which of its poolings take averages",
          seen: "\(maximum.count) of maxima, \(average.count) of averages", allowed: "one kind",
          advice: "save the whole model as .keras, which has the order")
      }
      headPooling = (first.layer.name, first.pooling)
    }
    // One layer may be used behind each block.
    if maximum.count + average.count == 1, (blockSizes?.count ?? 0) > 1 { return }
    poolings =
      maximum.isEmpty && !average.isEmpty
      ? .counted(average.count, average[0].pooling) : .counted(maximum.count, Pooling(rounding: .floor))
  }

  /// Keras 0 numbers its layers: between two convolutions stand their padding and activation, and where there is one more, a
  /// pooling.
  private mutating func takeNumberedLayers() {
    var gaps: [Int] = []
    var count = 0
    var tail: Int?
    for layer in layers {
      if layer.weights.isEmpty {
        count += 1
      } else if layer.isConvolution {
        gaps.append(count)
        count = 0
      } else if layer.isDense, tail == nil {
        tail = count
      }
    }
    guard let padding = gaps.first, gaps.count > 1, let fewest = gaps.dropFirst().min(), fewest >= padding,
      let most = gaps.dropFirst().max(), most > fewest
    else { return }
    var places = gaps.indices.dropFirst().filter { gaps[$0] > fewest }
    // Behind the last convolution is its activation, then perhaps a pooling, and in front of a dense layer Flatten.
    let behind = tail.map { $0 - 1 } ?? count
    if behind > fewest - padding { places.append(gaps.count) }
    poolings = .placed(places.map { Placed(Pooling(rounding: .floor), behind: $0) })
    decisions.append(
      Provenance.Decision(
        .poolings(places),
        because: "more layers without weights follow these than the others; assumed: maxima"))
  }

  // MARK: The head

  /// What a name says of the activation of the last layer with weights: its own, or one behind it.
  private func activation() -> FoundNetwork.FoundActivation? {
    guard layers.contains(where: { $0.isConvolution || $0.isDense }),
      let last = layers.last(where: \.isWeighted)
    else { return nil }
    let behind = layers.reversed().prefix { !$0.isWeighted }.reversed()
    for layer in [last] + behind {
      guard
        let activation = LayerName.activation(layer.name) ?? layer.className.flatMap(LayerName.activation),
        placesAreKnown || activation != .relu
      else { continue }
      return FoundNetwork.FoundActivation(activation, because: "\(layer.name) says so")
    }
    return nil
  }

  /// Refuses a dense layer with an input for each channel of the last convolution, where it is not known how the map becomes
  /// one pixel: flattened as it is, or pooled as a whole under a name that does not say so.
  func requireKnownHead(
    _ weights: KerasWeights, _ dense: StoredLayer?, channels: Int?
  ) throws(FileError) {
    let inFront = weights.layers.prefix { !placesAreKnown || !$0.isDense }
    let weightless = inFront.filter(\.weights.isEmpty)
    guard let dense, dense.shape.first == channels, headPooling?.pooling.isGlobal != true,
      weights.layers.contains(where: \.weights.isEmpty), weights.generation.writer != .keras0
    else { return }
    let names = weightless.flatMap { [$0.name, $0.className ?? $0.name] }
    guard !names.contains(where: { $0.lowercased().contains("flatten") }) else { return }
    throw FileError(
      .unsupported, code: "keras.head", file: dense.kernel.file.path,
      "does not tell how the map of the last convolution becomes the input of the dense layer",
      place: "layer \(dense.name)", seen: "\(dense.shape[0]) inputs, and no layer that is called flatten",
      allowed: "flatten, or a pooling that is called global",
      advice: "save the whole model, whose configuration tells")
  }

  // MARK: Other layers

  private mutating func takeOthers(
    _ weights: KerasWeights, _ options: ImportOptions
  ) throws(FileError) {
    var weightedBefore = 0
    for layer in layers {
      guard layer.weights.isEmpty else {
        weightedBefore += layer.isNormalization ? 0 : 1
        continue
      }
      let names = [layer.name, layer.className ?? layer.name]
      let isNamed = names.contains(where: LayerName.isNormalization)
      if names.contains(where: LayerName.isForeign) { throw refusal(layer, "has a layer that no VGG has") }
      if names.contains(where: LayerName.isInputScaling) {
        decisions.append(
          Provenance.Decision(
            .inputScalingPassedOver,
            because: "\(layer.name) scales pictures by numbers that the file does not hold"))
      }
      guard isNamed || names.contains(where: LayerName.isLambda) else { continue }
      if !isNamed, weightedBefore == 0, weights.placesAreKnown {
        decisions.append(LayerName.passedOver(layer.name))
        continue
      }
      guard isNamed || options.normalizationOfKeras != nil else {
        throw LayerName.unknownFunction(layer.name, file: file)
      }
      guard normalizationName == nil, weightedBefore == 1 || !weights.placesAreKnown else {
        throw refusal(layer, "has a local response normalisation where no VGG has one")
      }
      normalizationName = layer.name
    }
  }
}

extension KerasLayer {
  /// Whether the layer has a kernel.
  fileprivate var isWeighted: Bool { weights.contains(where: \.isKernel) }

  /// Whether its kernel is that of a convolution.
  fileprivate var isConvolution: Bool { weights.first?.shape.count == 4 }

  /// Whether its kernel is that of a dense layer.
  fileprivate var isDense: Bool { weights.first?.shape.count == 2 }

  /// Whether its kernel covers one pixel, in whatever order its axes are.
  fileprivate var isPoint: Bool { (weights.first?.shape.filter { $0 == 1 }.count ?? 0) >= 2 }

  /// Whether its name says that it flattens a map.
  fileprivate var isFlatten: Bool { name.lowercased().contains("flatten") }
}
