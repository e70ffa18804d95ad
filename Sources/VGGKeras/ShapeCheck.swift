internal import VGGHDF5
internal import VGGModel

/// A layer with weights, sorted out.
struct KernelAndBias {
  /// The layer's name.
  var name: String
  /// Of rank 4 for a convolution, 2 for a dense layer.
  var kernel: KerasWeight
  /// Of rank 1.
  var bias: KerasWeight?
  var isConvolution: Bool { kernel.dataset.shape.count == 4 }
}

/// All that shapes must fulfil for the sizes in bytes to be believed, so that a file which declares more than it has costs nothing.
struct ShapeCheck {
  let file: String
  /// Where the HDF5 file begins in the source.
  let offset: Int?
  /// The order of the axes of convolution kernels.
  let layout: SourceLayout

  /// Checks the layers of a network in order.
  func require(_ convolutions: [KernelAndBias], _ dense: [KernelAndBias]) throws(FileError) {
    var channels: Int?
    for layer in convolutions {
      let shape = layer.kernel.dataset.shape
      let (height, width, inputs, outputs) =
        layout == .oihw ? (shape[2], shape[3], shape[1], shape[0]) : (shape[0], shape[1], shape[2], shape[3])
      guard height == width, height == 1 || height == 3 else {
        throw refusal(
          layer.kernel, .unsupported, "model.kernel", "is no VGG", in: layer,
          seen: "a kernel of \(height)x\(width)", allowed: "3x3 or 1x1"
        ).naming(KnownNetwork(kernels: convolutions.map(kernel), hasDense: !dense.isEmpty))
      }
      try requireSizes([inputs, outputs], in: layer)
      try requireChain(inputs, channels, in: layer, "input channels")
      try requireBias(layer, outputs)
      channels = outputs
    }
    var outputs: Int?
    for layer in dense {
      let shape = layer.kernel.dataset.shape
      try requireSizes(shape, in: layer)
      try requireChain(shape[0], outputs, in: layer, "inputs")
      try requireBias(layer, shape[1])
      outputs = shape[1]
    }
  }

  private func kernel(_ layer: KernelAndBias) -> KnownNetwork.Kernel {
    let shape = layer.kernel.dataset.shape
    return layout == .oihw
      ? KnownNetwork.Kernel(outputs: shape[0], inputs: shape[1], height: shape[2], width: shape[3])
      : KnownNetwork.Kernel(outputs: shape[3], inputs: shape[2], height: shape[0], width: shape[1])
  }

  private func requireSizes(_ sizes: [Int], in layer: KernelAndBias) throws(FileError) {
    // The inputs of fc6 may be more than any number of channels: a map of 32x32 pixels at the most.
    let limit = layer.isConvolution ? 1 << 16 : 1 << 26
    guard !sizes.allSatisfy({ (1...limit).contains($0) }) else { return }
    throw refusal(
      layer.kernel, .malformed, "model.channels", "has an impossible number of channels", in: layer,
      seen: "shape \(layer.kernel.dataset.shape)", allowed: "1 to \(limit)")
  }

  private func requireChain(_ inputs: Int, _ expected: Int?, in layer: KernelAndBias, _ what: String)
    throws(FileError)
  {
    guard let expected, inputs != expected else { return }
    throw refusal(
      layer.kernel, .malformed, "model.chain", "has layers that do not fit together", in: layer,
      seen: "\(inputs) \(what)", allowed: "\(expected), as the layer before it gives")
  }

  private func requireBias(_ layer: KernelAndBias, _ outputs: Int) throws(FileError) {
    guard let bias = layer.bias, bias.dataset.shape != [outputs] else { return }
    throw refusal(
      bias, .malformed, "model.bias", "has a bias that does not fit its weight", in: layer,
      seen: "\(bias.dataset.shape)", allowed: "[\(outputs)]")
  }

  private func refusal(
    _ weight: KerasWeight, _ kind: FileError.Kind, _ code: String, _ problem: String,
    in layer: KernelAndBias, seen: String, allowed: String
  ) -> FileError {
    FileError(
      kind, code: code, file: file, problem, offset: weight.dataset.fileOffset(from: offset),
      place: "layer \(layer.name), tensor \(weight.dataset.path)", seen: seen, allowed: allowed)
  }
}
