public import VGGTensors

/// What a layer costs for one picture, and what it sees of it.
public struct LayerCosts: Equatable, Sendable {
  /// The layer.
  public let layer: Layer
  /// The shape of what it puts out.
  public let output: FeatureShape
  /// The number of its weights and biases.
  public let parameterCount: Int
  /// Multiplications with a weight, each followed by an addition; pooling, normalisation and softmax have none.
  public let multiplyAccumulateCount: Int
  /// The part of the picture, with its padding, that one output value depends on, in pixels of the input.
  ///
  /// A dense layer counts as a convolution whose kernel covers all that it reads, as in the paper's dense evaluation.
  /// So the field of `fc6` is larger than the picture: it reaches into the padding on all sides.
  public let receptiveField: Extent
  /// The distance between the fields of neighbouring outputs, in pixels of the input.
  public let receptiveFieldStride: Extent

  /// The bytes of one value.
  public let elementByteCount: Int

  /// The number of values that the layer puts out.
  public var activationCount: Int { output.count }
  /// The bytes of these values.
  public var activationByteCount: Int { activationCount * elementByteCount }
}

/// What a network costs for one picture, layer by layer and altogether.
public struct NetworkCosts: Equatable, Sendable {
  /// The shape of the input.
  public let input: FeatureShape
  /// The layers in order.
  public let layers: [LayerCosts]
  /// The number of all weights and biases.
  public let parameterCount: Int
  /// The number of all multiplications with a weight.
  public let multiplyAccumulateCount: Int
  /// The number of values of the input and of all outputs, as if all were kept.
  public let activationCount: Int

  /// The bytes of one value.
  public let elementByteCount: Int

  /// The bytes of these values.
  public var activationByteCount: Int { activationCount * elementByteCount }
}

extension Network {
  /// What each layer and the whole network cost for a picture of an extent.
  ///
  /// - Parameters:
  ///   - extent: The extent of the picture.
  ///   - elementByteCount: The bytes of one value between two layers: 4 for float32.
  /// - Throws: Where the picture does not fit the network, or a number does not fit 64 bits.
  public func costs(
    for extent: Extent, elementByteCount: Int = MemoryLayout<Float>.size
  ) throws(ShapeError) -> NetworkCosts {
    let outputs = try outputShapes(for: extent)
    let inputShape = FeatureShape(extent: extent, channels: inputChannels)
    var input = inputShape
    var field = Extent(side: 1)
    var stride = Extent(side: 1)
    var costs: [LayerCosts] = []
    var total = (parameters: 0, multiplyAccumulates: 0, activations: inputShape.count)
    for (layer, output) in zip(layers, outputs) {
      let window = layer.window(on: input.extent)
      field.height = try layer.sum(field.height, layer.product(window.extent.height - 1, stride.height))
      field.width = try layer.sum(field.width, layer.product(window.extent.width - 1, stride.width))
      stride.height = try layer.product(stride.height, window.stride.height)
      stride.width = try layer.product(stride.width, window.stride.width)
      let cost = LayerCosts(
        layer: layer, output: output,
        parameterCount: layer.tensorRequirements.reduce(0) { $0 + $1.shape.reduce(1, *) },
        multiplyAccumulateCount: try layer.product(output.count, layer.reductionLength),
        receptiveField: field, receptiveFieldStride: stride, elementByteCount: elementByteCount)
      costs.append(cost)
      total.parameters = try layer.sum(total.parameters, cost.parameterCount)
      total.multiplyAccumulates = try layer.sum(total.multiplyAccumulates, cost.multiplyAccumulateCount)
      total.activations = try layer.sum(total.activations, cost.activationCount)
      input = output
    }
    return NetworkCosts(
      input: inputShape, layers: costs, parameterCount: total.parameters,
      multiplyAccumulateCount: total.multiplyAccumulates, activationCount: total.activations,
      elementByteCount: elementByteCount)
  }
}

extension Layer {
  /// The part of an input that one output depends on, and the step from one output to the next.
  fileprivate func window(on input: Extent) -> (extent: Extent, stride: Extent) {
    switch operation {
    case .convolution(let convolution): (convolution.effectiveKernel, convolution.stride)
    case .pooling(let pooling) where pooling.isGlobal: (input, Extent(side: 1))
    case .pooling(let pooling): (pooling.kernel, pooling.stride)
    case .normalization(let normalization) where normalization.region == .withinChannel:
      (Extent(side: normalization.size), Extent(side: 1))
    case .dense: (input, Extent(side: 1))
    case .normalization, .softmax, .sigmoid: (Extent(side: 1), Extent(side: 1))
    }
  }

  /// The number of products with a weight in one output value's sum, 0 where there are none.
  public var reductionLength: Int {
    switch operation {
    case .convolution(let convolution):
      convolution.kernel.height * convolution.kernel.width * convolution.inputChannels
    case .dense(let dense): dense.inputs
    case .pooling, .normalization, .softmax, .sigmoid: 0
    }
  }

  fileprivate func sum(_ left: Int, _ right: Int) throws(ShapeError) -> Int {
    try fitting(left.addingReportingOverflow(right))
  }

  fileprivate func product(_ left: Int, _ right: Int) throws(ShapeError) -> Int {
    try fitting(left.multipliedReportingOverflow(by: right))
  }

  private func fitting(_ result: (partialValue: Int, overflow: Bool)) throws(ShapeError) -> Int {
    guard !result.overflow else {
      throw ShapeError(layer: name, problem: "costs more than 64 bits can count")
    }
    return result.partialValue
  }
}
