public import VGGModel
public import VGGTensors

/// A precision for each layer of a model, chosen by a ``PrecisionSearch``.
public struct PrecisionPlan: Sendable {
  /// What was chosen for a layer, and why.
  public struct Layer: Sendable {
    /// The layer's name.
    public let name: String
    /// The precision that its weight gets; nil where it stays as it is.
    public let precision: Precision?
    /// What its weight is stored as.
    public let elementType: ElementType
    /// The stored bytes of its weight.
    public let byteCount: Int
    /// The distance of the output where this layer alone is stored so.
    public let distance: Double
    /// Why it is not stored in fewer bits.
    public let reason: Reason
  }

  /// Why a layer is not stored in fewer bits.
  public enum Reason: Equatable, Sendable {
    /// It was to be kept.
    case kept
    /// Nothing makes it smaller.
    case smallest
    /// The next precision, alone, would put the output at this distance and save so many bytes.
    case next(Precision, distance: Double, savedBytes: Int)
    /// The next precision cannot hold its values.
    case unsuitable(Precision)
  }

  /// The layers with weights, in their order.
  public let layers: [Layer]
  /// The bytes of the model's file.
  public let byteCount: Int
  /// The distance of its output, measured as a whole.
  public let distance: Double
  /// What makes the model: for each precision one pass, which keeps all layers of others.
  public let passes: [Pass]
  /// How many models the search has run so far.
  public let measuredCount: Int
}

/// What a chosen model must not exceed.
public enum PrecisionBudget: Equatable, Sendable {
  /// The distance of the output; within it, the smallest file is chosen.
  case distance(Double)
  /// The bytes of the file; within them, the model of the smallest distance is chosen.
  case size(Int)
}

/// What a model takes to be stored.
public struct StoredSize: Equatable, Sendable {
  /// The bytes of its file.
  public let byteCount: Int
  /// The stored bytes of each tensor, by name.
  public let tensorBytes: [String: Int]

  /// Creates a size.
  public init(byteCount: Int, tensorBytes: [String: Int]) {
    (self.byteCount, self.tensorBytes) = (byteCount, tensorBytes)
  }
}
