internal import VGGBytes
internal import VGGHDF5
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Where the head begins, and what its outputs are.
extension NetworkAssembly {
  /// Finds out which layers are the head: dense layers, and convolutions in their place.
  ///
  /// Without a configuration, a kernel that is neither 3x3 nor 1x1 begins the head, or a 1x1 where no VGG has one: right
  /// behind a pooling, or before another one.
  func markHead(
    _ layers: inout [StoredLayer], _ layout: SourceLayout, _ poolings: FoundNetwork.Poolings?
  ) {
    let sides = layers.prefix(while: \.isConvolution).map { $0.sizes(layout).height }
    let start: Int
    if let configured {
      start = configured.weighted.firstIndex(where: \.isHead) ?? layers.count
    } else if let foreign = sides.firstIndex(where: { $0 != 1 && $0 != 3 }) {
      // The kernels of another network begin with a large one.
      start = foreign > 0 && sides[(foreign + 1)...].allSatisfy { $0 == 1 } ? foreign : sides.count
    } else if case .placed(let placed)? = poolings, let last = placed.last?.convolutionCount,
      last < sides.count, sides[last...].allSatisfy({ $0 == 1 })
    {
      start = last
    } else {
      let points = sides.reversed().prefix { $0 == 1 }.count
      start = points > 1 ? sides.count - points : sides.count
    }
    for index in layers.indices where index >= start { layers[index].isHead = true }
  }

  /// Refuses a pooling beside convolutions as a head: behind them it is a mean of scores, in front of them one of features.
  func requirePoolingInFront(of head: [StoredLayer], _ pooling: String?) throws(FileError) {
    guard let pooling, let first = head.first, first.isConvolution else { return }
    throw FileError(
      .unsupported, code: "keras.head", file: file,
      "has a head of convolutions and a pooling beside it", place: "layer \(pooling)",
      seen: "a pooling in front of or behind \(first.name)", allowed: "convolutions that cover the whole map",
      advice: "save the whole model, whose configuration tells")
  }

  /// The weight of a dense layer that is stored as a convolution.
  func denseWeight(
    _ convolution: SourceTensor, of layer: StoredLayer
  ) throws(FileError) -> SourceTensor {
    guard !convolution.isRotated else {
      throw FileError(
        .unsupported, code: "keras.head", file: file,
        "has dense layers that are stored as rotated convolutions", place: "layer \(layer.name)",
        seen: "kernels for Theano", allowed: "kernels that are not rotated")
    }
    var weight = convolution
    let (height, width, inputs, outputs) = layer.sizes(convolution.layout)
    if convolution.layout == .oihw {
      weight.shape = [outputs, height * width * inputs]
      weight.layout = .outInFromCHW(channels: inputs, extent: Extent(height: height, width: width))
    } else {
      weight.shape = [height * width * inputs, outputs]
      weight.layout = .inOut
    }
    return weight
  }

  /// What is applied to the last layer, as the configuration or the names of layers tell.
  func headActivation(
    _ head: [StoredLayer], _ others: WeightlessLayers?
  ) throws(FileError) -> FoundNetwork.FoundActivation? {
    guard let others else { return configured?.headActivation }
    if let known = others.headActivation { return known }
    let names = head.map(\.name)
    switch names {
    case ["fc6"], ["fc6", "fc7"],
      ["fc1", "fc2"] where head.first?.bias?.shape == head.last?.bias?.shape:
      return FoundNetwork.FoundActivation(
        .relu,
        because:
          "\(names.joined(separator: " and ")): the hidden layers of a VGG, without a layer of classes behind"
      )
    case ["fc1"] where options.headActivation == nil:
      throw FileError(
        .unsupported, code: "keras.head", file: file,
        "does not tell whether its only dense layer gives features or classes", place: "layer fc1",
        seen: "the name of a VGG's first hidden layer", allowed: "a layer of classes behind it",
        advice: "state it: --head-activation relu (features) or softmax (classes)")
    default: return nil
    }
  }

  /// Notes a pooling in front of the head, and what is assumed of it where only its name is known.
  mutating func take(
    _ pooling: (name: String, pooling: Pooling)?, into found: inout FoundNetwork
  ) {
    guard let (name, pooling) = pooling else { return }
    found.headPooling = pooling
    if pooling.isGlobal {
      decisions.append(
        Provenance.Decision(
          .headOfWholeMap(pooling.method), because: "\(name) pools the whole map"))
    } else if configured == nil {
      decisions.append(
        Provenance.Decision(
          .headPooling(.window(pooling.method)),
          because: "\(name) stands behind the last block; assumed: its window"))
    }
  }
}
