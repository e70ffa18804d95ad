public import VGGTensors

/// A network with its weights: what every importer produces, every pass maps to another one, and everything else consumes.
public struct Model: Sendable {
  /// The layers.
  public var network: Network
  /// The weights and biases in the order of the layers, the weight first.
  public private(set) var tensors: [Tensor]
  /// What is done to a picture before the first layer; nil where that is not known.
  public var preprocessing: Preprocessing?
  /// The names of the classes, or none.
  public var labels: [String]
  /// How the model computes in integers; nil where it computes with the values that its tensors stand for.
  public private(set) var integerArithmetic: IntegerArithmetic?
  /// Where the model came from.
  public var provenance: Provenance
  /// The tensors of `provenance.folded` as they stand in the source, in the same order; none in a model that was read
  /// from a native file.
  public package(set) var foldedSources: [SourceTensor] = []

  private let indexOfTensor: [String: Int]

  /// Creates a model whose tensors are exactly those that its layers need.
  ///
  /// - Throws: Where a tensor is missing, superfluous, or has another shape than its layer needs, or cannot take part in
  ///   the integer arithmetic.
  public init(
    network: Network, tensors: [Tensor], preprocessing: Preprocessing?, labels: [String] = [],
    integerArithmetic: IntegerArithmetic? = nil, provenance: Provenance
  ) throws(ShapeError) {
    var byName: [String: Tensor] = [:]
    for tensor in tensors {
      guard byName.updateValue(tensor, forKey: tensor.name) == nil else {
        throw ShapeError(layer: tensor.name, problem: "is there twice")
      }
    }
    var ordered: [Tensor] = []
    for requirement in network.tensorRequirements {
      guard let tensor = byName.removeValue(forKey: requirement.name) else {
        throw ShapeError(layer: requirement.name, problem: "is missing")
      }
      guard tensor.shape == requirement.shape else {
        throw ShapeError(
          layer: requirement.name, problem: "has the shape \(tensor.shape), but needs \(requirement.shape)")
      }
      ordered.append(tensor)
    }
    if let superfluous = byName.keys.min() {
      throw ShapeError(layer: superfluous, problem: "belongs to no layer")
    }
    let indexOfTensor = Dictionary(uniqueKeysWithValues: ordered.enumerated().map { ($1.name, $0) })
    if let integerArithmetic {
      try integerArithmetic.check(network) { name in indexOfTensor[name].map { ordered[$0] } }
    } else if let bias = ordered.first(where: { $0.elementType == .biasCode }) {
      throw ShapeError(
        layer: bias.name, problem: "has codes of biases, but nothing says how to compute with them")
    }
    self.network = network
    self.tensors = ordered
    self.preprocessing = preprocessing
    self.labels = labels
    self.integerArithmetic = integerArithmetic
    self.provenance = provenance
    self.indexOfTensor = indexOfTensor
  }

  /// The number of weights and biases.
  public var parameterCount: Int { tensors.reduce(0) { $0 + $1.count } }

  /// The bytes of one value between two layers: codes of a model that computes in integers, float32 of others.
  public var activationElementByteCount: Int {
    integerArithmetic == nil ? MemoryLayout<Float>.size : MemoryLayout<Int8>.size
  }

  /// The tensor of a name.
  public func tensor(_ name: String) -> Tensor? { indexOfTensor[name].map { tensors[$0] } }

  /// A model with each tensor replaced by another one of the same name and shape; its provenance does not say so, and
  /// whether tensors still fit its integer arithmetic is not checked.
  ///
  /// - Parameter transform: Makes the replacement.
  public func mappingTensors<Failure: Error>(
    _ transform: (Tensor) throws(Failure) -> Tensor
  ) throws(Failure) -> Model {
    var model = self
    var mapped: [Tensor] = []
    for tensor in tensors {
      let replacement = try transform(tensor)
      precondition(replacement.name == tensor.name && replacement.shape == tensor.shape)
      mapped.append(replacement)
    }
    model.tensors = mapped
    return model
  }
}

extension Model {
  /// The model with the values that codes stand for in their place; it computes in float32.
  public var dequantized: Model {
    var model = mappingTensors { tensor in
      if case .real = tensor.content { tensor } else { tensor.replacing(values: tensor.values) }
    }
    model.integerArithmetic = nil
    return model
  }
}

/// A tensor that a layer needs.
public struct TensorRequirement: Equatable, Sendable {
  /// The canonical name.
  public var name: String
  /// What the tensor does.
  public var role: Tensor.Role
  /// The shape in the native layout.
  public var shape: [Int]
}

extension Layer {
  /// The tensors that the layer needs: none, a weight, or a weight and a bias.
  public var tensorRequirements: [TensorRequirement] {
    let weight: [Int]
    let bias: Int?
    switch operation {
    case .convolution(let convolution):
      weight = [
        convolution.kernel.height, convolution.kernel.width, convolution.inputChannels,
        convolution.outputChannels,
      ]
      bias = convolution.hasBias ? convolution.outputChannels : nil
    case .dense(let dense):
      weight = [dense.inputs, dense.outputs]
      bias = dense.hasBias ? dense.outputs : nil
    case .pooling, .normalization, .softmax, .sigmoid:
      return []
    }
    return [TensorRequirement(name: weightName, role: .weight, shape: weight)]
      + (bias.map { [TensorRequirement(name: biasName, role: .bias, shape: [$0])] } ?? [])
  }
}

extension Network {
  /// The tensors that the layers need, in order.
  public var tensorRequirements: [TensorRequirement] { layers.flatMap(\.tensorRequirements) }

  /// The number of weights and biases.
  public var parameterCount: Int { tensorRequirements.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}
