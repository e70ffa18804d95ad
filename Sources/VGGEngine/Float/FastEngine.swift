internal import CVGGKernels
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
  /// The network that is run.
  public let network: Network
  private let layers: [FastLayer]
  private let instructionSet: VGKISA
  private let threads: Threads
  private let workspaces: WorkspaceStore

  /// Prepares an engine.
  ///
  /// - Throws: `weights` where a weight cannot be read, `memory` where there is too little, `unavailable` where the
  ///   machine lacks the instruction set.
  public init(_ model: Model, options: EngineOptions = EngineOptions()) throws(EngineError) {
    guard options.instructionSet.isAvailable else { throw .unavailable(options.instructionSet) }
    network = model.network
    instructionSet = options.instructionSet.kernelValue
    threads = Threads(count: options.threadCount)
    layers = try FastLayer.layers(of: model, options, threads)
    workspaces = WorkspaceStore(threadCount: threads.count)
  }

  /// Runs the whole network, see ``Engine/run(_:tap:)``.
  public func run(
    _ input: FeatureMap, tap: (Layer, FeatureMap) throws -> Void
  ) throws(EngineError) -> EngineOutput {
    let shapes = try layers.map(\.prepared).outputShapes(for: input.shape, of: network)
    guard input.count > 0 else { return try emptyOutput(shapes, tap) }
    return try withRun(shapes) { (run) throws(EngineError) in
      var outputs: [FeatureMap] = []
      try input.withMap { (map) throws(EngineError) in
        _ = try run.layers(0..<layers.count, of: map) { (index, output) throws(EngineError) in
          let output = try FeatureMap(output)
          do { try tap(layers[index].prepared.layer, output) } catch { throw .tap(error) }
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
    let shapes = try layers.map(\.prepared).outputShapes(for: input.shape, of: network)
    guard input.count > 0 else { return try emptyOutput(shapes) { layer, _ in layerDone(layer) } }
    return try withRun(shapes) { (run) throws(EngineError) in
      var outputs: [FeatureMap] = []
      try input.withMap { (map) throws(EngineError) in
        func done(_ index: Int, _ output: ActivationMap) throws(EngineError) {
          layerDone(layers[index].prepared.layer)
          if index >= layers.count - 2 { outputs.append(try FeatureMap(output)) }
        }
        let split = map.count == 1 ? 0 : splitIndex(shapes)
        var middle = map
        if split > 0 {
          middle = try run.pictures(0..<split, of: map) { (index) in
            layerDone(layers[index].prepared.layer)
          }
        }
        _ = try run.layers(split..<layers.count, of: middle, fuses: true, done)
      }
      return self.output(outputs)
    }
  }

  /// Runs one layer, see ``Engine/evaluate(_:on:)``.
  public func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap {
    _ = try layers.map(\.prepared).prepared(layer)
    guard let index = layers.firstIndex(where: { $0.prepared.layer == layer }) else { return input }
    var shapes = layers.map { _ in input.shape }
    shapes[index] = try layers[index].prepared.outputShape(for: input.shape)
    guard input.count > 0 else { return try FeatureMap(count: 0, shape: shapes[index], values: []) }
    return try withRun(shapes) { (run) throws(EngineError) in
      try input.withMap { (map) throws(EngineError) in
        try FeatureMap(run.layers(index..<index + 1, of: map) { (_, _) throws(EngineError) in })
      }
    }
  }

  /// How the layer of an index is computed.
  func method(of index: Int) -> FastLayer.Method { layers[index].method }

  private func withRun<Result>(
    _ shapes: [FeatureShape], _ body: (FastRun) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    try workspaces.withWorkspace { (workspace) throws(EngineError) in
      try body(
        FastRun(
          layers: layers, shapes: shapes,
          kernels: FastKernels(instructionSet: instructionSet, workspace: workspace, threads: threads)))
    }
  }

  /// The first layer behind which no picture has a map of more than 4 MB; its convolution and pooling stay together.
  private func splitIndex(_ shapes: [FeatureShape]) -> Int {
    guard let last = shapes.lastIndex(where: { $0.count > 1 << 20 }) else { return 0 }
    return last + 1 < layers.count && layers[last].fusesPooling ? last + 2 : last + 1
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
      do { try tap(layer.prepared.layer, outputs[outputs.count - 1]) } catch { throw .tap(error) }
    }
    return output(outputs.suffix(2))
  }
}

/// A run under way.
private struct FastRun {
  let layers: [FastLayer]
  let shapes: [FeatureShape]
  let kernels: FastKernels

  /// Runs some layers on a map, and gives the last one's output, which stays until the workspace is used again.
  ///
  /// - Parameters:
  ///   - target: Where the last output goes, nil: to the workspace.
  ///   - slots: Where the outputs take turns.
  ///   - fuses: Whether a convolution may take the pooling behind it along; it then is done with the same output.
  ///   - done: Gets each layer's index and output.
  func layers(
    _ range: Range<Int>, of input: ActivationMap, into target: UnsafeMutablePointer<Float>? = nil,
    slots: (Workspace.Slot, Workspace.Slot) = (.even, .odd), fuses: Bool = false,
    _ done: (Int, ActivationMap) throws(EngineError) -> Void
  ) throws(EngineError) -> ActivationMap {
    var (current, slots, index) = (input, slots, range.lowerBound)
    while index < range.upperBound {
      var (last, pooling) = (index, Pooling?.none)
      if fuses, layers[index].fusesPooling, index + 1 < range.upperBound,
        case .pooling(let next) = layers[index + 1].prepared.operation
      {
        (last, pooling) = (index + 1, next)
      }
      let isEnd = last + 1 == range.upperBound
      var output = outputMap(of: last, count: input.count, base: current.base)
      if isEnd, let target {
        output.base = target
      } else {
        output.base = try kernels.workspace.take(slots.0, output.pixelCount * output.stride)
      }
      try kernels.compute(layers[index], pooling: pooling, current, into: output)
      for finished in index...last { try done(finished, output) }
      current = output
      slots = (slots.1, slots.0)
      index = last + 1
    }
    return current
  }

  /// Runs some layers on one picture after the other.
  func pictures(
    _ range: Range<Int>, of input: ActivationMap, _ done: (Int) -> Void
  ) throws(EngineError) -> ActivationMap {
    var result = outputMap(of: range.upperBound - 1, count: input.count, base: input.base)
    let length = result.pixelCount / result.count * result.stride
    result.base = try kernels.workspace.take(.batch, result.count * length)
    for picture in 0..<input.count {
      var single = input
      single.count = 1
      single.base += picture * input.pixelCount / input.count * input.stride
      _ = try layers(range, of: single, into: result.base + picture * length, fuses: true) {
        (index, _) throws(EngineError) in done(index)
      }
    }
    return result
  }

  private func outputMap(of index: Int, count: Int, base: UnsafeMutablePointer<Float>) -> ActivationMap {
    let channels = shapes[index].channels
    return ActivationMap(
      count: count, shape: shapes[index],
      stride: layers[index].outputIsPacked ? channels : vgk_fast_channel_stride(channels), base: base)
  }
}

extension FeatureMap {
  /// Lends the values as an input, which nothing writes to.
  fileprivate func withMap<Result>(
    _ body: (ActivationMap) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    try withValues { (values) throws(EngineError) in
      guard let base = values.baseAddress else { throw .memory(byteCount: 0) }
      return try body(
        ActivationMap(
          count: count, shape: shape, stride: shape.channels, base: UnsafeMutablePointer(mutating: base)))
    }
  }
}
