internal import VGGBytes
internal import VGGHDF5

/// Sorts the weights of a file into layers with a kernel, and what belongs to each of them.
struct LayerSorting {
  /// What the configuration says, where there is one.
  let configured: ConfiguredNetwork?
  /// What was used of the file.
  private(set) var ledger: Ledger

  init(configured: ConfiguredNetwork?, ledger: Ledger) {
    self.configured = configured
    self.ledger = ledger
  }

  /// The layers with kernels, in the order of the network.
  ///
  /// - Throws: Where a layer is none of a VGG's, or a tensor has a type that no weight has.
  mutating func sorted(_ layers: [KerasLayer]) throws(FileError) -> [StoredLayer] {
    var sorted: [StoredLayer] = []
    for layer in try inConfiguredOrder(layers.filter { !$0.weights.isEmpty }) {
      for weight in layer.weights {
        try ledger.use(weight)
        if !weight.isOfBytes { _ = try weight.format }
      }
      guard layer.weights.count > 1, layer.weights.allSatisfy({ $0.shape.count == 1 }) else {
        sorted.append(try weighted(layer))
        continue
      }
      let (configuration, isBehind) = configuredNormalization(layer.name)
      var normalization = try StoredNormalization(layer, configured: configuration)
      normalization.isBehindPooling = configuration?.isBehindPooling ?? false
      guard let last = sorted.last, (isBehind ? last.outputNormalization : last.normalization) == nil else {
        throw FileError(
          .unsupported, code: "keras.normalization", file: layer.weights[0].file.path,
          "has a batch normalisation that is not behind a convolution or dense layer",
          place: "layer \(layer.name)",
          seen: (sorted.last?.normalization ?? sorted.last?.outputNormalization).map {
            "behind the normalisation \($0.name)"
          } ?? "in front of the first convolution")
      }
      if isBehind {
        sorted[sorted.count - 1].outputNormalization = normalization
      } else {
        sorted[sorted.count - 1].normalization = normalization
      }
    }
    return sorted
  }

  /// What the configuration says of a normalisation, and whether it stands behind the activation.
  private func configuredNormalization(
    _ name: String
  ) -> (settings: ConfiguredNetwork.Normalization?, isBehind: Bool) {
    for layer in configured?.weighted ?? [] {
      if let normalization = layer.normalization, normalization.name == name { return (normalization, false) }
      if let normalization = layer.outputNormalization, normalization.name == name {
        return (normalization, true)
      }
    }
    return (nil, false)
  }

  /// The layers as the configuration has them, where it names just these; else as they are.
  ///
  /// Keras gives the groups of a file to the layers of a configuration in turn and looks at no name. So only the layers of a model
  /// that is one layer may stand in another order, in which Keras lists frozen ones last.
  private func inConfiguredOrder(_ layers: [KerasLayer]) throws(FileError) -> [KerasLayer] {
    guard let names = configured?.namesOfLayersWithWeights, Set(names).count == names.count,
      names.count == layers.count, Set(names) == Set(layers.map(\.name))
    else { return layers }
    let sorted = names.compactMap { name in layers.first { $0.name == name } }
    for (stored, described) in zip(layers, sorted)
    where (stored.model ?? stored.name) != (described.model ?? described.name) {
      throw FileError(
        .malformed, code: "keras.config.weights", file: stored.weights[0].file.path,
        "has its layers in another order than its configuration, so that Keras would exchange their weights",
        place: "layer \(stored.name)", seen: stored.name, allowed: "\(described.name), as configured")
    }
    return sorted
  }

  /// A kernel of rank 4 or 2, then a bias of rank 1 or none; anything else is refused by its name.
  private mutating func weighted(_ layer: KerasLayer) throws(FileError) -> StoredLayer {
    if layer.weights.contains(where: \.isOfBytes) { return try StoredQuantization.layer(layer) }
    let layer = withoutFloat8(layer)
    let kernel = layer.weights[0]
    guard [2, 4].contains(kernel.shape.count) else {
      throw FileError(
        .unsupported, code: "keras.layer", file: kernel.file.path, "has a layer that no VGG has",
        place: "layer \(layer.name)", seen: layer.weights.map { "\($0.shape)" }.joined(separator: " "),
        allowed: "a kernel of 4 or 2 axes, and a bias of 1")
    }
    if layer.weights.count > 1, layer.weights[1].shape.count != 1 || layer.weights.count > 2 {
      let unknown = layer.weights[1].shape.count != 1 ? layer.weights[1] : layer.weights[2]
      throw FileError(
        .unsupported, code: "keras.unknown", file: kernel.file.path,
        "has a tensor that belongs to no layer of a VGG",
        place: "tensor \(unknown.dataset.path)", seen: "shape \(unknown.shape)",
        allowed: "a kernel and a bias in layer \(layer.name)")
    }
    return StoredLayer(
      name: layer.name, kernel: kernel, bias: layer.weights.count > 1 ? layer.weights[1] : nil)
  }

  /// A layer without the scales and histories of float8 arithmetic, which its weights are stored without.
  private mutating func withoutFloat8(_ layer: KerasLayer) -> KerasLayer {
    guard layer.weights.contains(where: \.shape.isEmpty), layer.weights.contains(where: \.isKernel) else {
      return layer
    }
    // By name where there are names; else kernel and bias come first.
    let isNamed = layer.weights.contains { $0.part == "kernel" }
    var layer = layer
    let extra = layer.weights.enumerated().filter { index, weight in
      isNamed
        ? weight.part.hasSuffix("_scale") || weight.part.hasSuffix("_amax_history")
        : weight.shape.isEmpty || (index > 1 && layer.weights[index - 1].shape.isEmpty)
    }
    for (_, weight) in extra {
      ledger.drop(weight, because: "state of float8 arithmetic, which is not imitated")
    }
    layer.weights = layer.weights.enumerated()
      .filter { index, _ in !extra.contains { $0.offset == index } }.map(\.element)
    return layer
  }
}
