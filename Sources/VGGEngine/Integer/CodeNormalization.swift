internal import CVGGRules
internal import Glibc
internal import VGGModel

/// What a local response normalisation makes of codes, to the last bit; docs/integer_arithmetic.md defines it.
///
/// With *v* the differences of codes and their zero point, the value is v s / (k + scale s^2 S)^beta, where S is the sum of the
/// squares of the window's *v*, an integer. All but *v* is one factor, which only S decides on.
struct CodeNormalization: Sendable {
  let input: ActivationQuantization
  let output: ActivationQuantization
  private let numbers: NormalizationFactor
  private let beta: Double
  private let quarters: Int32?

  init(_ normalization: LocalResponseNormalization, of layer: IntegerLayer) {
    (input, output) = (layer.input, layer.output)
    numbers = NormalizationFactor(normalization, from: input, to: output)
    (beta, quarters) = (normalization.beta, normalization.quarters)
  }

  /// The largest square of the difference of a code and the zero point.
  var largestSquare: Int { max(square(.min), square(.max)) }

  /// The square of the difference of a code and the zero point.
  func square(_ code: Int8) -> Int {
    let difference = Int(code) - Int(input.zeroPoint)
    return difference * difference
  }

  /// The factor for a sum of squares.
  func factor(_ sum: Int) -> Float {
    if let quarters {
      return vgr_normalization_factor(
        numbers.k, numbers.unit, numbers.scaleRatio, quarters, Double(sum))
    }
    let quotient = Float(numbers.scaleRatio / pow(numbers.k + numbers.unit * Double(sum), beta))
    if quotient.isNaN { return 0 }
    return max(-.greatestFiniteMagnitude, min(.greatestFiniteMagnitude, quotient))
  }

  /// The code of a value.
  func code(_ code: Int8, _ factor: Float) -> Int8 {
    let difference = Int32(truncatingIfNeeded: code) &- Int32(truncatingIfNeeded: input.zeroPoint)
    let result = vgr_requantize_litert(
      difference, factor, Int32(truncatingIfNeeded: output.zeroPoint), -128, 127)
    return Int8(truncatingIfNeeded: result)
  }
}
