internal import VGGBytes
public import VGGEngine
public import VGGModel
internal import VGGTensors

/// What a source gives for some inputs, to hold against it what models that are made of it give: how far each of many is from
/// it, by the measure and on the inputs that a ``Verification`` would judge it with.
public struct SourceOutputs {
  private let batches: PictureBatches
  private let options: EngineOptions
  private let network: Network
  /// The source's outputs, part by part.
  private let expected: [FeatureMap]

  /// Runs a source.
  ///
  /// - Parameters:
  ///   - source: The source.
  ///   - network: What is left of its network in the models that are made of it; their output counts.
  ///   - batches: The inputs, which are read again for each model.
  ///   - options: How networks are run.
  public init(
    of source: Model, for network: Network, on batches: PictureBatches,
    options: EngineOptions = EngineOptions()
  ) throws(EngineError) {
    (self.batches, self.options, self.network) = (batches, options, network)
    var outputs: [FeatureMap] = []
    let run = OutputRun(source, layer: network.outputLayerName, options)
    try network.forEachPart(of: batches) { (pictures) throws(EngineError) in
      outputs.append(try run.output(on: pictures))
    }
    expected = outputs
  }

  /// How close a model is.
  public func closeness(of model: Model) throws(EngineError) -> Closeness {
    var (closeness, part) = (Closeness(), 0)
    let run = OutputRun(model, layer: network.outputLayerName, options)
    try network.forEachPart(of: batches) { (pictures) throws(EngineError) in
      closeness.take(try run.output(on: pictures), expected: expected[part], of: network)
      part += 1
    }
    return closeness
  }
}

/// Runs a model for the output of one layer, without second copies of its weights.
struct OutputRun {
  private let model: Model
  private let layer: String
  private let options: EngineOptions

  init(_ model: Model, layer: String, _ options: EngineOptions) {
    var options = options
    options.savesMemory = true
    (self.model, self.layer, self.options) = (model, layer, options)
  }

  /// What the layer gives.
  func output(on input: FeatureMap) throws(EngineError) -> FeatureMap {
    var options = options
    options.extent = input.shape.extent
    let engine = try options.engine(for: model)
    if engine.network.outputLayerName == layer { return try engine.run(input).scores }
    var found: FeatureMap?
    _ = try engine.run(input) { layer, output in
      if layer.name == self.layer { found = output }
    }
    guard let found else { throw .shape(ShapeError(layer: layer, problem: "is not a layer of the source")) }
    return found
  }
}

extension Network {
  /// The layer whose output is the network's.
  var outputLayerName: String { layers[outputIndex].name }

  /// Hands over batches in parts of so few pictures that what an import may take of memory is enough for a network of full size.
  ///
  /// - Parameters:
  ///   - batches: The batches.
  ///   - batchDone: Called when all pictures of a batch were handed over.
  ///   - body: Gets the pictures.
  func forEachPart(
    of batches: PictureBatches, batchDone: () -> Void = {}, _ body: (FeatureMap) throws(EngineError) -> Void
  ) throws(EngineError) {
    returnFreeMemory()
    for index in 0..<batches.count {
      let batch = try batches.batch(index)
      let length = picturesAtOnce(of: batch.shape.extent)
      for start in stride(from: 0, to: batch.count, by: length) {
        try body(try batch.pictures(start..<min(batch.count, start + length)))
      }
      batchDone()
    }
  }

  /// The number of pictures whose largest map takes no more than 16 MB.
  private func picturesAtOnce(of extent: Extent) -> Int {
    let largest = (try? outputShapes(for: extent))?.map(\.count).max() ?? 1
    return max(1, (1 << 24) / MemoryLayout<Float>.size / max(1, largest))
  }
}

extension EngineOutput {
  /// The scores before the softmax, or the features.
  fileprivate var scores: FeatureMap {
    switch self {
    case .classes(let logits, _), .labels(let logits, _): logits
    case .values(let values): values
    case .features(let features): features
    }
  }
}

extension FeatureMap {
  /// Some pictures of a batch.
  fileprivate func pictures(_ range: Range<Int>) throws(EngineError) -> FeatureMap {
    guard range != 0..<count else { return self }
    let values = withValues { Array($0[range.lowerBound * shape.count..<range.upperBound * shape.count]) }
    return try FeatureMap(count: range.count, shape: shape, values: values)
  }
}
