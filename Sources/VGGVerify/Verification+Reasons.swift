internal import Glibc

extension Verification {
  /// Why the verdict is what it is, where it is neither exact nor equivalent: one line for each reason, the first one nearest
  /// to the cause.
  public var reasons: [String] { faults + distances }

  /// Why the model is not what its passes make of the source.
  public var faults: [String] {
    let serious = differences.filter { !$0.isHarmless }
    return serious.filter { !$0.isAboutLayer }.map(\.text) + weightReasons
      + serious.filter(\.isAboutLayer).map(\.text) + layerReasons + recordedReasons
  }

  /// Why the model is not close to the source.
  public var distances: [String] {
    headReasons + overflowReasons
      + distances(
        distance: limits.outputDistance ?? Closeness.distanceLimit,
        sameClasses: limits.sameClassFraction ?? Closeness.sameDecisionLimit)
      // Whatever is stated: a class that has changed is not the same.
      + (closeness.sameDecisionCount < closeness.decisionCount
        && limits.sameClassFraction.map { $0 < 1 } == true
        ? [changedClasses] : [])
  }

  /// Whether all that keeps the model from being close is that it has no dense layers any more.
  public var losesNothingButItsHead: Bool { lacksHead && distances == headReasons }

  /// What exceeds a limit that somebody stated.
  var statedDistances: [String] {
    // No limit states that there need be no classes, or no numbers.
    headReasons + overflowReasons
      + distances(distance: limits.outputDistance, sameClasses: limits.sameClassFraction)
  }

  /// What of the differences leaves the function as it is for pictures of the network's own extent: layers that differ in
  /// the same way together.
  public var notes: [String] {
    var layersByProblem: [(problem: String, layers: [String])] = []
    for difference in differences where difference.isHarmless {
      guard case .layer(let layer) = difference.subject else { continue }
      if let index = layersByProblem.firstIndex(where: { $0.problem == difference.problem }) {
        layersByProblem[index].layers.append(layer)
      } else {
        layersByProblem.append((difference.problem, [layer]))
      }
    }
    return layersByProblem.map { problem, layers in
      "\(layers.joined(separator: ", ")): \(problem); the same for the network's own input, not for other extents"
    }
  }

  /// The first layer that is wrong by its weights, its settings or what it computes with the right input.
  public var culprit: String? {
    if let check = weights.first(where: { !$0.passes }) { return String(check.tensor.prefix { $0 != "/" }) }
    if let tensor = missingTensors.first { return String(tensor.prefix { $0 != "/" }) }
    for difference in differences where !difference.isHarmless {
      if case .layer(let name) = difference.subject { return name }
    }
    return layers.first { !$0.local.passes }?.layer ?? layers.first { !$0.passes }?.layer
      ?? recorded.first { !$0.passes }?.layer
  }

  private var weightReasons: [String] {
    var reasons = missingTensors.map { "\($0) of the source is not in the model" }
    if weights.isEmpty, !differences.contains(where: { $0.subject == .network }) {
      reasons.append("no weights were compared")
    }
    for check in weights where !check.passes {
      guard check.hasSourcesShape else {
        reasons.append("\(check.tensor): has another shape than the source's")
        continue
      }
      if let problem = check.encodingProblem { reasons.append("\(check.tensor): \(problem)") }
      if !check.isComplete {
        reasons.append(
          "\(check.tensor): only \(check.comparedCount) of \(check.valueCount) values could be compared")
      }
      guard check.wrongCount > 0 else { continue }
      let rule = check.requirement == .exact ? "the source's" : "what the passes make of the source's"
      var reason =
        "\(check.tensor): \(check.wrongCount) of \(check.comparedCount) values are not \(rule)"
      if let first = check.firstWrong {
        reason += ", the first at \(first.index): \(first.seen) instead of \(first.expected)"
      }
      reasons.append(reason)
    }
    return reasons
  }

  private var layerReasons: [String] {
    var reasons: [String] = []
    if depth == .layers, layers.isEmpty, isComparable { reasons.append("no layers were compared") }
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
    if isUnchanged, weights.allSatisfy(\.passes), differences.isEmpty,
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

  private var headReasons: [String] {
    lacksHead ? ["the dense layers were left out: the model gives features, not classes"] : []
  }

  private var overflowReasons: [String] {
    weights.filter { $0.overflowCount > 0 }.map {
      "\($0.tensor): \($0.overflowCount) values are too large for their type"
    }
  }

  private var changedClasses: String {
    "\(closeness.decisionCount - closeness.sameDecisionCount) of \(closeness.decisionCount) pictures change their class"
  }

  /// What exceeds limits; one that is nil is not looked at.
  private func distances(distance: Double?, sameClasses: Double?) -> [String] {
    var reasons: [String] = []
    if let limit = limits.accumulatedError,
      let layer = layers.first(where: { !($0.accumulated.relativeError <= limit) })
    {
      reasons.append(
        "\(layer.layer): differs by \(layer.accumulated.relativeError.shortened) of its largest magnitude, allowed \(limit)"
      )
    }
    if let distance, !(closeness.outputDistance <= distance) {
      reasons.append(
        "the output is at a distance of \(closeness.outputDistance.shortened), allowed \(distance)")
    }
    if let sameClasses {
      if let fraction = closeness.sameDecisionFraction {
        if fraction < sameClasses { reasons.append(changedClasses) }
      } else if limits.sameClassFraction != nil, judgesCloseness {
        reasons.append("no classes were compared")
      }
    }
    return reasons
  }
}

extension ModelDifference {
  fileprivate var isAboutLayer: Bool { if case .layer = subject { true } else { false } }
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
