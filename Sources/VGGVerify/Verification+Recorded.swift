internal import VGGEngine
internal import VGGModel

/// A layer of the model against what another program recorded.
public struct RecordedVerdict: Sendable {
  /// The canonical name.
  public var layer: String
  /// The difference; what the layer in front gave is taken as far as it is recorded, and bounded otherwise.
  public var error: BoundedError
  /// The number of values for which so little is recorded in front of them that the derived bound is wider than the
  /// largest magnitude.
  ///
  /// Where all weights are float32 they are held against ``looseTolerance`` of it instead, which is no derived bound.
  public var looseCount = 0

  /// What part of the largest magnitude values may differ by for which there is no narrower bound.
  public static let looseTolerance = 1e-3

  /// Whether every difference is within its bound.
  public var passes: Bool { error.passes }
}

extension Verification {
  /// Runs the model on the recorded input and compares every layer that was recorded.
  ///
  /// Of the other program no more is assumed than that it sums in float32, in whatever order.
  mutating func compareRecorded(
    _ model: Model, _ source: Model, _ recording: RecordedActivations, _ options: EngineOptions
  ) throws(EngineError) {
    var options = options
    options.savesMemory = true
    let engine = try options.engine(for: model)
    var chain = RecordedChain(model: model, source: source, engine: engine, options: options)
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
  let source: Model
  let engine: any Engine
  let options: EngineOptions
  /// How far each value in front of the next layer may be from the other program's; nil: it is the same.
  private var difference: FeatureMap?

  init(model: Model, source: Model, engine: any Engine, options: EngineOptions) {
    self.model = model
    self.source = source
    self.engine = engine
    self.options = options
  }

  /// Judges a layer where it is recorded; otherwise carries the bound on.
  mutating func judge(
    _ layer: Layer, input: FeatureMap, output: FeatureMap, recorded: FeatureMap?
  ) throws(EngineError) -> RecordedVerdict? {
    var bounds = try self.bounds(layer, input: input, output: output)
    var next = try FeatureMap(
      count: output.count, shape: output.shape, values: bounds.map { Float($0).nextUp })
    defer { difference = next }
    guard let recorded else { return nil }
    // Of a batch, often only the first pictures are recorded: for the others the bound stays.
    let part = try output.prefix(recorded.count)
    var values = next.values
    values.replaceSubrange(0..<recorded.valueCount, with: try part.distance(from: recorded).values)
    next = try FeatureMap(count: output.count, shape: output.shape, values: values)
    bounds.removeLast(bounds.count - recorded.valueCount)
    let looseCount = narrow(&bounds, largest: BoundedError(ofBoth: recorded).largestMagnitude)
    return RecordedVerdict(
      layer: layer.name, error: BoundedError(seen: part, expected: recorded, bounds: bounds),
      looseCount: looseCount)
  }

  /// Replaces bounds that say nothing, and counts them.
  private func narrow(_ bounds: inout [Double], largest: Double) -> Int {
    let isFloat32 = model.tensors.allSatisfy { $0.encoding == .float32 }
    var count = 0
    for index in bounds.indices where !(bounds[index] < largest) && largest > 0 {
      count += 1
      if isFloat32 { bounds[index] = RecordedVerdict.looseTolerance * largest }
    }
    return count
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
    return try LayerBound(sample, of: model, source: source, options: options).bounds(
      sample.bands[0], input: input, difference: difference,
      rounding: RoundingPair(model: engine.rounding(of: layer), other: layer.roundingInAnyOrder))
  }
}
