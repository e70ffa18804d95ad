public import VGGEngine
public import VGGModel

/// Whether a model computes what its source computes: what was compared, and what came of it.
public struct Verification: Sendable {
  /// The model's tensors against the source's.
  public var weights: [WeightCheck] = []
  /// Tensors of the source that the model should have and has not.
  public var missingTensors: [String] = []
  /// Layers of the model that the source has not.
  public var superfluousLayers: [String] = []
  /// The layers of both run side by side.
  public var layers: [LayerComparison] = []
  /// The model's layers against recorded activations, where there are any.
  public var reference: [LayerDifference] = []
  /// The number of inputs for which both give the same class first.
  public var sameClassCount = 0
  /// The number of inputs whose classes were compared.
  public var classifiedCount = 0
  /// What is allowed.
  public var limits: Limits

  /// What is allowed of differences.
  public struct Limits: Sendable {
    /// The largest difference from recorded activations, as a part of the layer's largest magnitude.
    ///
    /// Applies to models with float32 weights; other programs sum in float32 and in another order.
    public var recordedError = 1e-4
    /// The largest difference from the source's activations, as a part of the layer's largest magnitude; nil: any.
    ///
    /// Models with the source's own weights must agree to the bit whatever this says.
    public var accumulatedError: Double?
    /// The part of the inputs that must have the same class first.
    public var sameClassFraction = 1.0

    /// The limits that apply when nobody says otherwise.
    public init() {}
  }

  /// One layer of the model next to the same layer of the source.
  public struct LayerComparison: Sendable {
    /// The difference when the model's layer gets what the source's layer gets: this layer's own fault.
    public var local: LayerDifference
    /// The difference when each gets what the layers before it gave.
    public var accumulated: LayerDifference
  }

  /// What came of the comparison.
  public enum Verdict: String, Sendable {
    /// All weights are the source's, bit for bit, and so are all activations.
    case exact
    /// All weights are what their encoding can hold of the source's, and nothing exceeds its limit.
    case equivalent
    /// Something is wrong.
    case different
  }

  /// What came of the comparison.
  public var verdict: Verdict {
    guard reasons.isEmpty else { return .different }
    return isUnchanged ? .exact : .equivalent
  }

  /// Whether every weight is stored with the source's precision and none was pruned.
  public var isUnchanged: Bool {
    weights.allSatisfy { $0.requirement == .exact && $0.prunedCount == 0 }
  }

  /// Why the verdict is `different`: one line for each reason, the first one nearest to the cause.
  public var reasons: [String] {
    var reasons = missingTensors.map { "\($0) of the source is not in the model" }
    if weights.isEmpty { reasons.append("no weights were compared") }
    for check in weights where !check.passes {
      var reason =
        "\(check.tensor): \(check.wrongCount) of \(check.comparedCount) values are not the source's"
      if let first = check.firstWrong {
        reason += ", the first at \(first.index): \(first.seen) instead of \(first.expected)"
      }
      reasons.append(reason)
    }
    reasons += superfluousLayers.map { "\($0) of the model is not in the source" }
    if layers.isEmpty { reasons.append("no layers were compared") }
    if let layer = layers.first(where: { $0.local.comparedCount == 0 }) {
      reasons.append("\(layer.local.layer): gives another shape than the source's layer")
    }
    let accumulatedLimit = isUnchanged ? 0 : limits.accumulatedError ?? .greatestFiniteMagnitude
    if let layer = layers.first(where: { !$0.accumulated.isWithin(accumulatedLimit) }) {
      reasons.append(
        "\(layer.accumulated.layer): differs by \(layer.accumulated.relativeError) of its largest magnitude, "
          + "allowed \(accumulatedLimit)")
    }
    if isUnchanged, let layer = reference.first(where: { !$0.isWithin(limits.recordedError) }) {
      reasons.append(
        "\(layer.layer): differs from the recorded activations by \(layer.relativeError) of its largest magnitude, "
          + "allowed \(limits.recordedError)")
    } else if let layer = reference.first(where: { !$0.isWithin(.greatestFiniteMagnitude) }) {
      reasons.append("\(layer.layer): is not finite")
    }
    if Double(sameClassCount) < limits.sameClassFraction * Double(classifiedCount) {
      reasons.append(
        "\(classifiedCount - sameClassCount) of \(classifiedCount) inputs change their class, "
          + "allowed a part of \(1 - limits.sameClassFraction)")
    }
    return reasons
  }

