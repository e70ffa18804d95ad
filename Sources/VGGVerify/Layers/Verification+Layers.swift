internal import Glibc
internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// The models of a comparison and how they are run.
struct VerificationRun {
  let model: Model
  let source: Model
  /// The source with its channels in the units of the model's maps; the same where these are its own.
  let rescaled: Model
  /// The source before mean and scale became part of its first convolution, where they did.
  let unfolded: UnfoldedSource?
  /// What the passes make of the source.
  let declared: Model
  let options: EngineOptions
}

extension Verification {
  /// Runs both networks, and judges each layer by itself and by what reaches it.
  ///
  /// Where the weights are proven to be the source's, bit for bit, and the layers are the same, one computation is both
  /// networks; it is held against double precision. For the first inputs, which are made up, outputs need not be close.
  mutating func compareLayers(
    _ run: VerificationRun, _ inputs: [FeatureMap], madeUpCount: Int, _ budget: Int, _ progress: () -> Void
  ) throws(EngineError) {
    let (model, source) = (run.model, run.rescaled)
    let isSame = isOneComputation(run)
    var options = run.options
    // Two models at once: without second copies of their weights, and with sums whose bound is small.
    if !isSame { options.savesMemory = true }
    let engine = try options.engine(for: model)
    let judge = LayerJudge(
      // The same bits, but where they lie in the order of the kernels.
      model: model, source: isSame ? model : source, declared: isSame ? model : run.declared, engine: engine,
      sourceEngine: isSame ? engine : try options.engine(for: source), options: options, budget: budget,
      seed: UInt64(inputs.count))
    for (index, input) in inputs.enumerated() {
      if isSame {
        try runOnce(judge, input, progress)
      } else {
        try runSideBySide(judge, input, judgesOutput: index >= madeUpCount, progress)
      }
    }
  }

  /// Runs both networks on batches of which only the outputs are compared.
  ///
  /// One network after the other, without second copies of weights, and on few pictures at a time: what an import may take
  /// of memory is enough for a network of full size.
  mutating func compareOutputs(
    _ run: VerificationRun, _ batches: PictureBatches, _ progress: () -> Void
  ) throws(EngineError) {
    let network = run.model.network
    let (seenRun, sourceRun) = (
      run.outputs(of: run.model), run.outputs(of: run.unfolded?.model ?? run.source)
    )
    try network.forEachPart(of: batches, batchDone: progress) { (pictures) throws(EngineError) in
      let seen = try seenRun.output(on: pictures)
      let expected =
        if let unfolded = run.unfolded {
          try sourceRun.output(on: unfolded.input(pictures))
        } else if isOneComputation(run) {
          seen
        } else {
          try sourceRun.output(on: pictures)
        }
      closeness.take(seen, expected: expected, of: network)
    }
  }

  private func isOneComputation(_ run: VerificationRun) -> Bool {
    isUnchanged && weights.allSatisfy(\.passes)
      && run.model.network.layers.allSatisfy { run.source.network.layers.contains($0) }
  }

  private mutating func runOnce(
    _ judge: LayerJudge, _ input: FeatureMap, _ progress: () -> Void
  ) throws(EngineError) {
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
        progress()
      }
    } catch {
      throw failure ?? error
    }
    self = pending
  }

  private mutating func runSideBySide(
    _ judge: LayerJudge, _ input: FeatureMap, judgesOutput: Bool, _ progress: () -> Void
  ) throws(EngineError) {
    var (seen, expected) = (input, input)
    for (index, layer) in judge.model.network.layers.enumerated() {
      guard let original = judge.source.network.layers.first(where: { $0.name == layer.name }) else { return }
      let output = try judge.engine.evaluate(layer, on: seen)
      let sourceOutput = try judge.sourceEngine.evaluate(original, on: expected)
      let step = LayerStep(
        layer: layer, original: original, sourceInput: expected, sourceOutput: sourceOutput,
        model: (seen, output))
      // Layers behind one of another shape would only stumble over it.
      guard try take(step, index, judge, judgesOutput: judgesOutput) else { return }
      (seen, expected) = (output, sourceOutput)
      progress()
    }
  }

  /// Judges a step and keeps what came of it; false where layers behind it cannot be compared.
  private mutating func take(
    _ step: LayerStep, _ index: Int, _ judge: LayerJudge, judgesOutput: Bool = true
  ) throws(EngineError) -> Bool {
    let (verdict, bounds) = try judge.judge(step)
    if index < layers.count { layers[index].include(verdict) } else { layers.append(verdict) }
    guard verdict.local.comparedCount > 0 else { return false }
    let network = judge.model.network
    guard index == network.outputIndex, judgesOutput else { return true }
    let output = step.model?.output ?? step.sourceOutput
    // The source that counts is the one in front of foldings and factors.
    if !isFoldedInexactly, rescaledSource == nil {
      closeness.take(output, expected: step.sourceOutput, of: network)
    }
    if network.head?.activation == .softmax, let bounds {
      certificates += ClassCertificate.certificates(
        scores: step.sourceOutput, modelScores: output, bounds: bounds)
    }
    return true
  }
}

extension VerificationRun {
  /// Runs a model for the output of the layer that is the judged model's last.
  func outputs(of model: Model) -> OutputRun {
    OutputRun(model, layer: self.model.network.outputLayerName, options)
  }
}
