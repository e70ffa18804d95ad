package import VGGTensors

/// How a fully quantised model computes: what the codes of its maps stand for, and how sums become codes.
///
/// Every map between two layers, the input and the output included, holds signed bytes. A convolution or dense layer adds
/// its bias and the products of `code - zeroPoint` with the codes of its weights in 32 bits; the sum times
/// `input scale * weight scale / output scale`, rounded by the model's rule, plus the zero point of the output, within
/// -128 to 127 and, behind a ReLU, at least the zero point, is the code that the next layer reads.
public struct IntegerArithmetic: Equatable, Sendable {
  /// How the product of a sum and a scale is rounded. Runtimes follow one of two rules, and their results differ by 1 now
  /// and then.
  public enum Rounding: String, CaseIterable, Sendable {
    /// A float32 product, to nearest, ties to even: LiteRT with XNNPACK, ONNX Runtime.
    case litert
    /// Fixed point, rounded twice: LiteRT's reference kernels, TensorFlow Lite Micro, CMSIS-NN, ESP-NN.
    case tflm
  }

  /// How products are rounded.
  public var rounding: Rounding
  /// What the codes of the input stand for.
  public var input: ActivationQuantization
  /// What the codes of each layer's output stand for, in the order of the layers.
  public var outputs: [ActivationQuantization]

  /// Creates a rule.
  public init(rounding: Rounding, input: ActivationQuantization, outputs: [ActivationQuantization]) {
    self.rounding = rounding
    self.input = input
    self.outputs = outputs
  }

  /// What the codes stand for that a layer reads.
  public func input(ofLayer index: Int) -> ActivationQuantization { index == 0 ? input : outputs[index - 1] }
}

extension IntegerArithmetic {
  /// The maps of a network by name: `input`, then each layer's output under the layer's.
  public func maps(of network: Network) -> [(name: String, codes: ActivationQuantization)] {
    [("input", input)] + zip(network.layers, outputs).map { ($0.name, $1) }
  }
}

/// What the codes of a map stand for: `value = Float(code - zeroPoint) * scale`.
public struct ActivationQuantization: Equatable, Sendable {
  /// The distance of two codes.
  public var scale: Float
  /// The code of zero.
  public var zeroPoint: Int8

  /// Creates a rule.
  public init(scale: Float, zeroPoint: Int8) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  /// The value that a code stands for.
  public func value(of code: Int8) -> Float { Float(Int(code) - Int(zeroPoint)) * scale }

  /// Probabilities: multiples of 1/256 from 0 on, whatever the network.
  public static let probabilities = ActivationQuantization(scale: 0x1p-8, zeroPoint: -128)
}

extension IntegerArithmetic {
  /// Products are less than this many times the unit of a sum: XNNPACK accepts no more.
  private static let largestMultiplier: Float = 256

  /// Requires that a network with some tensors can compute like this.
  ///
  /// - Throws: Naming the layer or tensor that does not fit.
  func check(_ network: Network, _ tensor: (String) -> Tensor?) throws(ShapeError) {
    guard outputs.count == network.layers.count else {
      throw ShapeError(
        layer: "activations", problem: "are \(outputs.count), but there are \(network.layers.count) layers")
    }
    try input.check("input")
    for (index, layer) in network.layers.enumerated() {
      let (input, output) = (input(ofLayer: index), outputs[index])
      try output.check(layer.name)
      switch layer.operation {
      case .convolution, .dense: try check(layer, from: input, to: output, tensor)
      case .pooling where output != input:
        throw ShapeError(layer: layer.name, problem: "pools codes, but its output has others")
      case .softmax, .sigmoid:
        guard output == .probabilities else {
          throw ShapeError(layer: layer.name, problem: "needs the scale 1/256 and the zero point -128")
        }
      case .pooling, .normalization: break
      }
    }
  }

  /// Requires codes of weights and biases whose scales fit those of the maps.
  private func check(
    _ layer: Layer, from input: ActivationQuantization, to output: ActivationQuantization,
    _ tensor: (String) -> Tensor?
  ) throws(ShapeError) {
    guard let weight = tensor(layer.weightName), let quantization = weight.quantization,
      quantization.type == .int8, quantization.zeroPointCount == 0, quantization.grouping.hasScalePerOutput
    else {
      throw ShapeError(
        layer: layer.weightName,
        problem: "needs int8 codes without zero points and with a scale for each output channel, or one")
    }
    let units = layer.sumScales(input: input, weight: quantization, outputs: weight.shape.last ?? 1)
    for unit in units {
      let multiplier = unit / output.scale
      guard unit >= .leastNormalMagnitude, multiplier >= .leastNormalMagnitude,
        multiplier < IntegerArithmetic.largestMultiplier
      else {
        throw ShapeError(
          layer: layer.name,
          problem: "has scales that do not fit together: sums in units of \(unit), codes of \(output.scale)")
      }
    }
    guard let bias = tensor(layer.biasName) else { return }
    guard case .bias(let codes) = bias.content, codes.scales == units else {
      throw ShapeError(
        layer: layer.biasName, problem: "needs int32 codes in units of the input's scale times the weights'")
    }
  }
}

extension Layer {
  /// The unit of the sums of each output channel: the scale of the input times that of the weights, in float32.
  package func sumScales(
    input: ActivationQuantization, weight: Quantization, outputs: Int
  ) -> [Float] {
    let scales = weight.scales
    return (0..<outputs).map { input.scale * scales[weight.grouping == .tensor ? 0 : $0] }
  }
}

extension ActivationQuantization {
  fileprivate func check(_ layer: String) throws(ShapeError) {
    guard scale.isNormal, scale > 0 else {
      throw ShapeError(layer: layer, problem: "has the impossible scale \(scale)")
    }
  }
}

extension Quantization.Grouping {
  /// Whether all weights of an output channel share a scale.
  fileprivate var hasScalePerOutput: Bool { self == .outputChannel || self == .tensor }
}
