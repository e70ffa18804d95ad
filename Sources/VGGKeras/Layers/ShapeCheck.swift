internal import VGGBytes
internal import VGGHDF5
internal import VGGSources
internal import VGGTensors

/// All that shapes must fulfil for the sizes in bytes to be believed, so that a file which declares more than it has costs nothing.
struct ShapeCheck {
  /// The order of the axes of convolution kernels.
  let layout: SourceLayout

  /// Checks the layers of a network in order.
  func require(_ layers: [StoredLayer]) throws(FileError) {
    let convolutions = layers.filter(\.isConvolution)
    var channels: Int?
    for layer in convolutions {
      let (height, width, inputs, outputs) = layer.sizes(layout)
      guard height == width, layer.isHead || height == 1 || height == 3 else {
        throw refusal(
          layer.kernel, .unsupported, "model.kernel", "is not a VGG", in: layer,
          seen: "a kernel of \(height)x\(width)", allowed: "3x3 or 1x1"
        ).naming(
          ForeignNetwork(kernels: convolutions.map(kernel), hasDense: convolutions.count < layers.count))
      }
      try requireSizes([inputs, outputs, height], in: layer)
      try requireChain(inputs, channels, in: layer, "input channels")
      try requireVectors(layer, outputs)
      channels = outputs
    }
    var outputs = layers.last(where: { $0.isConvolution && $0.isHead }).map { $0.sizes(layout).outputs }
    for layer in layers where !layer.isConvolution {
      let shape = layer.shape
      try requireSizes(shape, in: layer)
      try requireChain(shape[0], outputs, in: layer, "inputs")
      try requireVectors(layer, shape[1])
      outputs = shape[1]
    }
  }

  private func kernel(_ layer: StoredLayer) -> ForeignNetwork.Kernel {
    let (height, width, inputs, outputs) = layer.sizes(layout)
    return ForeignNetwork.Kernel(outputs: outputs, inputs: inputs, height: height, width: width)
  }

  private func requireSizes(_ sizes: [Int], in layer: StoredLayer) throws(FileError) {
    // The inputs of fc6 may be more than any number of channels: a map of 32x32 pixels at the most.
    let limit = layer.isConvolution ? 1 << 16 : 1 << 26
    guard !sizes.allSatisfy({ (1...limit).contains($0) }) else { return }
    throw refusal(
      layer.kernel, .malformed, "model.channels", "has an impossible number of channels", in: layer,
      seen: "shape \(layer.shape)", allowed: "1 to \(limit)")
  }

  private func requireChain(_ inputs: Int, _ expected: Int?, in layer: StoredLayer, _ what: String)
    throws(FileError)
  {
    guard let expected, inputs != expected else { return }
    throw refusal(
      layer.kernel, .malformed, "model.chain", "has layers that do not fit together", in: layer,
      seen: "\(inputs) \(what)", allowed: "\(expected), as the layer before it gives")
  }

  /// A bias, and each vector of a normalisation, has a number for each output.
  private func requireVectors(_ layer: StoredLayer, _ outputs: Int) throws(FileError) {
    if let bias = layer.bias, bias.shape != [outputs] {
      throw refusal(
        bias, .malformed, "model.bias", "has a bias that does not fit its weight", in: layer,
        seen: "\(bias.shape)", allowed: "[\(outputs)]")
    }
    for vector in layer.vectors where vector.shape != [outputs] {
      throw refusal(
        vector, .malformed, "model.normalization",
        "has a batch normalisation that does not fit the layer before it", in: layer,
        seen: "\(vector.shape)", allowed: "[\(outputs)]")
    }
  }

  private func refusal(
    _ weight: KerasWeight, _ kind: FileError.Kind, _ code: String, _ problem: String,
    in layer: StoredLayer, seen: String, allowed: String
  ) -> FileError {
    FileError(
      kind, code: code, file: weight.file.path, problem, offset: weight.fileOffset,
      place: "layer \(layer.name), tensor \(weight.dataset.path)", seen: seen, allowed: allowed)
  }
}
