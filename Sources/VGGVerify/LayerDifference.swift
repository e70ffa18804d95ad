internal import VGGEngine
internal import VGGModel

/// How far one layer's output is from what it should be.
public struct LayerDifference: Sendable {
  /// The canonical name of the layer.
  public var layer: String
  /// The number of values compared.
  public var comparedCount: Int
  /// The largest absolute difference; NaN where a value of either side is NaN, infinite where only one is infinite.
  public var largestError: Double
  /// The largest magnitude of the values that are right.
  public var largestMagnitude: Double

  /// The largest difference as a part of the largest magnitude.
  public var relativeError: Double {
    largestError == 0 ? 0 : largestError / max(largestMagnitude, .leastNormalMagnitude)
  }

  /// Whether the difference is within a limit; never where nothing was compared or a value is NaN.
  public func isWithin(_ limit: Double) -> Bool { comparedCount > 0 && relativeError <= limit }

  /// Compares two outputs value by value; nothing is compared where their shapes differ.
  init(layer: String, expected: FeatureMap, seen: FeatureMap) {
    self.layer = layer
    guard expected.shape == seen.shape, expected.count == seen.count else {
      (comparedCount, largestError, largestMagnitude) = (0, .nan, 0)
      return
    }
    comparedCount = expected.valueCount
    (largestError, largestMagnitude) = expected.withValues { expected in
      seen.withValues { seen in
        var (error, magnitude) = (0.0, 0.0)
        for (right, value) in zip(expected, seen) {
          let difference = right == value ? 0 : (Double(value) - Double(right)).magnitude
          // Written so that a NaN is kept once it has been met.
          if !(difference <= error) { error = error.isNaN ? error : difference }
          magnitude = max(magnitude, Double(right).magnitude)
        }
        return (error, magnitude)
      }
    }
  }
}

extension FeatureMap {
  /// The index of the largest value of each picture, the first of several.
  var largestIndices: [Int] {
    withValues { values in
      (0..<count).map { picture in
        let scores = values[picture * shape.count..<(picture + 1) * shape.count]
        return (scores.indices.max { scores[$0] < scores[$1] } ?? scores.startIndex) - scores.startIndex
      }
    }
  }
}
