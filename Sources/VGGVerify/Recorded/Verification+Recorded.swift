internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// A layer of the model against what another program recorded.
public struct RecordedVerdict: Sendable {
  /// The canonical name.
  public var layer: String
  /// The difference; what the layer in front gave is taken as far as it is recorded, and bounded otherwise.
  public var error: BoundedError
  /// The number of values for which so little is recorded in front of them that the derived bound is wider than the
  /// largest magnitude.
  ///
  /// Where all weights are float32 they are held against ``looseTolerance`` of it instead, which is no derived bound; with
  /// other weights they are not judged.
  public var looseCount = 0

  /// What part of the largest magnitude values may differ by for which there is no narrower bound.
  public static let looseTolerance = 1e-3

  /// Whether every difference that is judged is within its bound.
  public var passes: Bool { error.passes || error.comparedCount == 0 && looseCount > 0 }
}

extension Verification {
  /// Runs the model on the recorded input and compares every layer that was recorded.
  ///
  /// Of the other program no more is assumed than that it sums in float32, in whatever order.
  mutating func compareRecorded(
    _ model: Model, _ declared: DeclaredModel, _ source: Model, _ recording: RecordedActivations,
    _ options: EngineOptions
  ) throws(EngineError) {
    var options = options
    options.savesMemory = true
    let isFloat32 = model.tensors.allSatisfy(\.isPlain)
    // What was recorded is in the source's units.
    let model = declared.rescaling(model, back: true)
    let engine = try options.engine(for: model)
    var chain = RecordedChain(
      model: model, declared: declared.rescaling(declared.model, back: true), source: source, engine: engine,
      options: options, isFloat32: isFloat32)
    var current = recording.input
    for layer in model.network.layers {
      let output = try engine.evaluate(layer, on: current)
      let known = recording.outputs.first { $0.layer == layer.name }?.values
      if let verdict = try chain.judge(layer, input: current, output: output, recorded: known) {
        recorded.append(verdict)
        if case .softmax = layer.operation, let known {
          recordedClasses = zip(output.largestIndices, known.largestIndices).map { ($0, $1) }
        }
      }
      current = output
    }
  }
}

/// What is known of the difference between the model's activations and recorded ones, carried from layer to layer.
struct RecordedChain {
  let model: Model
  /// What the passes make of the source.
  let declared: Model
  let source: Model
  let engine: any Engine
  let options: EngineOptions
  /// Whether all weights of the model are stored as float32.
  private let isFloat32: Bool
  /// How far each value in front of the next layer may be from the other program's; nil: it is the same.
  private var difference: FeatureMap?

  init(
    model: Model, declared: Model, source: Model, engine: any Engine, options: EngineOptions,
    isFloat32: Bool? = nil
  ) {
    self.isFloat32 = isFloat32 ?? model.tensors.allSatisfy(\.isPlain)
    self.model = model
    self.declared = declared
    self.source = source
    self.engine = engine
    self.options = options
  }

  /// Judges a layer where it is recorded; otherwise carries the bound on.
  mutating func judge(
    _ layer: Layer, input: FeatureMap, output: FeatureMap, recorded: FeatureMap?
  ) throws(EngineError) -> RecordedVerdict? {
    let bounds = try self.bounds(layer, input: input, output: output)
    var next = try FeatureMap(
      count: output.count, shape: output.shape, values: bounds.map { Float($0).nextUp })
    defer { difference = next }
    guard let recorded else { return nil }
    // Of a batch, often only the first pictures are recorded: for the others the bound stays.
    let part = try output.prefix(recorded.count)
    var values = next.values
    values.replaceSubrange(0..<recorded.valueCount, with: try part.distance(from: recorded).values)
    next = try FeatureMap(count: output.count, shape: output.shape, values: values)
    return verdict(layer, part.values, recorded.values, bounds)
  }

  /// Compares what has a bound that says something, and what has none by the tolerance or not at all.
  private func verdict(
    _ layer: Layer, _ seen: [Float], _ expected: [Float], _ bounds: [Double]
  ) -> RecordedVerdict {
    let largest = expected.reduce(0) { max($0, Double($1).magnitude) }
    var judged: (seen: [Float], expected: [Float], bounds: [Double]) = ([], [], [])
    var looseCount = 0
    for index in expected.indices {
      var bound = bounds[index]
      if !(bound < largest), largest > 0 {
        looseCount += 1
        guard isFloat32 || !seen[index].isFinite || !expected[index].isFinite else { continue }
        bound = RecordedVerdict.looseTolerance * largest
      }
      judged.seen.append(seen[index])
      judged.expected.append(expected[index])
      judged.bounds.append(bound)
    }
    return RecordedVerdict(
      layer: layer.name,
      error: BoundedError(seen: judged.seen, expected: judged.expected, bounds: judged.bounds),
      looseCount: looseCount)
  }

  private func bounds(
    _ layer: Layer, input: FeatureMap, output: FeatureMap
  ) throws(EngineError) -> [Double] {
    guard layer.hasWeights else {
      return try PlainLayerBound(layer: layer, options: options).bounds(
        input: input, difference: difference, otherIsForeign: true)
    }
    let sample = LayerSample(
      layer, input: input.shape, output: output.shape, window: model.network.window(of: layer),
      budget: .max, seed: 0)
    return try LayerBound(sample, of: declared, source: source, options: options).bounds(
      sample.bands[0], input: input, difference: difference,
      rounding: RoundingPair(model: engine.rounding(of: layer), other: layer.roundingInAnyOrder))
  }
}
