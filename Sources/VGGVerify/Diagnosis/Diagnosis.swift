internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// What explains that a model is different: a change that makes its layers right.
public struct Diagnosis: Sendable {
  /// The change that undoes the mistake.
  public var change: LayerChange
  /// The layers that it makes right, the first bad one in front.
  public var layers: [String]
}

extension Diagnosis {
  /// Tries the usual suspects on the first layer that is wrong; nil where none explains it. The channels of the source are in the
  /// units of the model's.
  init?(
    of verification: Verification, model: Model, declared: DeclaredModel, source: Model,
    inputs: [FeatureMap], recording: RecordedActivations?, options: EngineOptions
  ) throws(EngineError) {
    guard let culprit = verification.culprit,
      let layer = model.network.layers.first(where: { $0.name == culprit })
    else { return nil }
    let isAgainstSource =
      verification.weights.contains { !$0.passes } || !verification.differences.isEmpty
      || verification.layers.contains { !$0.passes }
    if isAgainstSource, let input = inputs.first {
      let trial = SourceTrial(
        model: model, declared: declared, source: source, input: input, options: options)
      try self.init(layer, of: model, try trial.suspects(for: layer)) { (change, name) throws(EngineError) in
        try trial.passes(change, layer: name)
      }
      let bad = Set(verification.badLayers)
      for other in model.network.layers where bad.contains(other.name) && other.name != culprit {
        if try trial.passes(change, layer: other.name) { layers.append(other.name) }
      }
      return
    }
    guard let recording else { return nil }
    // What was recorded is in the units of the source's channels.
    let trial = RecordingTrial(
      model: declared.rescaling(model, back: true),
      declared: declared.rescaling(declared.model, back: true),
      source: declared.rescaling(source, back: true), recording: recording, options: options)
    try self.init(layer, of: model, try trial.suspects(for: layer)) { (change, name) throws(EngineError) in
      try trial.passes(change, layer: name)
    }
  }

  private init?(
    _ layer: Layer, of model: Model, _ suspects: [LayerChange],
    passes: (LayerChange, String) throws(EngineError) -> Bool
  ) throws(EngineError) {
    for change in suspects where try passes(change, layer.name) {
      self.init(change: change, layers: [layer.name])
      return
    }
    return nil
  }
}

extension Verification {
  /// All layers whose weights or results are wrong with the right input.
  var badLayers: [String] {
    weights.filter { !$0.passes }.map { String($0.tensor.prefix { $0 != "/" }) }
      + layers.filter { !$0.local.passes }.map(\.layer)
  }
}

/// Tries changes of a model's layer against the source's layer.
private struct SourceTrial {
  let model: Model
  let declared: DeclaredModel
  let source: Model
  let input: FeatureMap
  let options: EngineOptions

  func suspects(for layer: Layer) throws(EngineError) -> [LayerChange] {
    var suspects = layer.suspects(in: model)
    guard let original = source.network.layers.first(where: { $0.name == layer.name }) else { return [] }
    if case .normalization(let constants) = original.operation {
      suspects.insert(.normalization(constants), at: 0)
    }
    do throws(FileError) {
      if let own = model.tensor(layer.biasName), let bias = source.tensor(layer.biasName),
        try own.values.array().allSatisfy({ $0 == 0 })
      {
        suspects.append(.bias(try bias.values.array()))
      }
      if let own = model.tensor(layer.weightName), let theirs = source.tensor(layer.weightName),
        let order = try OutputOrder(own).order(of: OutputOrder(theirs))
      {
        suspects.append(.permutedOutputs(order))
      }
    } catch {
      throw .weights(error)
    }
    return suspects
  }

  func passes(_ change: LayerChange, layer name: String) throws(EngineError) -> Bool {
    let layer = model.network.layers.first { $0.name == name }
    guard let layer, let changed = try changed(change, layer),
      let original = source.network.layers.first(where: { $0.name == name }),
      let own = changed.network.layers.first(where: { $0.name == name })
    else { return false }
    guard try weightsPass(changed, own) else { return false }
    let step = try step(own, original)
    let engine = try ReferenceEngine(changed, options: options)
    return try LayerJudge(
      model: changed, source: source, declared: declared.model, engine: engine, sourceEngine: engine,
      options: options,
      budget: LayerSample.standardBudget, seed: 1
    ).judge(step).verdict.local.passes && own.outputShapeEquals(original, for: step.sourceInput.shape)
  }

  private func changed(_ change: LayerChange, _ layer: Layer) throws(EngineError) -> Model? {
    do throws(FileError) { return try change.applied(to: layer, of: model) } catch { throw .weights(error) }
  }

  /// Whether all weights of the layer are what their encoding can hold of the source's, or nearly: a layer that is
  /// right but for one value is not explained by a change of all of them.
  private func weightsPass(_ model: Model, _ layer: Layer) throws(EngineError) -> Bool {
    for needed in layer.tensorRequirements {
      guard let tensor = model.tensor(needed.name),
        let expected = declared.tensors.first(where: { $0.original.name == needed.name })
      else { return false }
      do throws(FileError) {
        guard try WeightCheck(of: tensor, against: expected).passes else { return false }
      } catch {
        throw .weights(error)
      }
    }
    return true
  }

