/// The Kullback-Leibler divergence by which `ActivationRangeRule/entropy` judges where to clip.
enum Divergence {
  /// The levels of a magnitude in int8.
  static let levelCount = 128
  private static let smoothing = 0.0001

  /// How far a distribution is from what is left of it when it is clipped behind some bins and quantised.
  ///
  /// - Returns: nil where bins are so empty that they cannot be smoothed.
  static func ofQuantized(_ counts: [Int], length: Int) -> Double? {
    var reference = counts[..<length].map(Double.init)
    reference[length - 1] += counts[length...].reduce(0) { $0 + Double($1) }
    var candidate = [Double](repeating: 0, count: length)
    let binsPerLevel = length / levelCount
    for level in 0..<levelCount {
      let start = level * binsPerLevel
      let bins = start..<(level == levelCount - 1 ? length : start + binsPerLevel)
      let filledCount = bins.count { reference[$0] > 0 }
      guard filledCount > 0 else { continue }
      let share = bins.reduce(0.0) { $0 + Double(counts[$1]) } / Double(filledCount)
      for bin in bins where reference[bin] > 0 { candidate[bin] = share }
    }
    guard smooth(&reference), smooth(&candidate) else { return nil }
    let (total, candidateTotal) = (reference.reduce(0, +), candidate.reduce(0, +))
    var divergence = 0.0
    for bin in 0..<length {
      let part = reference[bin] / total
      divergence += part * naturalLogarithm(part / (candidate[bin] / candidateTotal))
    }
    return divergence
  }

  /// Gives to empty bins, and takes that from the others in equal parts.
  private static func smooth(_ distribution: inout [Double]) -> Bool {
    let emptyCount = distribution.count { $0 == 0 }
    let filledCount = distribution.count - emptyCount
    guard filledCount > 0 else { return false }
    let loss = smoothing * Double(emptyCount) / Double(filledCount)
    for bin in distribution.indices {
      if distribution[bin] == 0 {
        distribution[bin] = smoothing
      } else {
        guard distribution[bin] > loss else { return false }
        distribution[bin] -= loss
      }
    }
    return true
  }

  /// The natural logarithm of a normal number above 0, within two units in the last place: that of the C library differs from machine to machine.
  ///
  /// The argument is `m * 2^e` with `m` from 1/sqrt(2) to sqrt(2); `log m = 2 artanh t` with `t = (m - 1) / (m + 1)`, whose magnitude is
  /// below 0.172, so that eleven terms of the series are enough.
  static func naturalLogarithm(_ value: Double) -> Double {
    var (mantissa, exponent) = (value.significand, value.exponent)
    if mantissa > 1.4142135623730951 { (mantissa, exponent) = (mantissa / 2, exponent + 1) }
    let ratio = (mantissa - 1) / (mantissa + 1)
    let square = ratio * ratio
    var series = 0.0
    for odd in stride(from: 21, through: 1, by: -2) { series = series * square + 1 / Double(odd) }
    return Double(exponent) * 0.6931471805599453 + 2 * ratio * series
  }
}
