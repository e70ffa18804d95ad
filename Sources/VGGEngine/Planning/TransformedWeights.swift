internal import CVGGKernels
public import VGGModel
public import VGGTensors

extension EngineOptions {
  /// The bytes of what the fast engine keeps beside a model that computes with values: the weights of its convolutions in
  /// the order of the kernels, most of them transformed for Winograd's method, whatever the model stores them as. Those of dense
  /// layers are read as they are stored; with ``savesMemory``, those of convolutions too.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - extent: The extent of the pictures that it is prepared for.
  /// - Throws: Where such pictures do not fit the network.
  public func transformedWeightByteCount(of network: Network, for extent: Extent) throws(ShapeError) -> Int {
    guard kind == .fast, !savesMemory else { return 0 }
    let isa = instructionSet.kernelValue
    let outputs = try network.outputShapes(for: extent)
    let inputs = [FeatureShape(extent: extent, channels: network.inputChannels)] + outputs
    var floats = 0
    for (index, layer) in network.layers.enumerated() {
      guard case .convolution(let convolution) = layer.operation else { continue }
      var shape = convolution.kernelShape(inputs[index].extent, outputs[index].extent)
      let tile = vgk_fast_winograd_best_tile(&shape, false, Preparation.largestTile)
      floats +=
        tile > 0
        ? vgk_fast_winograd_plan(isa, tile, &shape, 1, nil, 1).weightCount
        : vgk_fast_direct_plan(isa, &shape, convolution.inputChannels).weightCount
    }
    return floats * MemoryLayout<Float>.size
  }
}
