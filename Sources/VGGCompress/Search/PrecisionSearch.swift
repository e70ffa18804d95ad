public import VGGBytes
public import VGGModel
internal import VGGTensors

/// Chooses a precision for each layer by what it costs, measured with the engine.
///
/// First each layer is stored less precisely by itself, and the distance of the output measured. By what each step costs for
/// each byte that it saves, the steps of all layers make one order, from the model as it is to the smallest one. The models on
/// that way, and those of one precision throughout, are the candidates: they do not depend on any budget. A budget takes the best
/// of them, each measured as a whole, so a larger one never gives a worse model.
///
/// The search is the same for any number of threads. It knows no file format and no measure: the caller lends both.
public struct PrecisionSearch {
  /// What the caller lends.
  public struct Measures {
    /// The distance of a model's output from that of the one that is searched; not finite where it may not be chosen at all.
    public var distance: (Model) throws(FileError) -> Double
    /// What a model takes to be stored.
    public var size: (Model) throws(FileError) -> StoredSize

    /// Creates measures.
    public init(
      distance: @escaping (Model) throws(FileError) -> Double,
      size: @escaping (Model) throws(FileError) -> StoredSize
    ) {
      (self.distance, self.size) = (distance, size)
    }
  }

  private let model: Model
  private let settings: QuantizationSettings
  private let measures: Measures
  private let layers: [LayerChoices]
  private var candidates: [Candidate]
  private var measuredCount: Int

  /// Finds the candidates.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - settings: How scales are found, which layers are kept, and whether convolutions may have four bits. The precision counts
  ///     for nothing.
  ///   - measures: How models are measured.
  ///   - measured: Called when a model was measured, here and later, with the greatest number of measurements that is known so far.
  /// - Throws: `unsupported` where the model computes in integers, or has no layer of a name to keep.
  public init(
    of model: Model, by settings: QuantizationSettings, measures: Measures,
    measured: @escaping (_ atMost: Int) -> Void = { _ in }
  ) throws(FileError) {
    // Refuses what no precision suits, and puts the names in order.
    guard case .quantize(var settings) = try QuantizePass(settings, in: model, PassContext()).declaration
    else {
      preconditionFailure("a change of precision is declared as one")
    }
    try QuantizePass.requireReals(model)
    settings.precision = .int4
    let weighted = model.network.layers.filter { !$0.tensorRequirements.isEmpty }
    var layers: [LayerChoices] = []
    let whole = try measures.size(model)
    for layer in weighted { layers.append(LayerChoices(layer, of: model, by: settings, size: whole)) }
    let choiceCount = layers.reduce(0) { $0 + $1.possible.count }
    // The way has no more steps than there are choices.
    let most = 2 * choiceCount + 1 + Precision.searched.count
    var counted = measures
    counted.distance = { (model) throws(FileError) in
      defer { measured(most) }
      return try measures.distance(model)
    }
    for precision in Precision.searched {
      let concerned = layers.indices.filter { layers[$0].possible.contains(precision) }
      guard !concerned.isEmpty else { continue }
      let names = Set(concerned.map { layers[$0].name })
      let stored = try model.applying(
        settings.pass(to: precision, of: names, among: weighted))
      for index in concerned {
        guard let tensor = stored.tensor(layers[index].weightName) else { continue }
        try layers[index].add(precision, tensor, in: model, counted)
      }
    }
    self.model = model
    self.settings = settings
    self.measures = counted
    self.layers = layers
    measuredCount = choiceCount
    var candidates: [Candidate] = []
    for choice in Self.choices(of: layers) {
      let passes = Precision.searched.compactMap { precision -> Pass? in
        let names = Set(
          zip(layers, choice).filter { $0.options[$1].precision == precision }.map(\.0.name))
        return names.isEmpty ? nil : settings.pass(to: precision, of: names, among: weighted)
      }
      var stored = model.storing(choice, of: layers)
      // A file also takes what it says of them.
      stored.provenance.passes += passes
      candidates.append(Candidate(choice: choice, passes: passes, size: try measures.size(stored)))
    }
    // Smallest first; of equal ones the one with fewer steps.
    self.candidates = candidates.enumerated().sorted {
      ($0.element.size.byteCount, $0.offset) < ($1.element.size.byteCount, $1.offset)
    }.map(\.element)
  }

