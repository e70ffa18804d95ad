internal import VGGBytes
public import VGGModel
internal import VGGTensors

/// One layer that is evaluated by itself, with no network around it.
///
/// It computes the bits that an engine gives for a network that has no other layer. It is prepared once and holds no
/// state of a run, so several threads may use one.
public struct LayerEngine: Sendable {
  private let prepared: PreparedLayer
  private let workspaces: WorkspaceStore

  /// Prepares the engine that the options ask for.
  ///
  /// - Throws: `weights` where a weight cannot be read, `memory` where there is too little, `unavailable` where the
  ///   machine lacks the instruction set.
  public init(_ layer: WeightedLayer, options: EngineOptions = EngineOptions()) throws(EngineError) {
    let preparation = try Preparation(options)
    let channels =
      if case .convolution(let convolution) = layer.layer.operation { convolution.inputChannels } else { 1 }
    prepared = try preparation.prepare(
      [layer], for: FeatureShape(extent: options.extent ?? Extent(side: 224), channels: channels))[0]
    workspaces = WorkspaceStore(threadCount: preparation.threads.count)
  }

  /// The layer.
  public var layer: Layer { prepared.source.layer }

  /// How its sums are rounded.
  public var rounding: SumRounding { prepared.rounding }

  /// What the layer makes of pictures of any number and of an extent that fits it.
  public func evaluate(on input: FeatureMap) throws(EngineError) -> FeatureMap {
    try workspaces.withWorkspace { (workspace) throws(EngineError) in
      var output = FeatureMap()
      try prepared.evaluate(on: input, into: &output, in: workspace)
      return output
    }
  }
}
