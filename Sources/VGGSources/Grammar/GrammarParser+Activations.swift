internal import VGGModel
internal import VGGTensors

/// What stands right behind layers with weights: activations, losses, batch normalisations.
extension GrammarParser {
  mutating func takeActivation(_ index: Int, _ kind: HeadActivation?) throws(GrammarRefusal) {
    let last = found.weighted.last
    guard let kind else {
      let allowed: [HeadActivation] = last?.isHead == true ? HeadActivation.allCases : [.relu, .linear]
      throw refusal(index, .activation(allowed: allowed))
    }
    if kind == .linear { return }
    if let last, let activation = last.activation, activation.kind != .relu {
      throw refusal(index, .behindEnd(activation: activation.layer, of: last.layer))
    }
    guard let last, last.activation == nil, last.outputNormalization == nil, kind == .relu || last.isHead
    else {
      if kind == .relu { throw misplaced(index, position, allowed: "one behind each layer with weights") }
      throw misplaced(
        index, hasHead ? "not right behind the last dense layer" : "no dense layers in front of it",
        allowed: "one behind the last dense layer, without a ReLU")
    }
    found.weighted[found.weighted.count - 1].activation = ParsedNetwork.ActivationLayer(
      layer: index, kind: kind)
  }

  /// Behind what the next layer stands.
  private var position: String {
    guard let last = found.weighted.last else { return "in front of the first convolution" }
    return "behind \(layers[last.activation?.layer ?? last.layer].name)"
  }

  /// A loss tells what the outputs are, where it reads those of the last layer.
  mutating func takeLoss(_ index: Int, _ kind: HeadActivation) throws(GrammarRefusal) {
    guard let last = found.weighted.last, last.isHead, last.activation == nil else { return }
    if let loss = last.loss, loss.kind != kind {
      throw misplaced(
        index,
        "a loss for a \(kind.rawValue), though \(layers[loss.layer].name) is one for a \(loss.kind.rawValue)",
        allowed: "losses of one kind")
    }
    found.weighted[found.weighted.count - 1].loss = ParsedNetwork.ActivationLayer(layer: index, kind: kind)
  }

  /// A normalisation must stand behind a layer with weights, its activation or the pooling behind that.
  mutating func takeNormalization(_ index: Int) throws(GrammarRefusal) {
    guard var last = found.weighted.last, let place = try placeOfNormalization(index) else {
      throw misplacedNormalization(
        index,
        seen: found.weighted.last.map {
          let name = layers[$0.layer].name
          guard let kind = $0.activation?.kind, kind != .relu else { return "not right behind \(name)" }
          return "behind the \(kind.rawValue) of \(name)"
        } ?? "in front of the first convolution")
    }
    let isStatistics = layers[index].operation == .batchNormalization
    let earlier = place == .beforeActivation ? last.normalization : last.outputNormalization
    var normalization = earlier ?? ParsedNetwork.Normalization(place: place)
    guard normalization.place == place, normalization.scale == nil, !isStatistics || earlier == nil else {
      let names = [normalization.statistics, normalization.scale].compactMap(\.self).map { layers[$0].name }
      throw misplacedNormalization(index, seen: "a second one, behind \(names.joined(separator: " and "))")
    }
    if isStatistics { normalization.statistics = index } else { normalization.scale = index }
    if place == .beforeActivation {
      last.normalization = normalization
    } else {
      last.outputNormalization = normalization
    }
    found.weighted[found.weighted.count - 1] = last
  }

  /// Where a normalisation that comes next would stand; nil: where none can be worked into a layer.
  private func placeOfNormalization(_ index: Int) throws(GrammarRefusal) -> NormalizationPlace? {
    guard grammar.listsAllLayers else {
      guard let place = grammar.normalizationPlace else { throw refusal(index, .unknownNormalizationPlace) }
      return place
    }
    guard let last = found.weighted.last, zeros == nil else { return nil }
    guard let activation = last.activation else { return hasPooled ? nil : .beforeActivation }
    guard activation.kind == .relu else { return nil }
    return hasPooled ? .behindPooling : .behindActivation
  }

  private func misplacedNormalization(_ index: Int, seen: String) -> GrammarRefusal {
    refusal(
      index,
      .normalization(
        seen: seen, allowed: "one behind a convolution or dense layer, or behind its ReLU"))
  }
}