  /// The best candidate within a budget.
  ///
  /// - Throws: `unsupported` where there is none: with the code `search.size` and the smallest size, or `search.distance` and the
  ///   smallest distance that can be had.
  public mutating func plan(for budget: PrecisionBudget) throws(FileError) -> PrecisionPlan {
    switch budget {
    case .distance(let limit):
      var least = Double.infinity
      for index in candidates.indices {
        let distance = try distance(ofCandidate: index)
        if distance <= limit { return try plan(index) }
        if distance < least { least = distance }
      }
      throw FileError(
        .unsupported, code: "search.distance", file: model.provenance.sourceName,
        "cannot be stored so that its output stays that close", seen: "\(limit)",
        allowed: least.isFinite ? "a distance of at least \(least)" : "outputs that are finite numbers")
    case .size(let limit):
      var best: Int?
      for index in candidates.indices where candidates[index].size.byteCount <= limit {
        let distance = try distance(ofCandidate: index)
        guard distance.isFinite else { continue }
        if let earlier = best, try self.distance(ofCandidate: earlier) <= distance { continue }
        best = index
      }
      if let best { return try plan(best) }
      throw try tooLarge(for: limit)
    }
  }

  private mutating func tooLarge(for limit: Int) throws(FileError) -> FileError {
    var allowed = "outputs that are finite numbers"
    for index in candidates.indices {
      let distance = try distance(ofCandidate: index)
      guard distance.isFinite else { continue }
      allowed = "at least \(candidates[index].size.byteCount), at a distance of \(distance)"
      break
    }
    return FileError(
      .unsupported, code: "search.size", file: model.provenance.sourceName,
      "cannot be stored in so few bytes by precision alone", seen: "\(limit)", allowed: allowed,
      advice: (settings.includesConvolutions ? "" : "--int4-conv lets convolutions have four bits; ")
        + "'vggconv prune' makes it smaller, at a price")
  }

  /// The distance of a candidate, measured when it is asked for the first time.
  private mutating func distance(ofCandidate index: Int) throws(FileError) -> Double {
    if let known = candidates[index].distance { return known }
    let distance = try measures.distance(model.storing(candidates[index].choice, of: layers))
    candidates[index].distance = distance
    measuredCount += 1
    return distance
  }

  private mutating func plan(_ index: Int) throws(FileError) -> PrecisionPlan {
    let (candidate, distance) = (candidates[index], try distance(ofCandidate: index))
    let planned = zip(layers, candidate.choice).map { layer, choice in
      layer.planned(choice, byteCount: candidate.size.tensorBytes[layer.weightName] ?? 0)
    }
    return PrecisionPlan(
      layers: planned, byteCount: candidate.size.byteCount, distance: distance, passes: candidate.passes,
      measuredCount: measuredCount)
  }
}

/// A model that may be chosen.
private struct Candidate {
  /// The index of what is chosen for each layer.
  let choice: [Int]
  /// What makes it of the model that is searched.
  let passes: [Pass]
  let size: StoredSize
  /// nil until it is measured.
  var distance: Double?
}

extension PrecisionSearch {
  /// The choices that are candidates, those with fewer steps first: from the model as it is always the step that costs the least
  /// for each byte, then those of one precision throughout.
  private static func choices(of layers: [LayerChoices]) -> [[Int]] {
    let steps = layers.enumerated().flatMap { index, layer in
      layer.steps.map { (layer: index, target: $0.target, cost: $0.cost) }
    }
    // The order of equal costs is that of the layers; within a layer costs never fall.
    let ordered = steps.enumerated().sorted {
      ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset)
    }.map(\.element)
    var way = [Array(repeating: 0, count: layers.count)]
    for step in ordered {
      var next = way[way.count - 1]
      next[step.layer] = step.target
      way.append(next)
    }
    for precision in Precision.searched {
      let uniform = layers.map { $0.last(notBelow: precision) }
      if !way.contains(uniform) { way.append(uniform) }
    }
    return way
  }
}

extension Model {
  /// The model with what is chosen for each layer.
  fileprivate func storing(_ choice: [Int], of layers: [LayerChoices]) -> Model {
    let chosen = Dictionary(
      uniqueKeysWithValues: zip(layers, choice).map { ($0.weightName, $0.options[$1].tensor) })
    return mappingTensors { chosen[$0.name] ?? $0 }
  }
}

extension QuantizationSettings {
  /// The pass that stores the weights of some layers with a precision, and keeps those of all others.
  fileprivate func pass(to precision: Precision, of names: Set<String>, among layers: [Layer]) -> Pass {
    var settings = self
    settings.precision = precision
    settings.keptLayers = layers.map(\.name).filter { !names.contains($0) }
    settings.includesConvolutions =
      includesConvolutions && layers.contains { !$0.isDense && names.contains($0.name) }
    return .quantize(settings.normalized)
  }
}
