internal import Glibc
internal import VGGEngine
internal import VGGModel

extension Verification {
  /// Runs both networks, and judges each layer by itself and by what reaches it.
  ///
  /// Where the weights are proven to be the source's, bit for bit, and the layers are the same, one computation is both
  /// networks; it is held against double precision.
  mutating func compareLayers(
    of model: Model, against source: Model, inputs: [FeatureMap], _ options: EngineOptions, _ budget: Int
  ) throws(EngineError) {
    let isSame =
      isUnchanged && weights.allSatisfy(\.passes)
      && model.network.layers.allSatisfy { source.network.layers.contains($0) }
    var options = options
    // Two models at once: without second copies of their weights, and with sums whose bound is small.
    if !isSame { options.savesMemory = true }
    let engine = try options.engine(for: model)
    let judge = LayerJudge(
      // The same bits, but where they lie in the order of the kernels.
      model: model, source: isSame ? model : source, engine: engine,
      sourceEngine: isSame ? engine : try options.engine(for: source), options: options, budget: budget,
      seed: UInt64(inputs.count))
    for input in inputs {
      if isSame {
        try runOnce(judge, input)
      } else {
        try runSideBySide(judge, input)
      }
    }
  }

  private mutating func runOnce(_ judge: LayerJudge, _ input: FeatureMap) throws(EngineError) {
    var (current, index) = (input, 0)
    var failure: EngineError?
    var pending = self
    do throws(EngineError) {
      _ = try judge.engine.run(input) { layer, output in
        let step = LayerStep(
          layer: layer, original: layer, sourceInput: current, sourceOutput: output, model: nil)
        do throws(EngineError) {
          _ = try pending.take(step, index, judge)
        } catch {
          failure = error
          throw error
        }
        (current, index) = (output, index + 1)
      }
    } catch {
      throw failure ?? error
    }
    self = pending
  }

  private mutating func runSideBySide(_ judge: LayerJudge, _ input: FeatureMap) throws(EngineError) {
    var (seen, expected) = (input, input)
    for (index, layer) in judge.model.network.layers.enumerated() {
      guard let original = judge.source.network.layers.first(where: { $0.name == layer.name }) else { return }
      let output = try judge.engine.evaluate(layer, on: seen)
      let sourceOutput = try judge.sourceEngine.evaluate(original, on: expected)
      let step = LayerStep(
        layer: layer, original: original, sourceInput: expected, sourceOutput: sourceOutput,
        model: (seen, output))
      // Layers behind one of another shape would only stumble over it.
      guard try take(step, index, judge) else { return }
      (seen, expected) = (output, sourceOutput)
    }
  }

  /// Judges a step and keeps what came of it; false where layers behind it cannot be compared.
  private mutating func take(
    _ step: LayerStep, _ index: Int, _ judge: LayerJudge
  ) throws(EngineError) -> Bool {
    let (verdict, bounds) = try judge.judge(step)
    if index < layers.count { layers[index].include(verdict) } else { layers.append(verdict) }
    guard verdict.local.comparedCount > 0 else { return false }
    let network = judge.model.network
    guard index == network.outputIndex else { return true }
    let output = step.model?.output ?? step.sourceOutput
    outputDistance = max(outputDistance, output.largestCosineDistance(from: step.sourceOutput))
    if network.head?.activation == .softmax, let bounds {
      certificates += ClassCertificate.certificates(
        scores: step.sourceOutput, modelScores: output, bounds: bounds)
    }
    return true
  }
}

extension Network {
  /// The index of the layer whose output is the network's: the scores in front of `prob`, or the features.
  var outputIndex: Int {
    layers.lastIndex { $0.name != "prob" } ?? 0
  }
}

extension FeatureMap {
  /// The largest cosine distance of a picture from the one of the same index; 0 for two of nothing but zeros.
  func largestCosineDistance(from other: FeatureMap) -> Double {
    guard shape == other.shape, count == other.count else { return .infinity }
    if hasSameBits(as: other) { return 0 }
    return withValues { left in
      other.withValues { right in
        (0..<count).map { picture -> Double in
          var (product, leftSquares, rightSquares) = (0.0, 0.0, 0.0)
          for index in picture * shape.count..<(picture + 1) * shape.count {
            let (a, b) = (Double(left[index]), Double(right[index]))
            product += a * b
            leftSquares += a * a
            rightSquares += b * b
          }
          if leftSquares == 0, rightSquares == 0 { return 0 }
          guard leftSquares > 0, rightSquares > 0 else { return 1 }
          return max(0, 1 - product / (leftSquares * rightSquares).squareRoot())
        }.max() ?? 0
      }
    }
  }
}
