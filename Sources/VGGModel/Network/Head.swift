/// What is applied to the last dense layer: it says what the outputs mean.
public enum HeadActivation: String, CaseIterable, Sendable {
  /// The outputs are classes, of which one is right: their probabilities add up to 1.
  case softmax
  /// Each output is a probability by itself: labels of which any number may be right, or a single yes or no.
  case sigmoid
  /// The outputs are values as they are: those of a regression, or scores.
  case linear
  /// The outputs are features behind a ReLU: the network is cut behind fc6 or fc7.
  case relu
}

/// The dense layers behind the features: one to three, and what is applied to the last one.
public struct Head: Equatable, Sendable {
  /// The dense layers in order.
  public let dense: [Dense]
  /// What is applied to the last one.
  public let activation: HeadActivation

  /// Creates a head; the last layer's own activation becomes what `activation` needs.
  ///
  /// - Returns: nil where there are not one to three layers.
  public init?(_ dense: [Dense], activation: HeadActivation) {
    guard (1...3).contains(dense.count) else { return nil }
    self.dense = dense.enumerated().map { index, layer in
      var layer = layer
      if index == dense.count - 1 { layer.activation = activation == .relu ? .relu : .none }
      return layer
    }
    self.activation = activation
  }

  /// The number of values that the head gives for a picture.
  public var outputCount: Int { dense[dense.count - 1].outputs }

  /// The canonical names of so many dense layers. The last one is `fc8`, but for features, whose network goes on behind it.
  package static func denseNames(count: Int, activation: HeadActivation) -> [String] {
    activation == .relu
      ? Array(["fc6", "fc7", "fc8"].prefix(count)) : ["fc6", "fc7"].prefix(count - 1) + ["fc8"]
  }

  /// The layers under their canonical names.
  public var layers: [Layer] {
    let names = Head.denseNames(count: dense.count, activation: activation)
    let layers = zip(names, dense).map { Layer(name: $0, operation: .dense($1)) }
    return switch activation {
    case .softmax: layers + [Layer(name: "prob", operation: .softmax)]
    case .sigmoid: layers + [Layer(name: "prob", operation: .sigmoid)]
    case .linear, .relu: layers
    }
  }
}

extension Network {
  /// The dense layers and what is applied to the last one; nil where there are none.
  public var head: Head? {
    let dense = layers.compactMap { if case .dense(let dense) = $0.operation { dense } else { nil } }
    let activation: HeadActivation =
      switch layers.last?.operation {
      case .softmax: .softmax
      case .sigmoid: .sigmoid
      default: dense.last?.activation == .relu ? .relu : .linear
      }
    return Head(dense, activation: activation)
  }

  /// Whether the network has dense layers.
  public var hasTop: Bool { head != nil }

  /// The number of classes or labels; nil where there are no dense layers, or their outputs are values or features.
  public var classCount: Int? {
    guard let head, head.activation == .softmax || head.activation == .sigmoid else { return nil }
    return head.outputCount
  }
}
