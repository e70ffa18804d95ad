internal import VGGEngine
internal import VGGModel

/// How far outputs are from what they should be, next to how far they may be.
public struct BoundedError: Sendable {
  /// The number of values compared; zero is a failure.
  public var comparedCount = 0
  /// The largest absolute difference; NaN where a value of either side is none, infinite where only one is infinite.
  public var largestError = 0.0
  /// The largest magnitude of the values that are right.
  public var largestMagnitude = 0.0
  /// The largest of the bounds.
  public var largestBound = 0.0
  /// The largest part of its own bound that any value's difference is: up to 1 is explained by arithmetic.
  public var usedPart = 0.0

  /// The largest difference as a part of the largest magnitude.
  public var relativeError: Double { relative(largestError) }
  /// The largest bound as a part of the largest magnitude.
  public var relativeBound: Double { relative(largestBound) }

  private func relative(_ value: Double) -> Double {
    value == 0 ? 0 : value / max(largestMagnitude, .leastNormalMagnitude)
  }

  /// Whether every difference is within its bound; never where nothing was compared or a value is NaN.
  public var passes: Bool { comparedCount > 0 && usedPart <= 1 && largestError.isFinite }

  init() {}

  /// Compares values one by one, each with a bound of its own.
  init(seen: [Float], expected: [Float], bounds: [Double]) {
    precondition(seen.count == expected.count && bounds.count == expected.count)
    comparedCount = expected.count
    for index in expected.indices { note(seen[index], expected[index], bound: bounds[index]) }
  }

  /// Compares all values of two maps, each with a bound of its own where there are bounds.
  ///
  /// Nothing is compared where the shapes differ.
  init(seen: FeatureMap, expected: FeatureMap, bounds: [Double]? = nil) {
    guard seen.shape == expected.shape, seen.count == expected.count else {
      (largestError, usedPart) = (.nan, .infinity)
      return
    }
    comparedCount = expected.valueCount
    seen.withValues { seen in
      expected.withValues { expected in
        for index in expected.indices { note(seen[index], expected[index], bound: bounds?[index]) }
      }
    }
  }

  /// Compares a map with itself, where one computation is both networks: only what is no finite number is wrong.
  init(ofBoth map: FeatureMap) {
    comparedCount = map.valueCount
    // The bits of magnitudes are in the order of their values, with infinity and NaN behind all others.
    let largest = map.withValues { values in
      values.reduce(into: UInt32(0)) { $0 = max($0, $1.bitPattern & 0x7FFF_FFFF) }
    }
    largestMagnitude = Double(Float(bitPattern: largest))
    guard !largestMagnitude.isFinite else { return }
    (largestError, usedPart) = (largestMagnitude, .infinity)
  }

  private mutating func note(_ seen: Float, _ expected: Float, bound: Double?) {
    let magnitude = Double(expected).magnitude
    if magnitude > largestMagnitude { largestMagnitude = magnitude }
    // An infinity is not right because both have it.
    guard seen.isFinite, expected.isFinite else {
      largestError = seen.isNaN || expected.isNaN || largestError.isNaN ? .nan : .infinity
      usedPart = .infinity
      return
    }
    if let bound, bound > largestBound { largestBound = bound }
    guard seen != expected else { return }
    let error = (Double(seen) - Double(expected)).magnitude
    if error > largestError { largestError = error }
    guard let bound else { return }
    // A bound that is no finite number explains nothing.
    let part = bound > 0 && bound.isFinite ? error / bound : .infinity
    if part > usedPart { usedPart = part }
  }

  /// Takes in what a part of the same values needed of its bounds.
  mutating func includeBounds(of part: BoundedError) {
    largestBound = max(largestBound, part.largestBound)
    usedPart = part.comparedCount > 0 ? max(usedPart, part.usedPart) : .infinity
  }

  /// Takes in what was found for other values.
  mutating func include(_ other: BoundedError) {
    comparedCount += other.comparedCount
    largestError =
      largestError.isNaN || other.largestError.isNaN ? .nan : max(largestError, other.largestError)
    largestMagnitude = max(largestMagnitude, other.largestMagnitude)
    largestBound = max(largestBound, other.largestBound)
    usedPart = max(usedPart, other.usedPart)
  }
}

extension FeatureMap {
  /// The first pictures of a batch.
  func prefix(_ number: Int) throws(EngineError) -> FeatureMap {
    number == count
      ? self : try FeatureMap(count: number, shape: shape, values: Array(values.prefix(number * shape.count)))
  }

  /// The index of the largest value of each picture, the first of several.
  var largestIndices: [Int] {
    withValues { values in
      (0..<count).map { picture in
        let scores = values[picture * shape.count..<(picture + 1) * shape.count]
        var best = scores.startIndex
        for index in scores.indices where scores[index] > scores[best] { best = index }
        return best - scores.startIndex
      }
    }
  }
}
