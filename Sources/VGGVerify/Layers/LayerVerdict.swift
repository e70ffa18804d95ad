internal import Glibc
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// One layer of the model next to the same layer of the source.
public struct LayerVerdict: Sendable {
  /// The canonical name.
  public var layer: String
  /// The model's layer, summed in float32 in pieces, against the source's in double precision, both with the input that the
  /// source's layer gets: this layer's own fault.
  public var local: BoundedError
  /// Both with what the layers before them gave; the bound carries what was measured in front of the layer.
  public var accumulated: BoundedError
  /// The engine that runs the model against double precision, where its way of summing differs from `local`'s.
  public var engine: BoundedError?

  /// Whether all differences are within their bounds.
  public var passes: Bool { local.passes && accumulated.passes && engine?.passes != false }

  /// Takes in what was found for other inputs.
  mutating func include(_ other: LayerVerdict) {
    local.include(other.local)
    accumulated.include(other.accumulated)
    if let part = other.engine { engine?.include(part) }
  }
}

/// What goes into a layer and comes out of it, in the source's network and in the model's.
struct LayerStep {
  /// The model's layer.
  var layer: Layer
  /// The source's.
  var original: Layer
  var sourceInput: FeatureMap
  var sourceOutput: FeatureMap
  /// The model's input and output; nil where one computation is both.
  var model: (input: FeatureMap, output: FeatureMap)?
}

/// Judges layers one by one.
struct LayerJudge {
  let model: Model
  let source: Model
  /// What the passes make of the source: what bounds are derived from, never the model that is judged.
  let declared: Model
  /// The engines that computed the steps.
  let engine: any Engine
  let sourceEngine: any Engine
  let options: EngineOptions
  /// How many multiplications of a layer are done for each picture; the rest is judged by a sample.
  let budget: Int
  let seed: UInt64

  /// Judges a layer.
  ///
  /// - Returns: The verdict, and a bound for each value of the output that holds for the accumulated difference; nil
  ///   where only a part of the outputs was judged.
  func judge(_ step: LayerStep) throws(EngineError) -> (verdict: LayerVerdict, bounds: [Double]?) {
    let output = step.model?.output ?? step.sourceOutput
    let sample = LayerSample(
      step.layer, input: step.sourceInput.shape, output: step.sourceOutput.shape,
      window: model.network.window(of: step.layer), budget: budget, seed: seed)
    var accumulated =
      step.model == nil
      ? BoundedError(ofBoth: output) : BoundedError(seen: output, expected: step.sourceOutput)
    guard accumulated.comparedCount > 0 else {
      return (LayerVerdict(layer: step.layer.name, local: accumulated, accumulated: accumulated), nil)
    }
    let difference: FeatureMap? =
      if let input = step.model?.input, !input.hasSameBits(as: step.sourceInput) {
        try input.distance(from: step.sourceInput)
      } else { nil }
    let judged =
      step.layer.hasWeights
      ? try judgeWeights(step, sample, difference) : try judgePlain(step, sample, difference)
    if let part = judged.accumulated { accumulated.includeBounds(of: part) }
    let verdict = LayerVerdict(
      layer: step.layer.name, local: judged.local, accumulated: accumulated, engine: judged.engine)
    return (verdict, judged.bounds.count == output.valueCount ? judged.bounds : nil)
  }

  private struct Judged {
    var local = BoundedError()
    /// Nil where one computation is both networks.
    var accumulated: BoundedError?
    var engine: BoundedError?
    var bounds: [Double] = []
  }

