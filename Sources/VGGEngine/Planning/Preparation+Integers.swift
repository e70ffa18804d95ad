internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

extension Preparation {
  /// Chooses a method for a layer of codes and prepares it.
  ///
  /// Both engines give the same bits: the fast one computes what the reference defines.
  ///
  /// - Parameters:
  ///   - layer: The layer.
  ///   - integers: What it computes with.
  ///   - extents: Those that methods are chosen for, of input and output; nil: they are not known.
  ///   - next: What the layer behind it computes.
  func integerLayer(
    _ layer: WeightedLayer, _ integers: IntegerLayer, extents: (input: Extent, output: Extent)?,
    next: Layer.Operation?
  ) throws(EngineError) -> PreparedLayer {
    let instructionSet = options.kind == .fast ? options.instructionSet.kernelValue : nil
    let name = layer.layer.name
    let method: any LayerMethod
    switch layer.layer.operation {
    case .convolution(let convolution):
      guard let instructionSet else {
        try integers.requireSumsThatFit(outputs: convolution.outputChannels, layer: name, threads)
        method = ReferenceIntegerConvolution(convolution, of: integers)
        break
      }
      if winogradPays(convolution, extents, instructionSet),
        let winograd = try IntegerWinogradConvolution(
          convolution, of: integers, name: name, instructionSet, threads)
      {
        if case .pooling(let pooling)? = next, pooling.isPlain {
          return PreparedLayer(source: layer, method: winograd, fused: winograd.fusing(pooling))
        }
        method = winograd
        break
      }
      method = try IntegerConvolution(
        convolution, of: integers, name: name, instructionSet, threads, keepsWeights: !options.savesMemory)
    case .dense(let dense):
      method = try IntegerDense(
        dense, of: integers, name: name, window: layer.window, instructionSet, threads)
    case .pooling(let pooling):
      method = IntegerPooling(pooling: pooling, codes: integers.output, instructionSet: instructionSet)
    case .normalization(let normalization):
      method = try integerNormalization(normalization, integers)
    case .softmax: method = IntegerSoftmax(integers)
    case .sigmoid:
      method = RealLayerOnCodes(method: Sigmoid(), input: integers.input, output: integers.output)
    }
    return PreparedLayer(source: layer, method: method)
  }

  private func integerNormalization(
    _ normalization: LocalResponseNormalization, _ integers: IntegerLayer
  ) throws(EngineError) -> any LayerMethod {
    if options.kind == .fast,
      let tabulated = try IntegerNormalization(normalization, of: integers, threads)
    {
      return tabulated
    }
    return ReferenceIntegerNormalization(normalization, of: integers)
  }

  private func winogradPays(
    _ convolution: Convolution, _ extents: (input: Extent, output: Extent)?, _ instructionSet: VGKISA
  ) -> Bool {
    guard let extents, !options.savesMemory else { return false }
    var shape = convolution.kernelShape(extents.input, extents.output)
    return vgk_integer_winograd_pays(instructionSet, &shape)
  }
}
