import TestSupport
import VGGBytes
import VGGModel
import VGGTensors

/// Models that compute in integers, with random codes and scales.
enum IntegerModels {
  /// A model; the weights of each second layer have one scale.
  static func model(
    _ architecture: Architecture = .aLRN, rounding: IntegerArithmetic.Rounding = .litert
  ) throws -> Model {
    let network = try TestModels.network(architecture)
    var generator = SeededGenerator(seed: 11)
    let arithmetic = arithmetic(network, rounding, using: &generator)
    return try Model(
      network: network, tensors: tensors(network, arithmetic, using: &generator), preprocessing: nil,
      labels: ["cat", "dog", "cow", "fox"], integerArithmetic: arithmetic, provenance: TestModels.provenance)
  }

  static func arithmetic(
    _ network: Network, _ rounding: IntegerArithmetic.Rounding, using generator: inout SeededGenerator
  ) -> IntegerArithmetic {
    func codes() -> ActivationQuantization {
      ActivationQuantization(
        scale: Float.random(in: 0.01...0.1, using: &generator),
        zeroPoint: Int8.random(in: -128...127, using: &generator))
    }
    var arithmetic = IntegerArithmetic(rounding: rounding, input: codes(), outputs: [])
    for (index, layer) in network.layers.enumerated() {
      switch layer.operation {
      case .pooling: arithmetic.outputs.append(arithmetic.input(ofLayer: index))
      case .softmax, .sigmoid: arithmetic.outputs.append(.probabilities)
      case .convolution, .dense, .normalization: arithmetic.outputs.append(codes())
      }
    }
    return arithmetic
  }

  static func tensors(
    _ network: Network, _ arithmetic: IntegerArithmetic, using generator: inout SeededGenerator
  ) -> [Tensor] {
    var tensors: [Tensor] = []
    for (index, layer) in network.layers.enumerated() {
      let requirements = layer.tensorRequirements
      guard let weight = requirements.first, let outputs = weight.shape.last else { continue }
      let grouping = index.isMultiple(of: 2) ? Quantization.Grouping.outputChannel : .tensor
      let scales = (0..<(grouping == .tensor ? 1 : outputs)).map { _ in
        Float.random(in: 0.001...0.1, using: &generator)
      }
      let codes = (0..<weight.shape.reduce(1, *)).map { _ in Int8.random(in: -127...127, using: &generator) }
      let quantization = Quantization(by: grouping, scales: scales)
      tensors.append(
        Tensor(
          name: weight.name, role: .weight, shape: weight.shape,
          content: .codes(MemoryCodes(codes), quantization)))
      for bias in requirements.dropFirst() {
        let codes = (0..<outputs).map { _ in Int32.random(in: .min ... .max, using: &generator) }
        let units = (0..<outputs).map {
          arithmetic.input(ofLayer: index).scale * scales[grouping == .tensor ? 0 : $0]
        }
        tensors.append(
          Tensor(
            name: bias.name, role: .bias, shape: bias.shape, content: .bias(BiasCodes(codes, scales: units))))
      }
    }
    return tensors
  }
}
