public import VGGModel

/// The yardstick: each output value is one sum in double precision, taken in a fixed order and rounded once.
///
/// Results are the same bits for every number of threads, every instruction set and every split of a batch.
/// Weights that lie in memory as float32 are used where they are; others are decoded when their layer's turn comes,
/// a convolution as a whole and a dense layer some rows at a time, so that memory does not grow with the model.
public struct ReferenceEngine: Engine {
  private let prepared: PreparedNetwork

  /// The network that is run.
  public var network: Network { prepared.network }

  /// Prepares an engine.
  ///
  /// - Throws: `weights` where a bias cannot be read, `unavailable` where the machine lacks the instruction
  ///   set.
  public init(_ model: Model, options: EngineOptions = EngineOptions()) throws(EngineError) {
    try self.init(model, options: options, decodedBlockLength: nil)
  }

  /// Prepares an engine that decodes so many weights of a dense layer at a time; nil: as many as are fast.
  package init(_ model: Model, options: EngineOptions, decodedBlockLength: Int?) throws(EngineError) {
    var options = options
    options.kind = .reference
    var preparation = try Preparation(options)
    if let decodedBlockLength { preparation.decodedBlockLength = decodedBlockLength }
    prepared = try PreparedNetwork(model, preparation)
  }

  /// Runs the whole network, see ``Engine/run(_:tap:)``.
  public func run(
    _ input: FeatureMap, tap: (Layer, FeatureMap) throws -> Void
  ) throws(EngineError) -> EngineOutput {
    _ = try prepared.outputShapes(for: input)
    // Two maps take turns: a layer's input is the memory of the next layer's output.
    var current = input
    var output = FeatureMap()
    try prepared.workspaces.withWorkspace { (workspace) throws(EngineError) in
      for layer in prepared.layers {
        try layer.evaluate(on: current, into: &output, in: workspace)
        do { try tap(layer.source.layer, output) } catch { throw .tap(error) }
        swap(&current, &output)
      }
    }
    return EngineOutput(last: current, beforeLast: output, head: network.head?.activation)
  }

  /// Runs one layer, see ``Engine/evaluate(_:on:)``.
  public func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap {
    try prepared.evaluate(layer, on: input)
  }

  /// How the sums of a layer are rounded, see ``Engine/rounding(of:)``.
  public func rounding(of layer: Layer) -> SumRounding { prepared.rounding(of: layer) }
}
