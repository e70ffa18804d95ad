/// A change that makes a model take less of a board, and what it takes then.
public struct Remedy: Equatable, Sendable {
  /// What is changed; the order is that of harm.
  public enum Step: Equatable, Sendable {
    /// The same bits: weights are read through a window from wherever they are.
    case readWeights(window: Int)
    /// The smallest weights of the dense layers become zero, which take one bit each.
    case pruneDense(fraction: Double)
    /// The network ends in front of its dense layers: it gives features, not classes.
    case dropDense
  }

  /// What is changed.
  public let step: Step
  /// What the model needs then.
  public let needs: BoardNeeds
  /// Where it lies then.
  public let placement: BoardPlacement
}
