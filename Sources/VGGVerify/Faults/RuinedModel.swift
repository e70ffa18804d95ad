public import VGGBytes
public import VGGEngine
public import VGGModel

/// A model that is of no use any more, although all that it says of itself may be true: none may be called equivalent.
public struct RuinedModel: Sendable {
  /// What was done to it.
  public var name: String
  /// The model.
  public var model: Model

  /// All that a source offers a way to.
  ///
  /// Those that a pass alone explains have it in their provenance, as a program that applies it would write it.
  public static func all(of source: Model) throws(FileError) -> [RuinedModel] {
    var ruined: [RuinedModel] = []
    func add(
      _ name: String, _ passes: [Pass], _ change: (Model) throws(FileError) -> Model = { $0 }
    ) throws(FileError) {
      var model = try DeclaredModel(source, passes: passes).model
      model.provenance.passes += passes
      model = try change(model)
      // Biases that are all zero cannot be lost.
      if passes.isEmpty, try !model.differs(from: source) { return }
      ruined.append(RuinedModel(name: name, model: model))
    }
    func changed(_ model: Model, _ layers: [Layer], _ change: LayerChange) throws(FileError) -> Model {
      var model = model
      for layer in layers { model = try change.applied(to: layer, of: model) ?? model }
      return model
    }
    let weighted = source.network.layers.filter(\.hasWeights)
    let dense = weighted.filter(\.isDense)
    let int8 = [Pass.quantize(to: .int8)]
    let int4 = [Pass.quantize(QuantizationSettings(.int4, hasZeroPoints: true, includesConvolutions: true))]
    for (name, passes) in [("int8", int8), ("int4", int4)] {
      for factor in [400, 0.02] as [Float] {
        try add("all \(name) scales times \(factor)", passes) { (model) throws(FileError) in
          try changed(model, weighted, .scaled(channel: nil, by: factor))
        }
      }
      try add("all \(name) codes saturated", passes) { (model) throws(FileError) in
        try changed(model, weighted, .saturated)
      }
    }
    for (name, change) in [
      ("all zero points lost", LayerChange.missingZeroPoints), ("all nibbles exchanged", .exchangedNibbles),
    ] {
      try add(name, int4) { (model) throws(FileError) in try changed(model, weighted, change) }
    }
    try add("all weights zero", []) { (model) throws(FileError) in
      try changed(model, weighted, .truncated(from: 0))
    }
    try add("all signs reversed", []) { (model) throws(FileError) in
      try changed(model, weighted, .scaled(channel: nil, by: -1))
    }
    try add("all biases missing", []) { (model) throws(FileError) in
      try changed(model, weighted, .missingBias)
    }
    try add("declares a pass that nobody knows", [.unknown("improve")])
    if !dense.isEmpty {
      try add("every dense weight pruned, as declared", [.prune(fraction: 1)])
      try add("every dense weight pruned, int8, as declared", int8 + [.prune(fraction: 1)])
      try add("every dense weight zero, not declared", []) { (model) throws(FileError) in
        try changed(model, dense, .truncated(from: 0))
      }
      try add("dense layers left out, as declared", [.dropDense])
    }
    if let rule = source.preprocessing, rule.channelOrder != .gray {
      try add("pictures in another channel order", []) { (model) throws(FileError) in
        var model = model
        model.preprocessing?.channelOrder = rule.channelOrder == .bgr ? .rgb : .bgr
        return model
      }
      try add("pictures less another mean", []) { (model) throws(FileError) in
        var model = model
        model.preprocessing?.mean = rule.mean.map { 255 - $0 }
        return model
      }
    }
    return ruined
  }
}

/// What the verification said of a ruined model.
public struct RuinTrial: Sendable {
  /// What was done to the model.
  public var name: String
  /// What came of the comparison.
  public var verdict: Verification.Verdict

  /// Whether the model was refused.
  public var wasRefused: Bool { verdict == .different || verdict == .faithfulButNotClose }

  /// Verifies a ruined model as any other.
  public init(
    _ ruined: RuinedModel, source: Model, inputs: [FeatureMap], options: EngineOptions = EngineOptions()
  ) throws(VerificationError) {
    name = ruined.name
    verdict = try Verification(
      of: ruined.model, against: source, inputs: inputs, depth: .outputs, options: options
    ).verdict
  }
}
