internal import CVGGKernels
public import VGGModel
internal import VGGTensors

/// The yardstick: each output value is one sum in double precision, taken in a fixed order and rounded once.
///
/// Results are the same bits for every number of threads, every instruction set and every split of a batch.
/// Weights that lie in memory as float32 are used where they are; others are decoded when their layer's turn comes,
/// a convolution as a whole and a dense layer some rows at a time, so that memory does not grow with the model.
public struct ReferenceEngine: Engine {
  /// The network that is run.
  public let network: Network
  private let layers: [PreparedLayer]
  private let kernels: ReferenceKernels

  /// Prepares an engine.
  ///
  /// - Throws: `weights` where a bias cannot be read, `unavailable` where the machine lacks the instruction
  ///   set.
  public init(_ model: Model, options: EngineOptions = EngineOptions()) throws(EngineError) {
    // 64 MB, where fc6 has 411 MB; much shorter blocks would read a transposed source in too short runs.
    try self.init(model, options: options, decodedBlockLength: 1 << 24)
  }

  /// Prepares an engine that decodes so many weights of a dense layer at a time.
  package init(_ model: Model, options: EngineOptions, decodedBlockLength: Int) throws(EngineError) {
    guard options.instructionSet.isAvailable else { throw .unavailable(options.instructionSet) }
    network = model.network
    layers = try PreparedLayer.layers(of: model)
    kernels = ReferenceKernels(
      instructionSet: options.instructionSet.kernelValue, threads: Threads(count: options.threadCount),
      decodedBlockLength: decodedBlockLength)
  }

  /// Runs the whole network, see ``Engine/run(_:tap:)``.
  public func run(
    _ input: FeatureMap, tap: (Layer, FeatureMap) throws -> Void
  ) throws(EngineError) -> EngineOutput {
    _ = try layers.outputShapes(for: input.shape, of: network)
    // Two maps take turns: a layer's input is the memory of the next layer's output.
    var current = input
    var output = FeatureMap()
    for prepared in layers {
      try evaluate(prepared, on: current, into: &output)
      do { try tap(prepared.layer, output) } catch { throw .tap(error) }
      swap(&current, &output)
    }
    return EngineOutput(last: current, beforeLast: output, head: network.head?.activation)
  }

  /// Runs one layer, see ``Engine/evaluate(_:on:)``.
  public func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap {
    var output = FeatureMap()
    try evaluate(layers.prepared(layer), on: input, into: &output)
    return output
  }

  private func evaluate(
    _ prepared: PreparedLayer, on input: FeatureMap, into output: inout FeatureMap
  ) throws(EngineError) {
    let shape = try prepared.outputShape(for: input.shape)
    try output.reshape(count: input.count, shape: shape)
    switch prepared.operation {
    case .convolution(let convolution, let weight, let bias):
      try kernels.convolve(convolution, weight: weight, bias: bias, input, into: &output)
    case .pooling(let pooling):
      kernels.pool(pooling, input, into: &output)
    case .normalization(let normalization):
      kernels.normalize(normalization, input, into: &output)
    case .dense(let dense, let weight, let bias):
      guard shape.extent != Extent(side: 1) else {
        return try kernels.multiply(dense, weight: weight, bias: bias, input, into: &output)
      }
      let windows = try input.windows(of: prepared.window ?? input.shape.extent, at: shape.extent)
      output.relabel(
        count: windows.count, shape: FeatureShape(extent: Extent(side: 1), channels: dense.outputs))
      try kernels.multiply(dense, weight: weight, bias: bias, windows, into: &output)
      output.relabel(count: input.count, shape: shape)
    case .softmax:
      kernels.softmax(input, into: &output)
    case .sigmoid:
      kernels.sigmoid(input, into: &output)
    }
  }
}
