internal import VGGHDF5
internal import VGGModel

/// The layers without weights of a file without configuration: their names are all there is, so these are looked at.
struct WeightlessLayers {
  /// The layer in the place of A-LRN's normalisation.
  private(set) var normalizationName: String?
  /// The pooling over the whole map in front of the dense layers.
  private(set) var globalPooling: (name: String, pooling: Pooling)?
  /// What was passed over, and why.
  private(set) var decisions: [Provenance.Decision] = []

  /// Looks at the names.
  ///
  /// - Throws: `unsupported` where a layer, as far as its name tells, computes what no VGG computes.
  init(_ weights: KerasWeights, file: String, options: ImportOptions) throws(FileError) {
    var weightedBefore = 0
    let hasDense = weights.layers.contains { $0.weights.first?.shape.count == 2 }
    let convolutions = weights.layers.count { $0.weights.first?.shape.count == 4 }
    var convolutionsBefore = 0
    func refusal(_ layer: KerasLayer, _ problem: String) -> FileError {
      FileError(
        .unsupported, code: "keras.layer", file: file, problem, place: "layer \(layer.name)",
        seen: layer.className ?? "a layer without weights")
    }
    for layer in weights.layers {
      guard layer.weights.isEmpty else {
        weightedBefore += layer.isNormalization ? 0 : 1
        convolutionsBefore += layer.weights[0].shape.count == 4 ? 1 : 0
        continue
      }
      let names = [layer.name, layer.className ?? layer.name]
      let isNamed = names.contains(where: LayerName.isNormalization)
      if names.contains(where: LayerName.isForeign) { throw refusal(layer, "has a layer that no VGG has") }
      if hasDense, let name = names.first(where: LayerName.isGlobalPooling) {
        let isInPlace =
          weightedBefore == convolutionsBefore && convolutionsBefore == convolutions
          || !weights.placesAreKnown
        guard isInPlace, globalPooling == nil else {
          throw refusal(layer, "has a pooling over the whole map where no VGG has one")
        }
        globalPooling = (layer.name, Pooling(global: name.lowercased().contains("max") ? .maximum : .average))
      }
      if names.contains(where: LayerName.isInputScaling) {
        decisions.append(
          Provenance.Decision(
            "input-scaling", "passed over",
            because: "\(layer.name) scales pictures by numbers that the file does not hold"))
      }
      guard isNamed || names.contains(where: LayerName.isLambda) else { continue }
      if !isNamed, weightedBefore == 0, weights.placesAreKnown {
        decisions.append(LayerName.passedOver(layer.name))
        continue
      }
      guard isNamed || options.normalization != nil else {
        throw LayerName.unknownFunction(layer.name, file: file)
      }
      guard normalizationName == nil, weightedBefore == 1 || !weights.placesAreKnown else {
        throw refusal(layer, "has a local response normalisation where no VGG has one")
      }
      normalizationName = layer.name
    }
  }

  /// Refuses a dense layer with an input for each channel of the last convolution, where it is not known how the map becomes
  /// one pixel: flattened as it is, or pooled as a whole under a name that does not say so.
  func requireKnownHead(
    _ weights: KerasWeights, _ dense: StoredLayer?, channels: Int?
  ) throws(FileError) {
    let weightless = weights.layers.filter(\.weights.isEmpty)
    guard let dense, dense.shape.first == channels, globalPooling == nil, !weightless.isEmpty,
      weights.generation.writer != .keras0
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
}
