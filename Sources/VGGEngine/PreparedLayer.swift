internal import VGGModel

/// A layer with its weights at hand.
struct PreparedLayer: Sendable {
  /// What a layer computes, and with what.
  enum Operation: Sendable {
    case convolution(Convolution, weight: any TensorValues, bias: [Float]?)
    case pooling(Pooling)
    case normalization(LocalResponseNormalization)
    case dense(Dense, weight: any TensorValues, bias: [Float]?)
    case softmax
  }

  let layer: Layer
  let operation: Operation

  /// Takes a layer's weights out of a model; the bias is read, the weight is not.
  init(_ layer: Layer, of model: Model) throws(EngineError) {
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
    }
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
