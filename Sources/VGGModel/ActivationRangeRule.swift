/// How the range of a layer's integers follows from the values that its outputs have.
///
/// All rules give a range that contains 0, and none that goes beyond the smallest and largest value. Ends inside lie between two bins
/// of the `ActivationHistogram`. All arithmetic is in double precision, in a fixed order, and with no function of a
/// library: every machine gives the same range.
public enum ActivationRangeRule: Equatable, Sendable {
  /// From the smallest value to the largest one, exactly.
  case minMax
  /// The smallest range that leaves out no more than a part of the values: `100 - percentile` per cent of all. Where there are values on
  /// both sides of 0, each side may lose half of them. Percentiles are taken to be at least 50 and at most 100.
  case percentile(Double)
  /// The range whose integers are nearest to the values: the sum of squared differences is smallest.
  ///
  /// 128 ranges are tried, whose ends are `k / 128` of the outermost bins of each side, rounded up to whole bins, for `k` from 1 to 128. Each bin's
  /// values are taken to lie in its middle, and become the nearest code of `ActivationQuantization.init(covering:)`, halves to even.
  /// Of equal ones the widest range is taken.
  case meanSquaredError
  /// The range that keeps most of the distribution, by the Kullback-Leibler divergence: TensorRT's rule for int8 (Migacz, 8-bit Inference with
  /// TensorRT, GTC 2017), smoothed as ONNX Runtime's and MXNet's calibrations do it.
  ///
  /// It looks at magnitudes: the histogram's bins of both signs, four of which are one, so that the largest value lies behind bin 1024 of
  /// 2048. Zeros do not count: they are exact with any range, and behind a ReLU there are so many that next to them nothing that is
  /// cut off would matter. For each number `i` of bins from 128 to the last one that is not empty, the reference `p` is the
  /// first `i` bins, with everything beyond added to the last of them. The candidate `q` is the first `i` bins without that, merged to 128
  /// levels of `i / 128` bins each, rounded down, of which the last takes what remains; a level's count is spread evenly over those of its bins that are
  /// not empty in `p`, the others stay empty. In both, empty bins get 0.0001, which the others lose in equal parts; where these have not so
  /// much, `i` is out of the question. The range ends `i` bins below and above 0 where the divergence of `p` from `q`, both
  /// divided by their sums, is smallest; of equal ones the narrowest is taken. Fewer bins than 128 are the whole range.
  case entropy

  /// The rule of 99.99 per cent.
  public static let standardPercentile = ActivationRangeRule.percentile(99.99)
}

extension ActivationRangeRule: CustomStringConvertible {
  /// `min-max`, `percentile 99.99`, `mse` or `kl`.
  public var description: String {
    switch self {
    case .minMax: "min-max"
    case .percentile(let percentile): "percentile \(percentile)"
    case .meanSquaredError: "mse"
    case .entropy: "kl"
    }
  }

  /// Reads what ``description`` writes; `percentile` alone is ``standardPercentile``.
  public init?(_ text: String) {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    switch (words[0], words.count) {
    case ("min-max", 1): self = .minMax
    case ("percentile", 1): self = .standardPercentile
    case ("percentile", 2):
      guard let percentile = Double(words[1]), (50...100).contains(percentile) else { return nil }
      self = .percentile(percentile)
    case ("mse", 1): self = .meanSquaredError
    case ("kl", 1): self = .entropy
    default: return nil
    }
  }
}
