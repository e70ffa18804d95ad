internal import VGGBytes
internal import VGGModel
internal import VGGSources

/// Where the batch normalisations of a file without configuration stand: in front of the activations or behind them.
///
/// The weights look the same and the network is another one, so something must tell: the names of the layers without
/// weights, in their order, or the user.
struct NormalizationOrder {
  /// What was concluded, one for each place that there is.
  private(set) var decisions: [Provenance.Decision] = []
  private var places: [String: NormalizationPlace] = [:]

  /// Looks at the layers without weights.
  ///
  /// - Throws: `unsupported` where they do not tell and the user does not either, or where the two contradict each other.
  init(_ weights: KerasWeights, file: String, options: ImportOptions) throws(FileError) {
    let neighbours = Neighbours.all(in: weights)
    let activations = weights.layers.count {
      $0.weights.isEmpty && LayerName.mayBeActivation($0.className ?? $0.name)
    }
    // Fewer activations than normalisations: some are part of a layer, and stand in front of its normalisation.
    let mayAllPrecede = weights.placesAreKnown || activations >= neighbours.count
    let poolings = weights.layers.count { ($0.className ?? $0.name).lowercased().contains("pool") }
    for neighbour in neighbours {
      var verdict =
        if weights.generation.writer == .keras0 {
          neighbour.ofNumberedLayers(weights)
        } else if poolings >= 5, activations == 0, options.normalizationPlace == nil {
          // All layers are listed and none is an activation.
          Verdict(
            place: .behindActivation,
            reason: "assumed: no activation is a layer of its own, so each is part of the layer before it")
        } else if weights.placesAreKnown {
          neighbour.ofNamedLayers()
        } else {
          Verdict(reason: "how many layers of each class there are, but not how they alternate")
        }
      if verdict.place == nil, options.normalizationPlace == nil, neighbour.isBehindNoBias, mayAllPrecede,
        neighbour.before.isEmpty
      {
        verdict = Verdict(
          place: .beforeActivation,
          reason:
            "assumed: what is normalised has no bias, which only a normalisation right behind it makes up for"
        )
      }
      let place = try Self.place(verdict, of: neighbour.name, file, options)
      places[neighbour.name] =
        neighbour.hasPoolingInFront && place == .behindActivation ? .behindPooling : place
      note(place, because: verdict.place == nil ? "asked for" : verdict.reason)
    }
  }

  /// Where a normalisation stands.
  func place(of name: String) -> NormalizationPlace { places[name] ?? .beforeActivation }

  private mutating func note(_ place: NormalizationPlace, because reason: String) {
    guard !decisions.contains(where: { $0.kind == .normalizationOrder(place) }) else { return }
    decisions.append(Provenance.Decision(.normalizationOrder(place), because: reason))
  }

  /// What the file says of one normalisation.
  fileprivate struct Verdict {
    /// Nil: the file does not tell.
    var place: NormalizationPlace?
    /// What tells it, or what is not told.
    var reason: String
  }

  private static func place(
    _ verdict: Verdict, of name: String, _ file: String, _ options: ImportOptions
  ) throws(FileError) -> NormalizationPlace {
    switch (verdict.place, options.normalizationPlace) {
    case (let found?, let wanted?) where found != wanted:
      throw FileError(
        .unsupported, code: "keras.normalization.order", file: file,
        "has its batch normalisations \(found.rawValue), not where they are said to be",
        place: "layer \(name)",
        seen: verdict.reason, allowed: wanted.rawValue)
    case (let found?, _): return found
    case (nil, let wanted?): return wanted
    case (nil, nil):
      throw FileError(
        .unsupported, code: "keras.normalization.order", file: file,
        "does not tell whether a batch normalisation stands in front of its activation or behind it",
        place: "layer \(name)", seen: verdict.reason,
        advice: "state it with --bn-before-activation or --bn-after-activation, or save the whole model, "
          + "which tells the order")
    }
  }
}

/// The layers without weights around a batch normalisation, up to the next ones with weights.
private struct Neighbours {
  var name: String
  var index: Int
  /// Whether the layer that is normalised, in front of it in the list, has a kernel and no bias.
  var isBehindNoBias = false
  var before: [KerasLayer] = []
  var after: [KerasLayer] = []

  /// Those of all normalisations, in order; without neighbours where their places are not known.
  static func all(in weights: KerasWeights) -> [Neighbours] {
    let layers = weights.layers
    return layers.indices.filter { layers[$0].isNormalization }.map { index in
      var found = Neighbours(name: layers[index].name, index: index)
      let normalized = layers[..<index].last { !$0.weights.isEmpty }
      found.isBehindNoBias = normalized.map { $0.weights.count == 1 && !$0.isNormalization } ?? false
      guard weights.placesAreKnown else { return found }
      found.before = layers[..<index].reversed().prefix { $0.weights.isEmpty }.reversed()
      found.after = Array(layers[(index + 1)...].prefix { $0.weights.isEmpty })
      return found
    }
  }

  var hasPoolingInFront: Bool { before.contains { $0.name.lowercased().contains("pool") } }

  /// What the names say.
  func ofNamedLayers() -> NormalizationOrder.Verdict {
    let activationBefore = before.first { LayerName.mayBeActivation($0.name) }?.name
    let activationAfter = after.first { LayerName.mayBeActivation($0.name) }?.name
    switch (activationBefore, activationAfter) {
    case (let activation?, nil):
      return .init(place: .behindActivation, reason: "\(activation) stands in front of \(name)")
    case (nil, let activation?) where !hasPoolingInFront:
      return .init(place: .beforeActivation, reason: "\(activation) stands behind \(name)")
    case (nil, _): return .init(reason: "no activation between it and the layers around it")
    case (let first?, let second?): return .init(reason: "\(first) in front of it and \(second) behind it")
    }
  }

  /// Keras 0 numbers its layers: between a normalisation and the next convolution of a block there is one without
  /// weights, the activation, besides the padding that the first convolution has too.
  func ofNumberedLayers(_ weights: KerasWeights) -> NormalizationOrder.Verdict {
    let padding = weights.layers.firstIndex { !$0.weights.isEmpty } ?? 0
    guard before.isEmpty else {
      return .init(reason: "a layer without weights in front of it, and not which")
    }
    guard after.count > padding, weights.generation.form != .graph else {
      return .init(reason: "no layer without weights behind it that could be the activation")
    }
    return .init(
      place: .beforeActivation,
      reason: "between each of them and the next convolution is a layer without weights, besides padding")
  }
}

extension KerasLayer {
  /// Whether the layer has the weights of a batch normalisation: nothing but vectors.
  var isNormalization: Bool { weights.count > 1 && weights.allSatisfy { $0.shape.count == 1 } }
}
