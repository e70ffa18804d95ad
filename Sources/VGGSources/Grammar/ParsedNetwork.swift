public import VGGModel

/// A chain of layers, each taken for what it is in a VGG. Layers are named by their indices in the chain.
public struct ParsedNetwork: Equatable, Sendable {
  /// A batch normalisation, which may be two layers.
  public struct Normalization: Equatable, Sendable {
    /// The layer with mean and variance.
    public internal(set) var statistics: Int?
    /// The layer with factors and summands, where that is one of its own.
    public internal(set) var scale: Int?
    /// Where it stands.
    public let place: NormalizationPlace

    /// Whether a layer is a part of it.
    public func contains(_ layer: Int) -> Bool { statistics == layer || scale == layer }
  }

  /// A layer that tells what is applied to the layer before it.
  public struct ActivationLayer: Equatable, Sendable {
    /// The layer.
    public let layer: Int
    /// What it tells.
    public let kind: HeadActivation
  }

  /// A convolution or dense layer, and what belongs to it.
  public struct Weighted: Equatable, Sendable {
    /// The layer.
    public let layer: Int
    /// Whether it is part of the head: a dense layer, or a convolution that covers all that is left of the map.
    public let isHead: Bool
    /// Its activation; nil: none.
    public internal(set) var activation: ActivationLayer?
    /// The normalisation in front of its activation.
    public internal(set) var normalization: Normalization?
    /// The normalisation behind its activation.
    public internal(set) var outputNormalization: Normalization?
    /// The loss that reads what it gives.
    public internal(set) var loss: ActivationLayer?

    init(layer: Int, isHead: Bool) { (self.layer, self.isHead) = (layer, isHead) }
  }

  /// A pooling that belongs to no block: over the whole map, or one more behind the blocks.
  public struct HeadPooling: Equatable, Sendable {
    /// The layer.
    public let layer: Int
    /// What it computes.
    public let pooling: Pooling
  }

  /// The layers with weights, in order.
  public internal(set) var weighted: [Weighted] = []
  /// The poolings of the blocks.
  public internal(set) var poolings: [FoundNetwork.PlacedPooling] = []
  /// The pooling in front of the head, or at the end, that belongs to no block.
  public internal(set) var headPooling: HeadPooling?
  /// The normalisation behind the first convolution.
  public internal(set) var localResponseNormalization: Int?
  /// The layer that flattens a map of several pixels for the head.
  public internal(set) var flatten: Int?

  /// What is applied to the last layer of the head, or what a loss takes its outputs for; nil: nothing tells, or no head.
  public var headActivation: ActivationLayer? {
    guard let last = weighted.last, last.isHead else { return nil }
    return last.activation ?? last.loss
  }
}
