internal import Glibc
internal import VGGModel

extension Verification {
  /// Why the verdict is `different`: one line for each reason, the first one nearest to the cause.
  public var reasons: [String] {
    weightReasons + networkDifferences + layerReasons + recordedReasons + limitReasons
  }

  /// The first layer that is wrong by its weights, its settings or what it computes with the right input.
  public var culprit: String? {
    if let check = weights.first(where: { !$0.passes }) { return String(check.tensor.prefix { $0 != "/" }) }
    if let tensor = missingTensors.first { return String(tensor.prefix { $0 != "/" }) }
    if let difference = networkDifferences.first { return String(difference.prefix { $0 != ":" }) }
    return layers.first { !$0.local.passes }?.layer ?? layers.first { !$0.passes }?.layer
      ?? recorded.first { !$0.passes }?.layer
  }

  private var weightReasons: [String] {
    var reasons = missingTensors.map { "\($0) of the source is not in the model" }
    if weights.isEmpty { reasons.append("no weights were compared") }
    for check in weights where !check.passes {
      guard check.hasSourcesShape else {
        reasons.append("\(check.tensor): has another shape than the source's")
        continue
      }
      var reason =
        "\(check.tensor): \(check.wrongCount) of \(check.comparedCount) values are not the source's"
      if let first = check.firstWrong {
        reason += ", the first at \(first.index): \(first.seen) instead of \(first.expected)"
      }
      reasons.append(reason)
    }
    return reasons
  }

  private var layerReasons: [String] {
    var reasons: [String] = []
    if layers.isEmpty { reasons.append("no layers were compared") }
    if let layer = layers.first(where: { $0.local.comparedCount == 0 }) {
      reasons.append("\(layer.layer): gives another shape than the source's layer")
    } else if let layer = layers.first(where: { !$0.local.passes }) {
      reasons.append("\(layer.layer): differs with the right input" + layer.local.explanation)
    }
    if let layer = layers.first(where: { !$0.accumulated.passes && $0.accumulated.comparedCount > 0 }) {
      reasons.append("\(layer.layer): differs from the source" + layer.accumulated.explanation)
    }
    if let layer = layers.first(where: { $0.engine?.passes == false }), let error = layer.engine {
      reasons.append("\(layer.layer): the engine differs from exact arithmetic" + error.explanation)
    }
    if isUnchanged, weights.allSatisfy(\.passes),
      let layer = layers.first(where: { $0.accumulated.largestError != 0 })
    {
      reasons.append("\(layer.layer): does not give the source's bits, though all weights are the source's")
    }
    return reasons
  }

  private var recordedReasons: [String] {
    if !recorded.isEmpty, recorded.allSatisfy({ $0.error.comparedCount == 0 }) {
      return ["recording: too few layers are recorded to judge any value"]
    }
    guard let layer = recorded.first(where: { !$0.passes }) else { return [] }
    return ["\(layer.layer): differs from the recorded activations" + layer.error.explanation]
  }

  private var limitReasons: [String] {
    var reasons: [String] = []
    if let limit = limits.accumulatedError,
      let layer = layers.first(where: { !($0.accumulated.relativeError <= limit) })
    {
      reasons.append(
        "\(layer.layer): differs by \(layer.accumulated.relativeError.shortened) of its largest magnitude, allowed \(limit)"
      )
    }
    if let limit = limits.outputDistance, !(outputDistance <= limit) {
      reasons.append("the output's cosine distance is \(outputDistance.shortened), allowed \(limit)")
    }
    if let fraction = limits.sameClassFraction,
      Double(sameClassCount) < fraction * Double(certificates.count) || certificates.isEmpty
    {
      reasons.append(
        certificates.isEmpty
          ? "no classes were compared"
          : "\(certificates.count - sameClassCount) of \(certificates.count) pictures change their class")
    }
    return reasons
  }
}

extension BoundedError {
  /// ` by 0.12 of its largest magnitude, 340 times what arithmetic explains`
  var explanation: String {
    guard largestError.isFinite else { return ": \(largestError) where a number is needed" }
    let times = usedPart.isFinite ? "\(usedPart.shortened) times what" : "nothing in"
    return " by \(relativeError.shortened) of its largest magnitude, \(times) arithmetic explains"
  }
}

extension Double {
  /// The number with three significant digits.
  var shortened: Double {
    guard isFinite, self != 0 else { return self }
    let unit = pow(10, (log10(magnitude)).rounded(.down) - 2)
    // Dividing by a power of ten gives the shortest decimal more often than multiplying by its inverse.
    return unit < 1 ? (self / unit).rounded() / (1 / unit).rounded() : (self / unit).rounded() * unit
  }
}

extension Network {
  /// What the layers do in another way than those of the same names in another network.
  ///
  /// Poolings that round in different directions are the same where the network's own input leaves nothing to round.
  func differences(from other: Network) -> [String] {
    var differences: [String] = []
    let shapes = inputExtent.flatMap { try? outputShapes(for: $0) }
    let otherShapes = inputExtent.flatMap { try? other.outputShapes(for: $0) }
    for (index, layer) in layers.enumerated() {
      guard let otherIndex = other.layers.firstIndex(where: { $0.name == layer.name }) else {
        differences.append("\(layer.name): is not in the source")
        continue
      }
      let isSameExtent = shapes?[index] == otherShapes?[otherIndex] && shapes != nil
      if let difference = layer.operation.difference(
        from: other.layers[otherIndex].operation, isSameExtent: isSameExtent)
      {
        differences.append("\(layer.name): \(difference)")
      }
    }
    return differences
  }
}

extension Layer.Operation {
  fileprivate func difference(from other: Layer.Operation, isSameExtent: Bool) -> String? {
    switch (self, other) {
    case (.pooling(var own), .pooling(let theirs)):
      guard own != theirs else { return nil }
      let rounding = own.rounding
      own.rounding = theirs.rounding
      guard own == theirs else { return "pools in another way than the source's" }
      return isSameExtent
        ? nil
        : "rounds \(rounding == .floor ? "down" : "up"), the source's \(rounding == .floor ? "up" : "down")"
    case (.normalization(let own), .normalization(let theirs)):
      return own.isClose(to: theirs)
        ? nil : "has the constants \(own.description), the source's \(theirs.description)"
    default: return self == other ? nil : "does not compute what the source's does"
    }
  }
}

extension LocalResponseNormalization {
  /// Whether the constants are the same up to a rounding to float32, as files store them.
  fileprivate func isClose(to other: LocalResponseNormalization) -> Bool {
    func isClose(_ left: Double, _ right: Double) -> Bool {
      (left - right).magnitude <= max(left.magnitude, right.magnitude) * 0x1p-22
    }
    return size == other.size && region == other.region && isClose(scale, other.scale)
      && isClose(beta, other.beta) && isClose(k, other.k)
  }

  /// In Caffe's terms: size, alpha of the whole window, beta, k.
  fileprivate var description: String { "\(size),\(scale * Double(size)),\(beta),\(k)" }
}
