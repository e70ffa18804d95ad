internal import VGGModel

/// Something besides the weights that a model and its source do not share.
public struct ModelDifference: Equatable, Sendable {
  /// What differs.
  public enum Subject: Equatable, Sendable {
    /// The network as a whole.
    case network
    /// One layer, by its canonical name.
    case layer(String)
    /// What is done to pictures.
    case preprocessing
    /// The names of the classes.
    case labels
    /// How codes are computed with.
    case arithmetic
    /// What is said to have been done to the weights.
    case passes
  }
  /// What differs.
  public var subject: Subject
  /// How, as a clause.
  public var problem: String
  /// Whether both compute the same in spite of it, for pictures of the network's own extent.
  public var isHarmless = false

  /// `pool3: rounds up, the source's down`
  public var text: String {
    switch subject {
    case .layer(let name): "\(name): \(problem)"
    case .network, .preprocessing, .labels, .arithmetic, .passes: problem
    }
  }
}

extension Model {
  /// What this model and what the source must have become do not share besides weights, nearest to the cause first.
  ///
  /// Another network is one difference, not one for each of its layers.
  func differences(from declared: Model) -> [ModelDifference] {
    if let difference = network.difference(from: declared.network) {
      return [ModelDifference(subject: .network, problem: difference)]
    }
    return network.layerDifferences(from: declared.network)
      + [preprocessingDifference(from: declared), labelDifference(from: declared)].compactMap(\.self)
  }

  /// How this model computes with codes in another way than what the source must have become.
  func arithmeticDifference(from declared: Model) -> [ModelDifference] {
    let problem: String?
    switch (integerArithmetic, declared.integerArithmetic) {
    case (nil, nil): problem = nil
    case (let own?, let theirs?): problem = own.difference(from: theirs, of: network)
    case (_?, nil): problem = "computes in integers, which its passes do not give"
    case (nil, _?): problem = "does not compute in integers, as it must"
    }
    return problem.map { [ModelDifference(subject: .arithmetic, problem: $0)] } ?? []
  }

  private func preprocessingDifference(from source: Model) -> ModelDifference? {
    guard preprocessing != source.preprocessing else { return nil }
    let (own, theirs) = (preprocessing, source.preprocessing)
    var parts: [String] = []
    func note(_ name: String, _ text: (Preprocessing) -> String) {
      let (own, theirs) = (own.map(text) ?? "unknown", theirs.map(text) ?? "unknown")
      if own != theirs { parts.append("\(name) \(own), the source's \(theirs)") }
    }
    note("channel order") { $0.channelOrder.rawValue }
    note("mean") { $0.mean.map { "\($0)" }.joined(separator: ", ") }
    note("scale") { $0.scale.map { "\($0)" }.joined(separator: ", ") }
    note("resizing") { rule in
      switch rule.resize {
      case .stretch: "stretch"
      case .shorterSide(let side): "shorter side \(side)"
      }
    }
    return ModelDifference(
      subject: .preprocessing,
      problem: "pictures are prepared in another way: " + parts.joined(separator: "; "))
  }

  /// Most sources have no names of classes: then there is nothing to compare.
  private func labelDifference(from source: Model) -> ModelDifference? {
    guard !source.labels.isEmpty, labels != source.labels else { return nil }
    let problem =
      if labels.count == source.labels.count,
        let index = labels.indices.first(where: { labels[$0] != source.labels[$0] })
      {
        "the name of class \(index) is \(labels[index]), the source's \(source.labels[index])"
      } else {
        "there are names for \(labels.count) classes, in the source for \(source.labels.count)"
      }
    return ModelDifference(subject: .labels, problem: problem)
  }
}

extension Network {
  /// What makes this another network than one that the source has become; nil where only settings of layers may differ.
  fileprivate func difference(from other: Network) -> String? {
    guard title == other.title else { return "the source is \(other.title), the model is \(title)" }
    if inputChannels != other.inputChannels {
      return "the source takes \(other.inputChannels) channels, the model \(inputChannels)"
    }
    if let own = head, let theirs = other.head, own.outputCount != theirs.outputCount {
      return "the source has \(theirs.outputCount) outputs, the model \(own.outputCount)"
    }
    if let own = inputExtent, let theirs = other.inputExtent, own != theirs {
      return "the source's input is \(theirs), the model's \(own)"
    }
    return nil
  }

  /// What the layers do in another way than those of the same names in another network.
  ///
  /// Poolings that round in different directions are harmless where the network's own input leaves nothing to round.
  fileprivate func layerDifferences(from other: Network) -> [ModelDifference] {
    let shapes = inputExtent.flatMap { try? outputShapes(for: $0) }
    let otherShapes = inputExtent.flatMap { try? other.outputShapes(for: $0) }
    var differences: [ModelDifference] = []
    for (index, layer) in layers.enumerated() {
      guard let otherIndex = other.layers.firstIndex(where: { $0.name == layer.name }) else {
        differences.append(ModelDifference(subject: .layer(layer.name), problem: "is not in the source"))
        continue
      }
      let isSameExtent = shapes?[index] == otherShapes?[otherIndex] && shapes != nil
      guard
        let difference = layer.operation.difference(
          from: other.layers[otherIndex].operation, isSameExtent: isSameExtent)
      else { continue }
      differences.append(
        ModelDifference(
          subject: .layer(layer.name), problem: difference.problem, isHarmless: difference.isHarmless))
    }
    // What has tensors is missed as tensors.
    for layer in other.layers where layer.tensorRequirements.isEmpty {
      if !layers.contains(where: { $0.name == layer.name }) {
        differences.append(ModelDifference(subject: .layer(layer.name), problem: "is missing"))
      }
    }
    return differences
  }
}

extension Layer.Operation {
  fileprivate func difference(
    from other: Layer.Operation, isSameExtent: Bool
  ) -> (problem: String, isHarmless: Bool)? {
    switch (self, other) {
    case (.pooling(var own), .pooling(let theirs)):
      guard own != theirs else { return nil }
      let rounding = own.rounding
      own.rounding = theirs.rounding
      guard own == theirs else { return ("pools in another way than the source's", false) }
      let (direction, opposite) = rounding == .floor ? ("down", "up") : ("up", "down")
      return ("rounds \(direction), the source's \(opposite)", isSameExtent)
    case (.normalization(let own), .normalization(let theirs)):
      return own.isClose(to: theirs)
        ? nil : ("has the constants \(own.description), the source's \(theirs.description)", false)
    default: return self == other ? nil : ("does not compute what the source's does", false)
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
