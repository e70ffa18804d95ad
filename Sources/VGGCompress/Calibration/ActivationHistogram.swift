/// How often a layer's outputs have which values.
///
/// Each sign has 8192 bins of one width, a power of two: bin `i` counts magnitudes from `i` to below `i + 1` widths. Zeros are counted
/// apart. The width is the smallest that has room for the largest magnitude. Where a larger one comes, the width doubles and
/// neighbours are merged, which gives exactly the bins that the wider ones would have had from the start. So one pass is enough,
/// memory is bounded, and the histogram depends on the values alone: not on their order, nor on batches or threads.
public struct ActivationHistogram: Equatable, Sendable {
  /// The number of bins of each sign.
  static let binCount = 8192

  /// The number of values.
  public private(set) var count = 0
  /// The number of those that are zero.
  public private(set) var zeroCount = 0
  /// The smallest value; infinite where there is none.
  public private(set) var minimum = Float.infinity
  /// The largest value; negative infinity where there is none.
  public private(set) var maximum = -Float.infinity
  /// All magnitudes are below 2 to the power of this; nil where all are zero.
  private var exponent: Int?
  /// The counts of all bins from the lowest values to the highest; zeros would be in the middle.
  private(set) var bins: [Int] = []

  /// Creates a histogram of nothing.
  public init() {}

  /// Counts values.
  ///
  /// - Returns: nil where one of them is NaN or infinite.
  public init?(_ values: UnsafeBufferPointer<Float>) {
    var largest: UInt32 = 0
    var (low, high) = (Float.infinity, -Float.infinity)
    for value in values {
      // The order of magnitudes is that of their bits, and NaN comes last.
      largest = max(largest, value.bitPattern & 0x7FFF_FFFF)
      low = value < low ? value : low
      high = value > high ? value : high
    }
    guard largest < Float.infinity.bitPattern else { return nil }
    count = values.count
    (minimum, maximum) = (low, high)
    guard largest > 0 else {
      zeroCount = count
      return
    }
    let exponent = Int(Float(bitPattern: largest).exponent) + 1
    self.exponent = exponent
    bins = Array(repeating: 0, count: 2 * Self.binCount)
    // Exact in double precision, for the width is a power of two.
    let binsPerUnit = 1 / Self.width(exponent)
    var zeros = 0
    bins.withUnsafeMutableBufferPointer { bins in
      for value in values {
        guard value != 0 else {
          zeros &+= 1
          continue
        }
        let index = Int((Double(value) * binsPerUnit).magnitude)
        bins[value > 0 ? Self.binCount &+ index : Self.binCount &- 1 &- index] &+= 1
      }
    }
    zeroCount = zeros
  }

  /// Adds the counts of other values.
  public mutating func add(_ other: ActivationHistogram) {
    count += other.count
    zeroCount += other.zeroCount
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    guard let otherExponent = other.exponent else { return }
    if exponent == nil {
      (exponent, bins) = (otherExponent, other.bins)
      return
    }
    let wider = max(exponent ?? otherExponent, otherExponent)
    widen(to: wider)
    var other = other
    other.widen(to: wider)
    for index in bins.indices { bins[index] += other.bins[index] }
  }

  /// Doubles the width until all magnitudes below a power of two have room.
  private mutating func widen(to wider: Int) {
    guard let exponent, wider > exponent else { return }
    let shift = min(wider - exponent, Int.bitWidth - 1)
    var merged = Array(repeating: 0, count: bins.count)
    for index in 0..<Self.binCount {
      merged[Self.binCount + index >> shift] += bins[Self.binCount + index]
      merged[Self.binCount - 1 - index >> shift] += bins[Self.binCount - 1 - index]
    }
    (self.exponent, bins) = (wider, merged)
  }

  /// The width of the bins; 0 where there are none.
  var width: Double { exponent.map(Self.width) ?? 0 }

  private static func width(_ exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: 1) / Double(binCount)
  }

  /// The number of bins of the positive values up to the last one that is not empty.
  var positiveCount: Int { (bins.lastIndex { $0 > 0 }).map { max(0, $0 + 1 - Self.binCount) } ?? 0 }
  /// The same of the negative values.
  var negativeCount: Int { (bins.firstIndex { $0 > 0 }).map { max(0, Self.binCount - $0) } ?? 0 }

  /// The range that ends so many bins below and above zero, but not beyond the values that there are.
  func range(negative: Int, positive: Int) -> ActivationRange {
    ActivationRange(
      low: max(minimum, Float(-Double(negative) * width)),
      high: min(maximum, Float(Double(positive) * width)))
  }

  /// The number of values in bins that lie outside a range altogether: exactly those outside it where its ends are ones of bins,
  /// as those of all `ActivationRangeRule`s are.
  public func count(outside range: ActivationRange) -> Int {
    guard count > 0 else { return 0 }
    var outside = 0
    for (index, binned) in bins.enumerated() where binned > 0 {
      let isBelow = minimum < range.low && Double(index + 1 - Self.binCount) * width <= Double(range.low)
      let isAbove = maximum > range.high && Double(index - Self.binCount) * width >= Double(range.high)
      if isBelow || isAbove { outside += binned }
    }
    return outside
  }
}
