public import VGGTensors

/// A network without its weights: which of the six it is, its input, and its layers in order.
public struct Network: Equatable, Sendable {
  /// Which of the six networks it is.
  public let architecture: Architecture
  /// Channels of the input: 3 for colour pictures.
  public let inputChannels: Int
  /// The input's extent; nil where the dense layers are missing and nothing else tells it.
  public let inputExtent: Extent?
  /// The layers, from the first convolution to what is applied to the last dense layer.
  public let layers: [Layer]

  /// Creates a network from layers that fit together.
  public init(architecture: Architecture, inputChannels: Int, inputExtent: Extent?, layers: [Layer]) {
    self.architecture = architecture
    self.inputChannels = inputChannels
    self.inputExtent = inputExtent
    self.layers = layers
  }

  /// Creates a network of the paper, with any input, widths and class count; `denseWidths` are the outputs of one to three dense
  /// layers, or none for features alone ("notop").
  public init(
    _ architecture: Architecture, inputExtent: Extent = Extent(side: 224), inputChannels: Int = 3,
    widths: [Int] = Architecture.paperWidths, denseWidths: [Int] = Architecture.paperDenseWidths
  ) throws(ShapeError) {
    var convolutions: [Convolution] = []
    for (block, sides) in architecture.kernelSides.enumerated() {
      for side in sides {
        convolutions.append(
          Convolution(
            kernel: Extent(side: side), inputChannels: convolutions.last?.outputChannels ?? inputChannels,
            outputChannels: widths[block]))
      }
    }
    let features = Network.featureLayers(
      NetworkPrefix(whole: architecture), convolutions: convolutions,
      poolings: Array(repeating: Pooling(), count: 5),
      normalization: architecture == .aLRN ? .paper : nil)
    let featureNetwork = Network(
      architecture: architecture, inputChannels: inputChannels, inputExtent: inputExtent, layers: features)
    guard let last = try featureNetwork.outputShapes(for: inputExtent).last else { preconditionFailure() }
    var dense: [Dense] = []
    for width in denseWidths {
      dense.append(Dense(inputs: dense.last?.outputs ?? last.count, outputs: width, activation: .relu))
    }
    self.init(
      architecture: architecture, inputChannels: inputChannels, inputExtent: inputExtent,
      layers: features + (Head(dense, activation: .softmax)?.layers ?? []))
  }

  /// The constants of the normalisation, where there is one.
  public var normalization: LocalResponseNormalization? {
    layers.lazy.compactMap { layer in
      if case .normalization(let normalization) = layer.operation { normalization } else { nil }
    }.first
  }

  /// The same network without its dense layers and what follows them: it gives the features that they read.
  public var withoutDense: Network {
    let end = layers.firstIndex(where: \.isDense) ?? layers.endIndex
    return Network(
      architecture: architecture, inputChannels: inputChannels, inputExtent: inputExtent,
      layers: Array(layers[..<end]))
  }

  /// The layers of the features under their canonical names, and `pool6` in front of the dense layers where there is one.
  ///
  /// - Precondition: As many convolutions and poolings as the prefix has.
  package static func featureLayers(
    _ prefix: NetworkPrefix, convolutions: [Convolution], poolings: [Pooling], headPooling: Pooling? = nil,
    normalization: LocalResponseNormalization?
  ) -> [Layer] {
    precondition(
      convolutions.count == prefix.convolutionCount && poolings.count == prefix.poolingPlaces.count)
    var layers: [Layer] = []
    var remaining = convolutions[...]
    for (block, size) in prefix.blockSizes.enumerated() {
      for index in 0..<size {
        layers.append(
          Layer(name: "conv\(block + 1)_\(index + 1)", operation: .convolution(remaining.removeFirst())))
      }
      if block == 0, let normalization {
        layers.append(Layer(name: "norm1", operation: .normalization(normalization)))
      }
      if block < poolings.count {
        layers.append(Layer(name: "pool\(block + 1)", operation: .pooling(poolings[block])))
      }
    }
    return layers + (headPooling.map { [Layer(name: "pool6", operation: .pooling($0))] } ?? [])
  }
}
