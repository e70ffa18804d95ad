internal import TestSupport
internal import VGGBytes
public import VGGModel
internal import VGGTensors

/// Models that compute in integers, with random codes, and scales that leave most codes within their range.
public enum IntegerModels {
  /// A model; the weights of each second layer have one scale.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - provenance: Where it is said to come from.
  public static func model(
    _ network: Network, rounding: IntegerArithmetic.Rounding = .litert, labels: [String] = [],
    provenance: Provenance
  ) throws -> Model {
    var generator = SeededGenerator(seed: 11)
    let input = ActivationQuantization(scale: 0.9, zeroPoint: -7)
    var arithmetic = IntegerArithmetic(rounding: rounding, input: input, outputs: [])
    var tensors: [Tensor] = []
    for (index, layer) in network.layers.enumerated() {
      let before = arithmetic.input(ofLayer: index)
      switch layer.operation {
      case .pooling: arithmetic.outputs.append(before)
      case .softmax, .sigmoid: arithmetic.outputs.append(.probabilities)
      case .normalization:
        arithmetic.outputs.append(ActivationQuantization(scale: before.scale / 2, zeroPoint: -100))
      case .convolution, .dense:
        let (own, scale) = layerTensors(layer, index, input: before, using: &generator)
        tensors += own
        arithmetic.outputs.append(
          ActivationQuantization(scale: scale, zeroPoint: Int8.random(in: -128...0, using: &generator)))
      }
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil, labels: labels, integerArithmetic: arithmetic,
      provenance: provenance)
  }

  /// Weight and bias of a layer, and a scale that suits its output.
  private static func layerTensors(
    _ layer: Layer, _ index: Int, input: ActivationQuantization, using generator: inout SeededGenerator
  ) -> (tensors: [Tensor], outputScale: Float) {
    let requirements = layer.tensorRequirements
    let weight = requirements[0]
    let outputs = weight.shape[weight.shape.count - 1]
    let isOne = index % 2 == 1
    let scales = (0..<(isOne ? 1 : outputs)).map { _ in Float.random(in: 0.005...0.01, using: &generator) }
    let count = weight.shape.reduce(1, *)
    let codes = (0..<count).map { _ in Int8.random(in: -127...127, using: &generator) }
    var tensors = [
      Tensor(
        name: weight.name, role: .weight, shape: weight.shape,
        content: .codes(
          MemoryCodes(codes), Quantization(by: isOne ? .tensor : .outputChannel, scales: scales)))
    ]
    // Sums of products of uniform codes: the spread of one is about 73 * 40 times the root of their number.
    let spread = Float(count / outputs).squareRoot() * 73 * 40
    for bias in requirements.dropFirst() {
      let codes = (0..<outputs).map { _ in Int32.random(in: -Int32(spread)...Int32(spread), using: &generator)
      }
      let units = (0..<outputs).map { input.scale * scales[isOne ? 0 : $0] }
      tensors.append(
        Tensor(
          name: bias.name, role: .bias, shape: bias.shape, content: .bias(BiasCodes(codes, scales: units))))
    }
    return (tensors, input.scale * 0.0075 * spread / 50)
  }
}
