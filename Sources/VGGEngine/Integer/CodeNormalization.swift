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
  private let k: Double
  private let beta: Double
  /// `beta * 4` where that is a whole number from 1 to 16: then the factor is the same on every machine.
  private let quarters: Int32?
  /// What a sum of squares is multiplied with.
  private let unit: Double
  private let scaleRatio: Double

  init(_ normalization: LocalResponseNormalization, of layer: IntegerLayer) {
    (input, output) = (layer.input, layer.output)
    (k, beta) = (normalization.k, normalization.beta)
    quarters = (1...16).first { Double($0) == normalization.beta * 4 }
    let scale = Double(input.scale)
    unit = normalization.scale * (scale * scale)
    scaleRatio = scale / Double(output.scale)
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
    if let quarters { return vgr_normalization_factor(k, unit, scaleRatio, quarters, Double(sum)) }
    let quotient = Float(scaleRatio / pow(k + unit * Double(sum), beta))
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
