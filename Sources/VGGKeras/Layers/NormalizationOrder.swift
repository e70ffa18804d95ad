internal import VGGModel

/// Whether batch normalisations stand in front of the activations, in a file without configuration.
///
/// Only there can they be worked into the layer before them. Behind an activation, or with the activation inside the
/// convolution, the weights look the same and the network is another one.
enum NormalizationOrder {
  /// Looks at the layers without weights.
  ///
  /// - Returns: What was concluded.
  /// - Throws: Where they say that a normalisation stands behind the activation, or say nothing.
  static func decision(
    _ weights: KerasWeights, file: String, options: ImportOptions
  ) throws(FileError) -> Provenance.Decision {
    func decided(_ reason: String) -> Provenance.Decision {
      Provenance.Decision("normalization-order", "in front of the activations", because: reason)
    }
    if options.normalizationsPrecedeActivations { return decided("asked for") }
    guard weights.placesAreKnown else {
      return decided(try withoutPlaces(weights, file: file))
    }
    let hasBiases = zip(weights.layers, weights.layers.dropFirst()).contains {
      $1.isNormalization && $0.weights.count > 1
    }
    if weights.generation.writer == .keras0 {
      return decided(try withoutNames(weights, file: file))
    }
    var normalization: String?
    var activation: String?
    for layer in weights.layers {
      if !layer.weights.isEmpty {
        if layer.isNormalization, let activation {
          throw refusal(layer.name, file, seen: "behind the activation \(activation)")
        }
        if !layer.isNormalization, hasBiases, let normalization {
          throw refusal(normalization, file, seen: "no activation between it and \(layer.name)")
        }
        (normalization, activation) = (layer.isNormalization ? layer.name : nil, nil)
      } else if LayerName.mayBeActivation(layer.name) {
        (normalization, activation) = (nil, layer.name)
      }
    }
    if let normalization, hasBiases { throw refusal(normalization, file, seen: "no activation behind it") }
    return decided(
      hasBiases
        ? "the names of the layers have an activation behind each of them"
        : "assumed: what is normalised has no bias, which only a normalisation right behind it makes up for")
  }

  /// Keras 0 numbers its layers: between a normalisation and the next convolution of a block there is one without weights,
  /// the activation, besides the padding that the first convolution has too.
  private static func withoutNames(_ weights: KerasWeights, file: String) throws(FileError) -> String {
    let padding = weights.layers.firstIndex { !$0.weights.isEmpty } ?? 0
    var fewest = Int.max
    var last: (layer: KerasLayer, index: Int)?
    for (index, layer) in weights.layers.enumerated() where !layer.weights.isEmpty {
      if let last {
        let between = index - last.index - 1
        if layer.isNormalization, between > 0 {
          throw refusal(layer.name, file, seen: "behind a layer without weights")
        }
        if last.layer.isNormalization { fewest = min(fewest, between) }
      }
      last = (layer, index)
    }
    guard fewest > padding, fewest < .max, weights.generation.form != .graph else {
      throw refusal(
        weights.layers.first { $0.isNormalization }?.name ?? "", file,
        seen: "no layer without weights behind it that could be the activation")
    }
    return "between each of them and the next convolution is a layer without weights, besides padding"
  }

  /// Keras 3 tells of each class how many layers it has, not how they alternate.
  private static func withoutPlaces(_ weights: KerasWeights, file: String) throws(FileError) -> String {
    let count = weights.layers.count(where: \.isNormalization)
    let weightless = weights.layers.filter(\.weights.isEmpty)
    let activations = weightless.count { LayerName.mayBeActivation($0.className ?? $0.name) }
    guard activations >= count else {
      throw refusal(
        weights.layers.first { $0.isNormalization }?.name ?? "", file,
        seen: "\(count) normalisations and \(activations) activations that are layers of their own")
    }
    return
      "assumed: the file has \(activations) activations that are layers of their own, but not their order"
  }

  private static func refusal(_ layer: String, _ file: String, seen: String) -> FileError {
    FileError(
      .unsupported, code: "keras.normalization.order", file: file,
      "has a batch normalisation that is not in front of an activation, as far as the file tells",
      place: "layer \(layer)", seen: seen, allowed: "a convolution, its normalisation, then its activation",
      advice: "--bn-before-activation if you know that it is, or save the whole model, which tells the order")
  }
}

extension KerasLayer {
  /// Whether the layer has the weights of a batch normalisation: nothing but vectors.
  var isNormalization: Bool { weights.count > 1 && weights.allSatisfy { $0.shape.count == 1 } }
}
