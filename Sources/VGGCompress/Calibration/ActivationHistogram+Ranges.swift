public import VGGModel

extension ActivationHistogram {
  /// The range that a rule gives; one point where there are no values but zeros.
  public func range(by rule: ActivationRangeRule) -> ActivationRange {
    guard count > zeroCount else { return ActivationRange(low: 0, high: 0) }
    switch rule {
    case .minMax: return ActivationRange(low: minimum, high: maximum)
    case .percentile(let percentile): return range(ofPercentile: percentile)
    case .meanSquaredError: return rangeOfLeastError
    case .entropy: return rangeOfLeastDivergence
    }
  }

  private func range(ofPercentile percentile: Double) -> ActivationRange {
    let part = (100 - min(max(percentile, 50), 100)) / 100
    let isTwoSided = minimum < 0 && maximum > 0
    let allowed = Int(Double(count) * (isTwoSided ? part / 2 : part))
    /// The number of a side's bins that remain where as many as are allowed are left out from the outermost on.
    func remaining(_ side: [Int]) -> Int {
      var left = 0
      return
        (side.lastIndex { binned in
          left += binned
          return left > allowed
        } ?? -1) + 1
    }
    return range(
      negative: remaining(bins[..<Self.binCount].reversed()),
      positive: remaining(Array(bins[Self.binCount...])))
  }

  private var rangeOfLeastError: ActivationRange {
    let (negative, positive) = (negativeCount, positiveCount)
    let filled = bins.indices.filter { bins[$0] > 0 }
    let values = filled.map { index in
      let middle = (Double(index - Self.binCount) + 0.5) * width
      return (value: min(max(middle, Double(minimum)), Double(maximum)), count: Double(bins[index]))
    }
    var best = (error: Double.infinity, range: ActivationRange(low: minimum, high: maximum))
    for part in (1...128).reversed() {
      let range = range(negative: (negative * part + 127) / 128, positive: (positive * part + 127) / 128)
      guard let quantization = ActivationQuantization(covering: range) else { break }
      let (scale, zeroPoint) = (Double(quantization.scale), Double(quantization.zeroPoint))
      var error = 0.0
      for (value, count) in values {
        let code = min(max((value / scale).rounded(.toNearestOrEven) + zeroPoint, -128), 127)
        let difference = value - (code - zeroPoint) * scale
        error += count * difference * difference
      }
      if error < best.error { best = (error, range) }
    }
    return best.range
  }

  private var rangeOfLeastDivergence: ActivationRange {
    let merged = 4
    let magnitudes = (0..<Self.binCount / merged).map { bin in
      (0..<merged).reduce(0) { sum, part in
        let index = bin * merged + part
        return sum + bins[Self.binCount + index] + bins[Self.binCount - 1 - index]
      }
    }
    let end = (magnitudes.lastIndex { $0 > 0 } ?? 0) + 1
    var best = (divergence: Double.infinity, count: end)
    if end > Divergence.levelCount {
      for length in Divergence.levelCount...end {
        if let divergence = Divergence.ofQuantized(magnitudes, length: length), divergence < best.divergence {
          best = (divergence, length)
        }
      }
    }
    return range(negative: best.count * merged, positive: best.count * merged)
  }
}
