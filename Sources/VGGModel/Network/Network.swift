/// A network without its weights: which of the six it is, its input, and its layers in order.
public struct Network: Equatable, Sendable {
  /// Which of the six networks it is.
  public let architecture: Architecture
  /// Channels of the input: 3 for colour pictures.
  public let inputChannels: Int
  /// The input's extent; nil where the dense layers are missing and nothing else tells it.
  public let inputExtent: Extent?
  /// The layers, from the first convolution to the softmax.
  public let layers: [Layer]

  /// Creates a network from layers that fit together.
  public init(architecture: Architecture, inputChannels: Int, inputExtent: Extent?, layers: [Layer]) {
    self.architecture = architecture
    self.inputChannels = inputChannels
    self.inputExtent = inputExtent
    self.layers = layers
  }

  /// Creates a network of the paper, with any input, widths and class count; `denseWidths` may be empty ("notop").
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
      architecture, convolutions: convolutions, pooling: Array(repeating: Pooling(), count: 5),
      normalization: architecture == .aLRN ? .paper : nil)
    let featureNetwork = Network(
      architecture: architecture, inputChannels: inputChannels, inputExtent: inputExtent, layers: features)
    guard let last = try featureNetwork.outputShapes(for: inputExtent).last else { preconditionFailure() }
    var dense: [Dense] = []
    for (index, width) in denseWidths.enumerated() {
      dense.append(
        Dense(
          inputs: dense.last?.outputs ?? last.count, outputs: width,
          activation: index == denseWidths.count - 1 ? .none : .relu))
    }
    self.init(
      architecture: architecture, inputChannels: inputChannels, inputExtent: inputExtent,
      layers: features + Network.denseLayers(dense))
  }

  /// Whether the network ends in dense layers and a softmax, not in pool5.
  public var hasTop: Bool { layers.contains { if case .dense = $0.operation { true } else { false } } }

  /// The number of classes, nil without a top.
  public var classCount: Int? {
    for layer in layers.reversed() {
      if case .dense(let dense) = layer.operation { return dense.outputs }
    }
    return nil
  }

  /// The layers of the five blocks, under their canonical names, and `pool6`, a pooling over the whole map, where there is one.
  ///
  /// - Precondition: As many convolutions as the architecture has, and five or six poolings.
  package static func featureLayers(
    _ architecture: Architecture, convolutions: [Convolution], pooling: [Pooling],
    normalization: LocalResponseNormalization?
  ) -> [Layer] {
    precondition(convolutions.count == architecture.convolutionCount && (5...6).contains(pooling.count))
    var layers: [Layer] = []
    var remaining = convolutions[...]
    for (block, sides) in architecture.kernelSides.enumerated() {
      for index in sides.indices {
        layers.append(
          Layer(name: "conv\(block + 1)_\(index + 1)", operation: .convolution(remaining.removeFirst())))
      }
      if block == 0, let normalization {
        layers.append(Layer(name: "norm1", operation: .normalization(normalization)))
      }
      layers.append(Layer(name: "pool\(block + 1)", operation: .pooling(pooling[block])))
    }
    return layers + pooling.dropFirst(5).map { Layer(name: "pool6", operation: .pooling($0)) }
  }

  /// The dense layers under their canonical names, then the softmax. The last one is always `fc8`.
  package static func denseLayers(_ dense: [Dense]) -> [Layer] {
    guard !dense.isEmpty else { return [] }
    let names = denseNames(count: dense.count)
    return zip(names, dense).map { Layer(name: $0, operation: .dense($1)) }
      + [Layer(name: "prob", operation: .softmax)]
  }

  /// The canonical names of one to three dense layers.
  package static func denseNames(count: Int) -> [String] {
    ["fc6", "fc7"].prefix(count - 1) + ["fc8"]
  }
}
