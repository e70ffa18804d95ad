public import VGGModel

/// The fast path: float32 sums, vectorised and blocked for the caches, 3x3 convolutions by Winograd's method.
///
/// Results are the same bits for every number of threads and every split of a batch; they depend on the instruction
/// set and on the extent that the engine is prepared for, and are within a rounding bound of the ``ReferenceEngine``'s.
/// Weights of convolutions are transformed once, on all threads, which takes nine times their memory. Weights of dense
/// layers are used where they are: those that do not lie in memory as float32 are decoded in small pieces as they are
/// multiplied. With ``EngineOptions/savesMemory`` nothing is kept beside the model: convolutions are direct, and their
/// weights are packed when their layer's turn comes.
public struct FastEngine: Engine {
  private let prepared: PreparedNetwork

  /// The network that is run.
  public var network: Network { prepared.network }
  private var layers: [PreparedLayer] { prepared.layers }

  /// Prepares an engine.
  ///
  /// - Throws: `weights` where a weight cannot be read, `memory` where there is too little, `unavailable` where the
  ///   machine lacks the instruction set.
  public init(_ model: Model, options: EngineOptions = EngineOptions()) throws(EngineError) {
    var options = options
    options.kind = .fast
    prepared = try PreparedNetwork(model, Preparation(options))
  }

  /// Runs the whole network, see ``Engine/run(_:tap:)``.
  public func run(
    _ input: FeatureMap, tap: (Layer, FeatureMap) throws -> Void
  ) throws(EngineError) -> EngineOutput {
    let shapes = try prepared.outputShapes(for: input)
    guard input.count > 0 else { return try emptyOutput(shapes, tap) }
    return try withRun(shapes) { (run) throws(EngineError) in
      var outputs: [FeatureMap] = []
      try input.withView { (map) throws(EngineError) in
        _ = try run.layers(0..<layers.count, of: map) { (index, output) throws(EngineError) in
          let output = try FeatureMap(output)
          do { try tap(layers[index].source.layer, output) } catch { throw .tap(error) }
          if index >= layers.count - 2 { outputs.append(output) }
        }
      }
      return self.output(outputs)
    }
  }

  /// Runs the whole network, see ``Engine/run(_:layerDone:)``.
  ///
  /// The first layers, whose maps are large, take one picture at a time, so that these stay in the cache; the others take
  /// the whole batch, so that their weights are read once. Poolings are done together with the convolution in front of
  /// them where that is faster.
  public func run(_ input: FeatureMap, layerDone: (Layer) -> Void) throws(EngineError) -> EngineOutput {
    let shapes = try prepared.outputShapes(for: input)
    guard input.count > 0 else { return try emptyOutput(shapes) { layer, _ in layerDone(layer) } }
    return try withRun(shapes) { (run) throws(EngineError) in
      var outputs: [FeatureMap] = []
      try input.withView { (map) throws(EngineError) in
        func done(_ index: Int, _ output: MapView) throws(EngineError) {
          layerDone(layers[index].source.layer)
          if index >= layers.count - 2 { outputs.append(try FeatureMap(output)) }
        }
        let split = map.layout.count == 1 ? 0 : splitIndex(shapes)
        var middle = map
        if split > 0 {
          middle = try run.pictures(0..<split, of: map) { (index) in
            layerDone(layers[index].source.layer)
          }
        }
        _ = try run.layers(split..<layers.count, of: middle, fuses: true, done)
      }
      return self.output(outputs)
    }
  }

  /// Runs one layer, see ``Engine/evaluate(_:on:)``.
  public func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap {
    try prepared.evaluate(layer, on: input)
  }

  /// How the sums of a layer are rounded, by the method that was chosen for it; see ``Engine/rounding(of:)``.
  public func rounding(of layer: Layer) -> SumRounding { prepared.rounding(of: layer) }

  private func withRun<Result>(
    _ shapes: [FeatureShape], _ body: (FastRun) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    try prepared.workspaces.withWorkspace { (workspace) throws(EngineError) in
      try body(FastRun(layers: layers, shapes: shapes, workspace: workspace))
    }
  }

  /// The first layer behind which no picture has a map of more than 4 MB; its convolution and pooling stay together.
  private func splitIndex(_ shapes: [FeatureShape]) -> Int {
    guard let last = shapes.lastIndex(where: { $0.count > 1 << 20 }) else { return 0 }
    return last + 1 < layers.count && layers[last].fused != nil ? last + 2 : last + 1
  }

  /// The output from those of the last two layers.
  private func output(_ outputs: [FeatureMap]) -> EngineOutput {
    EngineOutput(
      last: outputs.last ?? FeatureMap(), beforeLast: outputs.first ?? FeatureMap(),
      head: network.head?.activation)
  }

  private func emptyOutput(
    _ shapes: [FeatureShape], _ tap: (Layer, FeatureMap) throws -> Void
  ) throws(EngineError) -> EngineOutput {
    var outputs: [FeatureMap] = []
    for (layer, shape) in zip(layers, shapes) {
      outputs.append(try FeatureMap(count: 0, shape: shape, values: []))
      do { try tap(layer.source.layer, outputs[outputs.count - 1]) } catch { throw .tap(error) }
    }
    return output(outputs.suffix(2))
  }
}

/// A run under way.
private struct FastRun {
  let layers: [PreparedLayer]
  let shapes: [FeatureShape]
  let workspace: Workspace

  /// Runs some layers on a map, and gives the last one's output, which stays until the workspace is used again.
  ///
  /// - Parameters:
  ///   - target: Where the last output goes, nil: to the workspace.
  ///   - fuses: Whether a convolution may take the pooling behind it along; it then is done with the same output.
  ///   - done: Gets each layer's index and output.
  func layers(
    _ range: Range<Int>, of input: MapView, into target: UnsafeMutableRawPointer? = nil, fuses: Bool = false,
    _ done: (Int, MapView) throws(EngineError) -> Void
  ) throws(EngineError) -> MapView {
    var (current, index) = (input, range.lowerBound)
    var slots = (Workspace.Slot.even, Workspace.Slot.odd)
    while index < range.upperBound {
      var (last, method) = (index, layers[index].method)
      if fuses, index + 1 < range.upperBound, let fused = layers[index].fused {
        (last, method) = (index + 1, fused)
      }
      let layout = MapLayout(count: input.layout.count, shape: shapes[last], method.outputFormat)
      let isEnd = last + 1 == range.upperBound
      let base =
        if isEnd, let target { target } else { try workspace.take(slots.0, byteCount: layout.byteCount) }
      let output = MapView(layout: layout, base: base)
      try workspace.run(method, current, into: output)
      for finished in index...last { try done(finished, output) }
      current = output
      slots = (slots.1, slots.0)
      index = last + 1
    }
    return current
  }

  /// Runs some layers on one picture after the other.
  func pictures(_ range: Range<Int>, of input: MapView, _ done: (Int) -> Void) throws(EngineError) -> MapView
  {
    let end = range.upperBound - 1
    let layout = MapLayout(count: input.layout.count, shape: shapes[end], layers[end].method.outputFormat)
    let result = MapView(layout: layout, base: try workspace.take(.batch, byteCount: layout.byteCount))
    for index in 0..<input.layout.count {
      _ = try layers(range, of: input.picture(index), into: result.picture(index).base, fuses: true) {
        (index, _) throws(EngineError) in done(index)
      }
    }
    return result
  }
}
