public import VGGModel

/// The values that a layer's integers are to tell apart; what lies outside becomes one of the ends.
public struct ActivationRange: Equatable, Sendable {
  /// The lower end, at most 0.
  public let low: Float
  /// The upper end, at least 0.
  public let high: Float

  /// Creates a range; one that leaves out 0 is widened to it, for padding and ReLU need an exact zero.
  ///
  /// - Precondition: Both ends are finite.
  public init(low: Float, high: Float) {
    precondition(low.isFinite && high.isFinite)
    (self.low, self.high) = (min(low, 0), max(high, 0))
  }
}

extension ActivationQuantization {
  /// The integers that cover a range, by TFLite's rule (`ChooseQuantizationParams` in its `quantization_util.h`).
  ///
  /// In double precision, with the codes' ends -128 and 127: the scale is `(high - low) / 255`. The zero point that the lower end
  /// gives is `-128 - low / scale`, the one that the upper end gives is `127 - high / scale`; the one whose terms are smaller in
  /// magnitude, `128 + |low / scale|` against `127 + |high / scale|`, is taken, the second one where they are equal, and rounded to the
  /// nearest code, halves away from zero. So 0 is exact, and the ends move by up to half a step. The scale is rounded to float32
  /// at the end. A range from 0, such as a ReLU's, has the zero point -128.
  ///
  /// A range of one point, which is 0, has the scale 1 and the zero point -128: a layer that is always zero stays zero.
  ///
  /// - Returns: nil where the scale would be below the smallest normal number: some processors would compute with 0 instead.
  public init?(covering range: ActivationRange) {
    let (low, high) = (Double(range.low), Double(range.high))
    guard low < high else {
      self.init(scale: 1, zeroPoint: -128)
      return
    }
    let scale = (high - low) / 255
    guard Float(scale) >= .leastNormalMagnitude else { return nil }
    let (fromLow, fromHigh) = (-128 - low / scale, 127 - high / scale)
    let isFromLow = 128 + (low / scale).magnitude < 127 + (high / scale).magnitude
    let zeroPoint = (isFromLow ? fromLow : fromHigh).rounded(.toNearestOrAwayFromZero)
    self.init(scale: Float(scale), zeroPoint: Int8(min(max(zeroPoint, -128), 127)))
  }
}
