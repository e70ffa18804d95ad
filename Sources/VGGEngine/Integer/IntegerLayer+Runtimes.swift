internal import CVGGKernels
package import VGGModel
package import VGGTensors

/// How the sums of each output channel become codes, as numbers for a runtime that is given them.
package enum ChannelFactors: Sendable {
  /// A float32 factor.
  case litert([Float])
  /// A fraction of 31 bits, and a shift to the left.
  case tflm([(multiplier: Int32, shift: Int32)])
}

extension IntegerLayer {
  /// How its sums become codes.
  package var factors: ChannelFactors { requantization(.none).factors }

  /// The biases in units of its sums; nil: it has none.
  package var biases: [Int32]? { bias }

  /// The codes of its weight in the native layout.
  package var weightCodes: any TensorCodes { weight }
}

/// The numbers by which a sum of squares of codes decides on the factor of a local response normalisation:
/// `scaleRatio / (k + unit * sum)^beta`.
package struct NormalizationFactor: Sendable {
  package let k: Double
  /// What a sum is multiplied with.
  package let unit: Double
  /// The scale of the input by that of the output.
  package let scaleRatio: Double

  package init(
    _ normalization: LocalResponseNormalization, from input: ActivationQuantization,
    to output: ActivationQuantization
  ) {
    let scale = Double(input.scale)
    k = normalization.k
    unit = normalization.scale * (scale * scale)
    scaleRatio = scale / Double(output.scale)
  }
}

extension ActivationQuantization {
  /// The codes of values, the nearest ones.
  package func codes(of values: [Float]) -> [Int8] {
    var codes = [Int8](repeating: 0, count: values.count)
    vgk_integer_quantize(vgk_best_integer_isa(), values, values.count, scale, Int32(zeroPoint), &codes)
    return codes
  }
}
