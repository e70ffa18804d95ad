internal import VGGModel

/// How the codes of a map follow from its values, stated a second time from `docs/integer_arithmetic.md`.
struct DeclaredRange: Equatable, Sendable {
  /// The ends, between which 0 lies.
  let (low, high): (Float, Float)

  private init(_ low: Float, _ high: Float) { (self.low, self.high) = (min(0, low), max(0, high)) }

  /// The range that a rule gives.
  init(of activations: RecountedActivations, by rule: ActivationRangeRule) {
    guard activations.count > activations.zeroCount else {
      self.init(0, 0)
      return
    }
    let (minimum, maximum) = (activations.minimum, activations.maximum)
    switch rule {
    case .minMax: self.init(minimum, maximum)
    case .percentile(let percentile):
      let sides = minimum < 0 && maximum > 0 ? 2.0 : 1
      let part = (100 - max(50, min(100, percentile))) / 100
      let allowed = Int(Double(activations.count) * (sides == 2 ? part / 2 : part))
      func kept(_ bins: [Int]) -> Int {
        var (length, beyond) = (bins.count, 0)
        while length > 0 {
          beyond += bins[length - 1]
          if beyond > allowed { break }
          length -= 1
        }
        return length
      }
      self.init(
        of: activations, kept(activations.bins(isNegative: true)), kept(activations.bins(isNegative: false)))
    case .meanSquaredError: self = DeclaredRange.ofLeastError(activations)
    case .entropy: self = DeclaredRange.ofLeastDivergence(activations)
    }
  }

  /// The range of so many bins below and above 0, no further than the values reach.
  private init(of activations: RecountedActivations, _ below: Int, _ above: Int) {
    self.init(
      max(activations.minimum, Float(-Double(below) * activations.width)),
      min(activations.maximum, Float(Double(above) * activations.width)))
  }

  /// Codes for the range; nil where their scale would be subnormal.
  var codes: ActivationQuantization? {
    if low == high { return ActivationQuantization(scale: 1, zeroPoint: -128) }
    let (bottom, top) = (Double(low), Double(high))
    let scale = (top - bottom) / 255
    guard Float(scale) >= Float.leastNormalMagnitude else { return nil }
    let (below, above) = (bottom / scale, top / scale)
    let zero = 128 + below.magnitude < 127 + above.magnitude ? -128 - below : 127 - above
    let code = max(-128, min(127, zero.rounded(.toNearestOrAwayFromZero)))
    return ActivationQuantization(scale: Float(scale), zeroPoint: Int8(code))
  }

  // MARK: Least squared error

  private static func ofLeastError(_ activations: RecountedActivations) -> DeclaredRange {
    let (negative, positive) = (activations.bins(isNegative: true), activations.bins(isNegative: false))
    let (minimum, maximum) = (Double(activations.minimum), Double(activations.maximum))
    // From the lowest value to the highest.
    let middles =
      negative.indices.reversed().map { (-(Double($0) + 0.5) * activations.width, negative[$0]) }
      + positive.indices.map { ((Double($0) + 0.5) * activations.width, positive[$0]) }
    let values = middles.filter { $0.1 > 0 }.map { (max(minimum, min(maximum, $0.0)), Double($0.1)) }
    func reach(_ bins: [Int]) -> Int { (bins.lastIndex { $0 > 0 } ?? -1) + 1 }
    let (below, above) = (reach(negative), reach(positive))
    var (best, least) = (DeclaredRange(activations.minimum, activations.maximum), Double.infinity)
    for part in stride(from: 128, through: 1, by: -1) {
      func whole(_ bins: Int) -> Int { (bins * part + 127) / 128 }
      let range = DeclaredRange(of: activations, whole(below), whole(above))
      guard let codes = range.codes else { break }
      let (step, zero) = (Double(codes.scale), Double(codes.zeroPoint))
      let error = values.reduce(0.0) { sum, value in
        let code = max(-128, min(127, (value.0 / step).rounded(.toNearestOrEven) + zero))
        let difference = value.0 - (code - zero) * step
        return sum + value.1 * difference * difference
      }
      if error < least { (best, least) = (range, error) }
    }
    return best
  }

  // MARK: Divergence

  private static let levels = 128
  private static let emptyPart = 0.0001

  private static func ofLeastDivergence(_ activations: RecountedActivations) -> DeclaredRange {
    let (negative, positive) = (activations.bins(isNegative: true), activations.bins(isNegative: false))
    var magnitudes = stride(from: 0, to: RecountedActivations.binCount, by: 4).map { start in
      (start..<start + 4).reduce(0) { $0 + negative[$1] + positive[$1] }
    }
    while magnitudes.count > 1, magnitudes.last == 0 { magnitudes.removeLast() }
    var (best, least) = (magnitudes.count, Double.infinity)
    for length in stride(from: levels, through: magnitudes.count, by: 1) where magnitudes.count > levels {
      guard let divergence = divergence(magnitudes, keeping: length), divergence < least else { continue }
      (best, least) = (length, divergence)
    }
    return DeclaredRange(of: activations, 4 * best, 4 * best)
  }

  /// How far what remains of a distribution in 128 levels is from it, clipped behind some bins; nil where it cannot be told.
  private static func divergence(_ counts: [Int], keeping length: Int) -> Double? {
    var clipped = counts.prefix(length).map(Double.init)
    clipped[length - 1] += counts.dropFirst(length).reduce(0.0) { $0 + Double($1) }
    var levelled = [Double](repeating: 0, count: length)
    let size = length / levels
    for level in 0..<levels {
      let bins = level * size..<(level + 1 == levels ? length : (level + 1) * size)
      let filled = bins.filter { clipped[$0] > 0 }
      let sum = bins.reduce(0.0) { $0 + Double(counts[$1]) }
      for bin in filled { levelled[bin] = sum / Double(filled.count) }
    }
    guard let (p, q) = smoothed(clipped).flatMap({ p in smoothed(levelled).map { (p, $0) } }) else {
      return nil
    }
    let (all, allLevelled) = (p.reduce(0, +), q.reduce(0, +))
    return zip(p, q).reduce(0.0) { sum, bin in
      let part = bin.0 / all
      return sum + part * logarithm(part / (bin.1 / allLevelled))
    }
  }

  private static func smoothed(_ bins: [Double]) -> [Double]? {
    let empty = bins.count { $0 == 0 }
    guard empty < bins.count else { return nil }
    let share = emptyPart * Double(empty) / Double(bins.count - empty)
    guard bins.allSatisfy({ $0 == 0 || $0 > share }) else { return nil }
    return bins.map { $0 == 0 ? emptyPart : $0 - share }
  }

  /// The natural logarithm as the definition has it, the same on every machine.
  private static func logarithm(_ value: Double) -> Double {
    let isLarge = value.significand > 1.4142135623730951
    let mantissa = isLarge ? value.significand / 2 : value.significand
    let exponent = isLarge ? value.exponent + 1 : value.exponent
    let ratio = (mantissa - 1) / (mantissa + 1)
    let square = ratio * ratio
    let series = (0...10).reversed().reduce(0.0) { $0 * square + 1 / Double(2 * $1 + 1) }
    return Double(exponent) * 0.6931471805599453 + 2 * ratio * series
  }
}
