internal import VGGEngine
internal import VGGModel

/// How far the outputs of a model are from its source's, and how many decisions they share.
public struct Closeness: Sendable {
  /// The largest distance of the outputs for one picture, see ``distanceLimit``.
  public private(set) var outputDistance = 0.0
  /// The number of pictures that both were run with.
  public private(set) var pictureCount = 0
  /// The number of decisions compared: the first class of a picture, or whether a label of it is more likely than not.
  public private(set) var decisionCount = 0
  /// The number of these that are the same.
  public private(set) var sameDecisionCount = 0

  /// The largest distance of the outputs for a picture that a model is called close with, unless somebody states another.
  ///
  /// Measured on the trained networks of the tests: fp16, bf16 and int8 stay below 0.001, and the first of 360 pictures
  /// changes its class at 0.023. The article of the module has the table.
  public static let distanceLimit = 0.02
  /// The part of the decisions that must be the same, unless somebody states another.
  public static let sameDecisionLimit = 1.0

  /// The part of the decisions that are the same; nil where there are none.
  public var sameDecisionFraction: Double? {
    decisionCount == 0 ? nil : Double(sameDecisionCount) / Double(decisionCount)
  }

  /// Takes in the outputs for a batch.
  ///
  /// - Parameters:
  ///   - seen: The model's: scores before the softmax, or features.
  ///   - expected: The source's.
  ///   - network: What the outputs are of.
  mutating func take(_ seen: FeatureMap, expected: FeatureMap, of network: Network) {
    pictureCount += expected.count
    outputDistance = max(outputDistance, seen.largestDistance(from: expected, by: network.outputMeasure))
    guard seen.shape == expected.shape, seen.count == expected.count else { return }
    switch network.head?.activation {
    case .softmax:
      decisionCount += expected.count
      sameDecisionCount += zip(seen.firstClasses, expected.firstClasses).count { $0 != nil && $0 == $1 }
    case .sigmoid:
      decisionCount += expected.valueCount
      sameDecisionCount += zip(seen.values, expected.values).count { ($0 > 0) == ($1 > 0) }
    case .linear, .relu, nil: break
    }
  }
}

/// How the distance of two outputs is measured.
enum OutputMeasure {
  /// The cosine distance: of scores only the proportions count, for a softmax and the order of classes follow from them.
  case direction
  /// Half the squared difference over the product of the lengths: the cosine distance of outputs of equal length, and more
  /// where they are not. For outputs that are numbers to be used as they are.
  case value
}

extension Network {
  /// How the distance of outputs is measured.
  var outputMeasure: OutputMeasure { head?.activation == .softmax ? .direction : .value }

  /// The index of the layer whose output is the network's: the scores in front of `prob`, or the features.
  var outputIndex: Int { layers.lastIndex { $0.name != "prob" } ?? 0 }
}

extension FeatureMap {
  /// The class with the largest score for each picture; nil where a score is not a finite number, so that none is first.
  fileprivate var firstClasses: [Int?] {
    withValues { values in
      largestIndices.enumerated().map { picture, first in
        values[picture * shape.count..<(picture + 1) * shape.count].allSatisfy(\.isFinite) ? first : nil
      }
    }
  }

  /// The largest distance of a picture from the one of the same index; 0 for two of nothing but zeros, infinite for other
  /// shapes and where a value is no finite number.
  func largestDistance(from other: FeatureMap, by measure: OutputMeasure) -> Double {
    guard shape == other.shape, count == other.count else { return .infinity }
    return withValues { left in
      other.withValues { right in
        (0..<count).map { picture -> Double in
          var (product, leftSquares, rightSquares, difference) = (0.0, 0.0, 0.0, 0.0)
          for index in picture * shape.count..<(picture + 1) * shape.count {
            let (a, b) = (Double(left[index]), Double(right[index]))
            product += a * b
            leftSquares += a * a
            rightSquares += b * b
            difference += (a - b) * (a - b)
          }
          guard difference.isFinite, leftSquares.isFinite, rightSquares.isFinite else { return .infinity }
          guard difference > 0 else { return 0 }
          guard leftSquares > 0, rightSquares > 0 else { return 1 }
          let lengths = (leftSquares * rightSquares).squareRoot()
          return switch measure {
          case .direction: max(0, 1 - product / lengths)
          case .value: difference / (2 * lengths)
          }
        }.max() ?? 0
      }
    }
  }
}
