public import VGGBytes
public import VGGModel

/// Why a chain of layers is no VGG: which layer, and what was expected there.
///
/// Importers put it into the words and codes of their format.
public struct GrammarRefusal: Error, Equatable, Sendable {
  /// A setting of a layer that VGG leaves no choice in.
  public enum Setting: Equatable, Sendable {
    case kernel
    case stride
    case padding
    case dilation
    case groups
    case poolingWindow
    case poolingStride
  }

  /// What is wrong.
  public enum Reason: Equatable, Sendable {
    /// What the importer itself has against the layer.
    case refused(FileError)
    /// Nothing in front of the layer, or in the whole chain, is a convolution.
    case noConvolutions
    /// The layer stands where no VGG has one.
    case misplaced(seen: String, allowed: String)
    /// A normalisation stands where it cannot be worked into a layer.
    case normalization(seen: String, allowed: String)
    /// The layers are not all listed, and nobody says where normalisations stand.
    case unknownNormalizationPlace
    /// A setting has another value than in a VGG.
    case setting(Setting, allowed: String)
    /// A convolution in the place of a dense layer does not cover just the map in front of it.
    case reducedHead
    /// A dense layer reads a map of several pixels that nothing has flattened.
    case unflattened
    /// An activation that no VGG has.
    case activation(allowed: [HeadActivation])
    /// No activation stands between the layer and the one of this index, or the end.
    case noActivation(before: Int?)
    /// The layer stands behind what ends the head: an activation of this index, of the dense layer of the other one.
    case behindEnd(activation: Int, of: Int)
  }

  /// What is wrong with a head whose convolutions do not cover the map.
  public static let reducedHeadProblem =
    "has dense layers that were reduced to convolutions, as in SSD and DeepLab"
  /// What a convolution in the place of a dense layer must be.
  public static let allowedHeadConvolution =
    "a square kernel, 1x1 behind the first, no padding, stride and dilation 1"
  /// What to do about it.
  public static let reducedHeadAdvice = "use the classification network that it was made from"

  /// The index of the layer in the chain; nil where the whole chain is wrong.
  public let layer: Int?
  /// What is wrong with it.
  public let reason: Reason
}
