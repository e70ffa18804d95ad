public import VGGEngine
internal import VGGModel
public import VGGTensors

/// What a model made of an input.
public struct ModelOutput: Sendable {
  /// What it was run on.
  public let input: ModelInput
  /// What the network puts out; on pictures larger than its own input maps of scores.
  public let output: EngineOutput
  /// One score for each picture and output: the means of these maps. Features are left as they are.
  public let average: EngineOutput
  /// The names of the outputs, as far as there are any.
  public let labels: [String]

  /// The extent of the maps of scores; one pixel for pictures of the network's own extent.
  public var mapExtent: Extent {
    switch output {
    case .classes(let map, _), .labels(let map, _), .values(let map), .features(let map): map.shape.extent
    }
  }

  /// Whether each probability is one by itself, so that several labels may be right.
  public var areIndependent: Bool { if case .labels = output { true } else { false } }

  /// The largest probabilities for each picture of the input, with the largest first; none for values and features.
  public func best(_ count: Int) -> [[ClassScore]] {
    switch average {
    case .classes(let logits, let probabilities), .labels(let logits, let probabilities):
      let outputs = probabilities.shape.count
      let (scores, parts) = (logits.values, probabilities.values)
      return (0..<probabilities.count).map { picture in
        let offset = picture * outputs
        return (0..<outputs).sorted {
          (parts[offset + $0], scores[offset + $0], $1) > (parts[offset + $1], scores[offset + $1], $0)
        }.prefix(count).map { index in
          ClassScore(
            index: index, label: labels.indices.contains(index) ? labels[index] : nil,
            probability: parts[offset + index], logit: scores[offset + index])
        }
      }
    case .values, .features: return []
    }
  }
}

/// The score of a class for one picture.
public struct ClassScore: Equatable, Sendable {
  /// The class' place among the outputs.
  public let index: Int
  /// Its name, nil where it is not known.
  public let label: String?
  /// Its probability: of classes of which one is right, or by itself.
  public let probability: Float
  /// What the last dense layer gives for it.
  public let logit: Float
}
