internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A network whose layers are prepared, and the memory and threads for its runs.
struct PreparedNetwork: Sendable {
  let network: Network
  let layers: [PreparedLayer]
  let workspaces: WorkspaceStore

  /// Prepares all layers for the extent that the options say.
  init(_ model: Model, _ preparation: Preparation) throws(EngineError) {
    network = model.network
    let extent = preparation.options.extent ?? network.inputExtent ?? Extent(side: 224)
    layers = try preparation.prepare(
      model.weightedLayers(), for: FeatureShape(extent: extent, channels: network.inputChannels))
    workspaces = WorkspaceStore(threadCount: preparation.threads.count)
  }

  /// The layers' output shapes for an input, which is checked before anything is computed.
  func outputShapes(for input: FeatureMap) throws(EngineError) -> [FeatureShape] {
    // Whatever code stood for such a value, the classes would look like any others.
    if case .code? = layers.first?.method.inputFormat?.element,
      !input.withValues({ $0.allSatisfy(\.isFinite) })
    {
      throw .shape(
        ShapeError(layer: "input", problem: "has values that are no finite numbers: no code stands for them"))
    }
    return try outputShapes(for: input.shape)
  }

  private func outputShapes(for input: FeatureShape) throws(EngineError) -> [FeatureShape] {
    guard input.channels == network.inputChannels else {
      throw .shape(
        ShapeError(
          layer: "input",
          problem: "has \(input.channels) channels, but the network takes \(network.inputChannels)"))
    }
    let sides = 1...Network.largestInputSide
    guard sides.contains(input.extent.height), sides.contains(input.extent.width) else {
      throw .shape(
        ShapeError(
          layer: "input",
          problem: "is \(input.extent), allowed are sides of 1 to \(Network.largestInputSide)"))
    }
    do throws(EngineError) {
      return try layers.map(\.source).outputShapes(for: input)
    } catch {
      guard case .shape(let problem, nil) = error else { throw error }
      throw .shape(problem, fitting: network.inputExtent == input.extent ? nil : network.inputExtent)
    }
  }

  /// Runs one layer of the network on an input of its own.
  func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap {
    guard let prepared = prepared(layer) else {
      throw .shape(ShapeError(layer: layer.name, problem: "is not a layer of this network"))
    }
    return try workspaces.withWorkspace { (workspace) throws(EngineError) in
      var output = FeatureMap()
      try prepared.evaluate(on: input, into: &output, in: workspace)
      return output
    }
  }

  /// How the sums of a layer are rounded.
  func rounding(of layer: Layer) -> SumRounding {
    prepared(layer)?.rounding ?? layer.roundingInAnyOrder
  }

  private func prepared(_ layer: Layer) -> PreparedLayer? { layers.first { $0.source.layer == layer } }
}