  /// Compares a model with its source.
  ///
  /// - Parameters:
  ///   - model: The model to be judged.
  ///   - source: The source, imported afresh: all its tensors know where they stand in the source file.
  ///   - inputs: Batches of preprocessed pictures that both are run with.
  ///   - recorded: Activations that another program recorded.
  ///   - options: How the engine works.
  public init(
    of model: Model, against source: Model, inputs: [FeatureMap], recorded: RecordedActivations? = nil,
    limits: Limits = Limits(), options: EngineOptions = EngineOptions()
  ) throws(VerificationError) {
    self.limits = limits
    try compareWeights(of: model, against: source)
    guard missingTensors.isEmpty, weights.allSatisfy(\.hasSourcesShape) else { return }
    do throws(EngineError) {
      let (engine, sourceEngine) = (
        try options.engine(for: model), try options.engine(for: source)
      )
      for input in inputs { try compareLayers(engine, sourceEngine, input) }
      if let recorded { try compareRecorded(engine, recorded) }
    } catch {
      throw .engine(error)
    }
  }

  private mutating func compareWeights(of model: Model, against source: Model) throws(VerificationError) {
    let dropped = model.provenance.passes.contains("prune --drop-fc")
    for expected in source.tensors {
      guard let tensor = model.tensor(expected.name) else {
        if !(dropped && expected.name.hasPrefix("fc")) { missingTensors.append(expected.name) }
        continue
      }
      guard let sourceTensor = expected.source else { continue }
      do throws(FileError) {
        weights.append(try WeightCheck(of: tensor, against: sourceTensor))
      } catch {
        throw .file(error)
      }
    }
  }

  /// Runs both networks layer by layer; each of the model's layers also gets the input of the source's.
  private mutating func compareLayers(
    _ engine: any Engine, _ source: any Engine, _ input: FeatureMap
  ) throws(EngineError) {
    var (seen, expected) = (input, input)
    for (index, layer) in engine.network.layers.enumerated() {
      guard let original = source.network.layers.first(where: { $0.name == layer.name }) else {
        superfluousLayers.append(layer.name)
        return
      }
      let local = try engine.evaluate(layer, on: expected)
      seen = try engine.evaluate(layer, on: seen)
      expected = try source.evaluate(original, on: expected)
      let comparison = LayerComparison(
        local: LayerDifference(layer: layer.name, expected: expected, seen: local),
        accumulated: LayerDifference(layer: layer.name, expected: expected, seen: seen))
      if index < layers.count {
        layers[index].local.include(comparison.local)
        layers[index].accumulated.include(comparison.accumulated)
      } else {
        layers.append(comparison)
      }
      // Layers behind one of another shape would only stumble over it.
      guard comparison.local.comparedCount > 0 else { return }
    }
    guard engine.network.hasTop else { return }
    classifiedCount += input.count
    sameClassCount += zip(seen.largestIndices, expected.largestIndices).count { $0 == $1 }
  }

  private mutating func compareRecorded(
    _ engine: any Engine, _ recorded: RecordedActivations
  ) throws(EngineError) {
    var differences: [LayerDifference] = []
    var (sameClass, classified) = (0, 0)
    _ = try engine.run(recorded.input) { layer, seen in
      for output in recorded.outputs where output.layer == layer.name {
        differences.append(
          LayerDifference(
            layer: layer.name, expected: output.values, seen: try seen.prefix(output.values.count)))
        guard case .softmax = layer.operation else { continue }
        classified += output.values.count
        sameClass += zip(seen.largestIndices, output.values.largestIndices).count { $0 == $1 }
      }
    }
    reference = differences
    classifiedCount += classified
    sameClassCount += sameClass
  }
}

/// Why a comparison cannot be made at all.
public enum VerificationError: Error, Sendable {
  /// A tensor cannot be read.
  case file(FileError)
  /// A network cannot be run.
  case engine(EngineError)
}

extension LayerDifference {
  /// Takes in the difference for another input.
  mutating func include(_ other: LayerDifference) {
    comparedCount += other.comparedCount
    if !(other.largestError <= largestError), !largestError.isNaN { largestError = other.largestError }
    largestMagnitude = max(largestMagnitude, other.largestMagnitude)
  }
}

extension FeatureMap {
  /// The first pictures of a batch.
  func prefix(_ number: Int) throws(EngineError) -> FeatureMap {
    number == count
      ? self : try FeatureMap(count: number, shape: shape, values: Array(values.prefix(number * shape.count)))
  }
}