  /// What goes into the source's layer and comes out of it.
  private func step(_ layer: Layer, _ original: Layer) throws(EngineError) -> LayerStep {
    var options = options
    options.savesMemory = true
    let engine = try options.engine(for: source)
    var current = input
    for other in source.network.layers {
      let output = try engine.evaluate(other, on: current)
      if other == original {
        return LayerStep(
          layer: layer, original: original, sourceInput: current, sourceOutput: output, model: nil)
      }
      current = output
    }
    throw .shape(ShapeError(layer: original.name, problem: "is not a layer of the source"))
  }
}

/// Tries changes of a model's layer against what another program recorded.
private struct RecordingTrial {
  let model: Model
  let declared: Model
  let source: Model
  let recording: RecordedActivations
  let options: EngineOptions

  func suspects(for layer: Layer) throws(EngineError) -> [LayerChange] { layer.suspects(in: model) }

  func passes(_ change: LayerChange, layer name: String) throws(EngineError) -> Bool {
    var options = options
    options.savesMemory = true
    let changed: Model?
    guard let layer = model.network.layers.first(where: { $0.name == name }) else { return false }
    do throws(FileError) { changed = try change.applied(to: layer, of: model) } catch {
      throw .weights(error)
    }
    guard let changed else { return false }
    let engine = try options.engine(for: changed)
    var chain = RecordedChain(
      model: changed, declared: declared, source: source, engine: engine, options: options)
    var current = recording.input
    for layer in changed.network.layers {
      let output = try engine.evaluate(layer, on: current)
      let known = recording.outputs.first { $0.layer == layer.name }?.values
      let verdict = try chain.judge(layer, input: current, output: output, recorded: known)
      if layer.name == name { return verdict?.passes == true }
      current = output
    }
    return false
  }
}

extension Layer {
  /// The usual mistakes that a layer of its kind may suffer from, undone.
  fileprivate func suspects(in model: Model) -> [LayerChange] {
    switch operation {
    case .pooling(let pooling): return [.rounding(pooling.rounding == .floor ? .ceiling : .floor)]
    case .normalization(let own): return own.suspects
    case .softmax, .sigmoid: return []
    case .convolution, .dense: break
    }
    var suspects: [LayerChange] = [.rotatedKernels, .transposedKernels]
    if self == model.network.layers.first { suspects.append(.reversedInputChannels) }
    if case .dense = operation {
      suspects = []
      if let channels = model.network.flattenedChannels(in: self) {
        suspects = [.flattenedByChannel(channels: channels), .flattenedByPixel(channels: channels)]
      }
      suspects.append(.transposedDense)
    }
    suspects += [.shiftedBias(by: 1), .shiftedBias(by: -1)]
    let shapes = tensorRequirements.map(\.shape)
    suspects += model.network.layers.filter { $0 != self && $0.tensorRequirements.map(\.shape) == shapes }
      .map { .exchanged(with: $0.name) }
    return suspects
  }

  fileprivate func outputShapeEquals(_ other: Layer, for input: FeatureShape) -> Bool {
    guard case .pooling = operation else { return true }
    let (own, theirs) = (try? outputShape(for: input), try? other.outputShape(for: input))
    return own != nil && own == theirs
  }
}

extension LocalResponseNormalization {
  /// The constants that programs take for one another: k of 1 and 2, alpha of an element and of the window.
  fileprivate var suspects: [LayerChange] {
    var suspects: [LayerChange] = []
    for k in [k, 1, 2] {
      for factor in [1, Double(size), 1 / Double(size)] {
        var constants = self
        (constants.k, constants.scale) = (k, scale * factor)
        if constants != self, !suspects.contains(.normalization(constants)) {
          suspects.append(.normalization(constants))
        }
      }
    }
    return suspects
  }
}

extension Network {
  /// The channels of the map that a dense layer flattens, nil where it flattens none.
  func flattenedChannels(in layer: Layer) -> Int? {
    guard case .dense(let dense) = layer.operation, let index = layers.firstIndex(of: layer), index > 0
    else { return nil }
    for previous in layers[..<index].reversed() {
      switch previous.operation {
      case .convolution(let convolution):
        return dense.inputs > convolution.outputChannels ? convolution.outputChannels : nil
      case .dense: return nil
      case .pooling, .normalization, .softmax, .sigmoid: continue
      }
    }
    return nil
  }
}

/// What tells the output channels of a weight apart: their first values.
private struct OutputOrder {
  private let rows: [[Float]]

  init(_ tensor: Tensor) throws(FileError) {
    let outputs = tensor.shape[tensor.shape.count - 1]
    let length = min(64, tensor.count / outputs)
    rows = try tensor.values.withValues(0..<length * outputs) { (values) throws(FileError) in
      (0..<outputs).map { output in (0..<length).map { values[$0 * outputs + output] } }
    }
  }

  /// For each channel of another weight, the index of the channel here that is nearest to it; nil where these are no
  /// permutation, or the channels are in order.
  func order(of other: OutputOrder) -> [Int]? {
    guard rows.count == other.rows.count, rows.count <= 4096 else { return nil }
    let order = other.rows.map { theirs in
      var (best, smallest) = (0, Float.infinity)
      for (index, own) in rows.enumerated() {
        var distance: Float = 0
        for (left, right) in zip(own, theirs) { distance += (left - right).magnitude }
        if distance < smallest { (best, smallest) = (index, distance) }
      }
      return best
    }
    return Set(order).count == order.count && order != Array(order.indices) ? order : nil
  }
}
