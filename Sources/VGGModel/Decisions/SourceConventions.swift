/// The order in which a feature map is flattened in front of a dense layer.
public enum FlattenOrder: String, Sendable {
  /// Row, column, channel.
  case hwc
  /// Channel, row, column.
  case chw
}

/// What the stored spread of a channel of a batch normalisation is.
public enum NormalizationSpread: String, Sendable {
  /// A variance: the deviation is the root of it and epsilon.
  case variance
  /// A standard deviation, to which epsilon is added (Keras up to 1.0.5).
  case deviation
  /// A variance, to whose root epsilon is added (Keras 1.0.7 on Theano).
  case varianceRoot = "variance, epsilon outside the root"
}

/// Where a batch normalisation stands between a layer with weights and the next one.
public enum NormalizationPlace: String, Sendable {
  /// Between the layer and its activation: worked into the layer.
  case beforeActivation = "in front of the activations"
  /// Behind the activation: worked into the next layer, where that is exact.
  case behindActivation = "behind the activations"
  /// Behind the pooling that follows the activation: worked into the next layer, where that is exact.
  case behindPooling = "behind the poolings"
}
