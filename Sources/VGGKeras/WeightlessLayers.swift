internal import VGGHDF5
internal import VGGModel

/// The layers without weights of a file without configuration: their names are all there is, so these are looked at.
struct WeightlessLayers {
  /// The layer in the place of A-LRN's normalisation.
  private(set) var normalizationName: String?
  /// What was passed over, and why.
  private(set) var decisions: [Provenance.Decision] = []

  /// Looks at the names.
  ///
  /// - Throws: `unsupported` where a layer, as far as its name tells, computes what no VGG computes.
  init(_ weights: KerasWeights, file: String, options: ImportOptions) throws(FileError) {
    var weightedBefore = 0
    let hasDense = weights.layers.contains { $0.weights.first?.shape.count == 2 }
    func refusal(_ layer: KerasLayer, _ problem: String) -> FileError {
      FileError(
        .unsupported, code: "keras.layer", file: file, problem, place: "layer \(layer.name)",
        seen: layer.className ?? "a layer without weights")
    }
    for layer in weights.layers {
      guard layer.weights.isEmpty else {
        weightedBefore += 1
        continue
      }
      let names = [layer.name, layer.className ?? layer.name]
      let isNamed = names.contains(where: LayerName.isNormalization)
      if names.contains(where: LayerName.isForeign)
        || (hasDense && names.contains(where: LayerName.isGlobalPooling))
      {
        throw refusal(layer, "has a layer that no VGG has")
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
}
