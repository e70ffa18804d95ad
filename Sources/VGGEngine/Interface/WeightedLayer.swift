internal import VGGBytes
public import VGGModel
public import VGGTensors

/// A layer with its weights at hand: what an engine is prepared from.
public struct WeightedLayer: Sendable {
  /// The layer.
  public let layer: Layer
  /// The values of the weight in the native layout; none for a layer without one.
  let weight: any TensorValues
  /// The codes that the values of the weight are computed from; nil where they are not.
  let codes: CodedWeight?
  let bias: [Float]?
  /// What a dense layer reads at a time: the extent in front of it for the network's own input, 1x1 for those behind
  /// the first. Nil for other layers, and where nobody can tell.
  let window: Extent?
  /// What a layer of integers computes with instead of the values; nil for other layers.
  let integers: IntegerLayer?

  /// Takes a layer with its weights.
  ///
  /// - Parameters:
  ///   - layer: The layer.
  ///   - weight: The values of its weight in the native layout, where it has one.
  ///   - bias: Its bias, where it has one.
  ///   - window: What a dense layer reads at a time of a map that is larger than its input; nil: it reads no such maps.
  ///   - codes: The codes that the values of the weight are computed from, if they are.
  ///   - integers: The codes that it computes with, if it does not compute with values.
  /// - Throws: `shape` where the numbers of values are not those that the layer needs.
  public init(
    _ layer: Layer, weight: (any TensorValues)? = nil, bias: [Float]? = nil, window: Extent? = nil,
    codes: CodedWeight? = nil, integers: IntegerLayer? = nil
  ) throws(EngineError) {
    for needed in layer.tensorRequirements {
      let count = needed.role == .weight ? weight?.count : bias?.count
      guard count == needed.shape.reduce(1, *) else {
        throw .shape(
          ShapeError(
            layer: layer.name, problem: "has no \(needed.role.rawValue) of the shape that it needs"))
      }
    }
    self.layer = layer
    self.weight = weight ?? MemoryValues([])
    self.codes = codes
    self.bias = bias
    self.window = layer.isDense ? window : nil
    self.integers = integers
  }

  /// The output shape for an input shape. A dense layer slides over an input that is larger than its window.
  func outputShape(for input: FeatureShape) throws(EngineError) -> FeatureShape {
    if case .dense(let dense) = layer.operation, let window,
      window.height * window.width * input.channels == dense.inputs,
      input.extent.height >= window.height, input.extent.width >= window.width
    {
      return FeatureShape(
        extent: Extent(
          height: input.extent.height - window.height + 1, width: input.extent.width - window.width + 1),
        channels: dense.outputs)
    }
    do throws(ShapeError) { return try layer.outputShape(for: input) } catch { throw .shape(error) }
  }
}

/// The codes of a weight, and what they stand for.
public struct CodedWeight: Sendable {
  let codes: any TensorCodes
  let quantization: Quantization

  /// Takes those of a tensor; nil where it has none.
  public init?(_ tensor: Tensor) {
    guard case .codes(let codes, let quantization) = tensor.content else { return nil }
    (self.codes, self.quantization) = (codes, quantization)
  }
}

extension Model {
  /// All layers with their weights; biases are read, weights are not.
  func weightedLayers() throws(EngineError) -> [WeightedLayer] {
    let shapes = network.inputExtent.flatMap { try? network.outputShapes(for: $0) } ?? []
    var layers: [WeightedLayer] = []
    for (index, layer) in network.layers.enumerated() {
      let window = index > 0 && index <= shapes.count ? shapes[index - 1].extent : nil
      let bias: [Float]?
      do throws(FileError) { bias = try tensor(layer.biasName)?.values.array() } catch {
        throw .weights(error)
      }
      let weight = tensor(layer.weightName)
      layers.append(
        try WeightedLayer(
          layer, weight: weight?.values, bias: bias, window: window, codes: weight.flatMap(CodedWeight.init),
          integers: IntegerLayer(index, of: self)))
    }
    return layers
  }
}

extension [WeightedLayer] {
  /// The layers' output shapes for an input, one behind the other.
  func outputShapes(for input: FeatureShape) throws(EngineError) -> [FeatureShape] {
    var shapes: [FeatureShape] = []
    for layer in self { shapes.append(try layer.outputShape(for: shapes.last ?? input)) }
    return shapes
  }
}
