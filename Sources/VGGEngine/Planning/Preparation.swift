internal import VGGBytes
internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// A layer, and the method that was chosen for it.
struct PreparedLayer: Sendable {
  let source: WeightedLayer
  let method: any LayerMethod
  /// Computes the layer and the pooling behind it at once, for where nobody asks for what is between them; nil: one
  /// after the other is faster.
  var fused: (any LayerMethod)?

  /// How the sums are rounded.
  var rounding: SumRounding { method.rounding ?? source.layer.roundingInAnyOrder }

  /// Runs the layer alone.
  func evaluate(
    on input: FeatureMap, into output: inout FeatureMap, in workspace: Workspace
  ) throws(EngineError) {
    try output.reshape(count: input.count, shape: source.outputShape(for: input.shape))
    guard output.valueCount > 0 else { return }
    try workspace.run(method, input, into: &output)
  }
}

/// Chooses a method for each layer and prepares it: the one place that knows all methods.
struct Preparation {
  let options: EngineOptions
  let threads: Workers
  /// The number of a dense layer's weights that the reference engine decodes at a time: 64 MB, where fc6 has 411 MB;
  /// much shorter blocks would read a transposed source in too short runs.
  var decodedBlockLength = 1 << 24

  private var instructionSet: VGKISA { options.instructionSet.kernelValue }

  /// The largest tile of Winograd's method: the fastest; smaller ones are more accurate.
  static let largestTile = 7

  init(_ options: EngineOptions) throws(EngineError) {
    guard options.instructionSet.isAvailable else { throw .unavailable(options.instructionSet) }
    self.options = options
    threads = Workers(count: options.threadCount)
  }

  /// Prepares layers that follow one another, for pictures of one shape; other shapes can be run as well.
  func prepare(_ layers: [WeightedLayer], for input: FeatureShape) throws(EngineError) -> [PreparedLayer] {
    // Methods are chosen once, for one extent: weights are transformed for it.
    let shapes = (try? layers.outputShapes(for: input)) ?? []
    var prepared: [PreparedLayer] = []
    for (index, layer) in layers.enumerated() {
      let extents =
        shapes.isEmpty ? nil : (index == 0 ? input.extent : shapes[index - 1].extent, shapes[index].extent)
      let next = index + 1 < layers.count ? layers[index + 1].layer.operation : nil
      if let integers = layer.integers {
        prepared.append(try integerLayer(layer, integers, extents: extents, next: next))
        continue
      }
      switch options.kind {
      case .reference: prepared.append(PreparedLayer(source: layer, method: referenceMethod(for: layer)))
      case .fast:
        prepared.append(try fastLayer(layer, isFirst: index == 0, extents: extents, next: next))
      }
    }
    return prepared
  }

  private func referenceMethod(for layer: WeightedLayer) -> any LayerMethod {
    switch layer.layer.operation {
    case .convolution(let convolution):
      ReferenceConvolution(convolution, layer.weight, layer.bias, instructionSet)
    case .dense(let dense):
      ReferenceDense(dense, of: layer, instructionSet, decodedBlockLength: decodedBlockLength)
    case .pooling(let pooling): ReferencePooling(pooling: pooling)
    case .normalization(let normalization): ReferenceNormalization(normalization: normalization)
    case .softmax: Softmax()
    case .sigmoid: Sigmoid()
    }
  }

  private func fastLayer(
    _ layer: WeightedLayer, isFirst: Bool, extents: (input: Extent, output: Extent)?, next: Layer.Operation?
  ) throws(EngineError) -> PreparedLayer {
    let method: any LayerMethod
    switch layer.layer.operation {
    case .convolution(let convolution):
      let tile = bestTile(convolution, extents, pools: false)
      guard tile > 0 else {
        method = try DirectConvolution(
          convolution, of: layer, instructionSet, threads, inputIsPacked: isFirst,
          keepsWeights: !options.savesMemory)
        break
      }
      let winograd = try WinogradConvolution(convolution, of: layer, tile: tile, instructionSet, threads)
      if case .pooling(let pooling)? = next, pooling.isPlain,
        bestTile(convolution, extents, pools: true) == tile
      {
        return PreparedLayer(source: layer, method: winograd, fused: winograd.fusing(pooling))
      }
      method = winograd
    case .dense(let dense):
      method = try FloatDense(dense, of: layer, instructionSet, threads, savesMemory: options.savesMemory)
    case .pooling(let pooling): method = FloatPooling(pooling: pooling, instructionSet: instructionSet)
    case .normalization(let normalization):
      method = FloatNormalization(normalization: normalization, instructionSet: instructionSet)
    case .softmax: method = Softmax()
    case .sigmoid: method = Sigmoid()
    }
    return PreparedLayer(source: layer, method: method)
  }

  /// The tile of Winograd's method that is fastest, 0 where direct convolution is.
  private func bestTile(
    _ convolution: Convolution, _ extents: (input: Extent, output: Extent)?, pools: Bool
  ) -> Int {
    guard let extents, !options.savesMemory else { return 0 }
    var shape = convolution.kernelShape(extents.input, extents.output)
    return vgk_fast_winograd_best_tile(&shape, pools, Preparation.largestTile)
  }
}
