internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A layer with its weights at hand.
struct PreparedLayer: Sendable {
  /// What a layer computes, and with what.
  enum Operation: Sendable {
    case convolution(Convolution, weight: any TensorValues, bias: [Float]?)
    case pooling(Pooling)
    case normalization(LocalResponseNormalization)
    case dense(Dense, weight: any TensorValues, bias: [Float]?)
    case softmax
    case sigmoid
  }

  let layer: Layer
  let operation: Operation
  /// What a dense layer reads at a time: the extent in front of it for the network's own input, 1x1 for those behind
  /// the first. Nil for other layers, and where the network does not tell.
  let window: Extent?

  /// Takes the weights of all layers out of a model; biases are read, weights are not.
  static func layers(of model: Model) throws(EngineError) -> [PreparedLayer] {
    let shapes = model.network.inputExtent.flatMap { try? model.network.outputShapes(for: $0) } ?? []
    var layers: [PreparedLayer] = []
    for (index, layer) in model.network.layers.enumerated() {
      let window = index > 0 && index <= shapes.count ? shapes[index - 1].extent : nil
      layers.append(try PreparedLayer(layer, of: model, window: window))
    }
    return layers
  }

  private init(_ layer: Layer, of model: Model, window: Extent?) throws(EngineError) {
    self.layer = layer
    switch layer.operation {
    case .convolution(let convolution):
      operation = .convolution(
        convolution, weight: try layer.values(.weight, of: model),
        bias: convolution.hasBias ? try layer.bias(of: model) : nil)
    case .dense(let dense):
      operation = .dense(
        dense, weight: try layer.values(.weight, of: model),
        bias: dense.hasBias ? try layer.bias(of: model) : nil)
    case .pooling(let pooling): operation = .pooling(pooling)
    case .normalization(let normalization): operation = .normalization(normalization)
    case .softmax: operation = .softmax
    case .sigmoid: operation = .sigmoid
    }
    if case .dense = operation { self.window = window } else { self.window = nil }
  }

  /// The output shape for an input shape. A dense layer slides over an input that is larger than its window.
  func outputShape(for input: FeatureShape) throws(EngineError) -> FeatureShape {
    if case .dense(let dense, _, _) = operation, let window,
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

extension [PreparedLayer] {
  /// The layers' output shapes for an input of a network, checked before anything is computed.
  func outputShapes(for input: FeatureShape, of network: Network) throws(EngineError) -> [FeatureShape] {
    guard input.channels == network.inputChannels else {
      throw .shape(
        ShapeError(
          layer: "input",
          problem: "has \(input.channels) channels, but the network takes \(network.inputChannels)"))
    }
    let sides = 1...Network.largestInputSide
    guard sides.contains(input.extent.height), sides.contains(input.extent.width) else {
      throw .shape(
        ShapeError(
          layer: "input",
          problem: "is \(input.extent), allowed are sides of 1 to \(Network.largestInputSide)"))
    }
    var shapes: [FeatureShape] = []
    for prepared in self {
      do throws(EngineError) {
        shapes.append(try prepared.outputShape(for: shapes.last ?? input))
      } catch {
        guard case .shape(let problem, nil) = error else { throw error }
        throw .shape(problem, fitting: network.inputExtent == input.extent ? nil : network.inputExtent)
      }
    }
    return shapes
  }

  /// The layer that is a network's own one.
  func prepared(_ layer: Layer) throws(EngineError) -> PreparedLayer {
    guard let prepared = first(where: { $0.layer == layer }) else {
      throw .shape(ShapeError(layer: layer.name, problem: "is not a layer of this network"))
    }
    return prepared
  }
}

extension Layer {
  fileprivate func values(_ role: Tensor.Role, of model: Model) throws(EngineError) -> any TensorValues {
    guard let needed = tensorRequirements.first(where: { $0.role == role }),
      let tensor = model.tensor(needed.name), tensor.shape == needed.shape
    else {
      throw .shape(ShapeError(layer: name, problem: "has no \(role.rawValue) of the shape that it needs"))
    }
    return tensor.values
  }

  fileprivate func bias(of model: Model) throws(EngineError) -> [Float] {
    let values = try values(.bias, of: model)
    do throws(FileError) { return try values.array() } catch { throw .weights(error) }
  }
}