  private func judgeWeights(
    _ step: LayerStep, _ sample: LayerSample, _ difference: FeatureMap?
  ) throws(EngineError) -> Judged {
    let bound = try LayerBound(sample, of: declared, source: source, options: options)
    let direct = try directEngine(step.layer, sample, of: model)
    let reference = try referenceEngine(step.original, sample)
    let (directRounding, referenceRounding) = (direct.rounding, reference.rounding)
    let engineRounding = engine.rounding(of: step.layer)
    var judged = Judged()
    if step.model != nil {
      judged.accumulated = BoundedError()
    } else if engineRounding != directRounding {
      judged.engine = BoundedError()
    }
    for band in sample.bands {
      let input = try sample.input(step.sourceInput, band)
      let expected = sample.outputs(ofBand: try reference.evaluate(on: input), band)
      let seen = sample.outputs(ofBand: try direct.evaluate(on: input), band)
      judged.local.include(
        BoundedError(
          seen: seen, expected: expected,
          bounds: try bound.bounds(
            band, input: step.sourceInput, difference: nil,
            rounding: RoundingPair(model: directRounding, other: referenceRounding))))
      guard let own = step.model else {
        // One computation is both networks': what remains is how far it is from exact arithmetic.
        let seen = sample.outputs(step.sourceOutput, band)
        let bounds = try bound.bounds(
          band, input: step.sourceInput, difference: nil,
          rounding: RoundingPair(model: engineRounding, other: referenceRounding))
        judged.engine?.include(BoundedError(seen: seen, expected: expected, bounds: bounds))
        judged.bounds += bounds
        continue
      }
      let bounds = try bound.bounds(
        band, input: own.input, difference: difference,
        rounding: RoundingPair(model: engineRounding, other: sourceEngine.rounding(of: step.original)))
      judged.accumulated?.include(
        BoundedError(
          seen: sample.outputs(own.output, band), expected: sample.outputs(step.sourceOutput, band),
          bounds: bounds))
      judged.bounds += bounds
    }
    return judged
  }

  private func judgePlain(
    _ step: LayerStep, _ sample: LayerSample, _ difference: FeatureMap?
  ) throws(EngineError) -> Judged {
    let bound = PlainLayerBound(layer: step.layer, options: options)
    let seen = try directEngine(step.layer, sample, of: model).evaluate(on: step.sourceInput)
    let expected = try referenceEngine(step.original, sample).evaluate(on: step.sourceInput)
    let bounds = try bound.bounds(input: step.sourceInput, difference: nil, otherIsForeign: false)
    var judged = Judged(local: BoundedError(seen: seen, expected: expected, bounds: bounds), bounds: bounds)
    if let own = step.model {
      judged.bounds = try bound.bounds(input: own.input, difference: difference, otherIsForeign: false)
      judged.accumulated = BoundedError(
        seen: own.output, expected: step.sourceOutput, bounds: judged.bounds)
    }
    return judged
  }

  /// The model's layer in float32 sums whose bound is small: no method that rounds more than the terms.
  private func directEngine(
    _ layer: Layer, _ sample: LayerSample, of model: Model
  ) throws(EngineError) -> LayerEngine {
    var options = options
    options.savesMemory = true
    return try LayerTensors(of: sample, in: model).engine(layer, sample, options)
  }

  /// The source's layer in double precision.
  private func referenceEngine(_ layer: Layer, _ sample: LayerSample) throws(EngineError) -> LayerEngine {
    var options = options
    options.kind = .reference
    return try LayerTensors(of: sample, in: source).engine(layer, sample, options)
  }
}

extension Network {
  /// What a dense layer reads at a time of a larger map; nil where that is not known.
  func window(of layer: Layer) -> Extent? {
    guard let inputExtent, let index = layers.firstIndex(of: layer), index > 0,
      let shapes = try? outputShapes(for: inputExtent)
    else { return nil }
    return shapes[index - 1].extent
  }
}

extension FeatureMap {
  /// Whether two maps of one shape are the same bits.
  func hasSameBits(as other: FeatureMap) -> Bool {
    guard shape == other.shape, count == other.count else { return false }
    return withValues { left in
      other.withValues { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return true }
        return memcmp(left, right, valueCount * MemoryLayout<Float>.size) == 0
      }
    }
  }
}
