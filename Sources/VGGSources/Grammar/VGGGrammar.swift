public import VGGModel

/// Which sequences of layers are a VGG, described once for all formats.
///
///     input transformations
///     (convolution, ReLU)+ pooling        up to five blocks; normalisations behind each convolution or ReLU
///     [pooling]                           over the whole map, or a sixth
///     [flatten] (dense, ReLU)* dense      the head; dense layers may be convolutions over all that is left
///     [softmax | sigmoid | ReLU]
///
/// Which of the six networks it is, and whether shapes fit, is decided later, of a ``FoundNetwork``.
public struct VGGGrammar: Equatable, Sendable {
  /// Whether layers without weights are listed; where they are not, those of a VGG are taken to be there.
  public var listsAllLayers = true
  /// Where batch normalisations stand, as far as somebody says so, where layers without weights are not listed.
  public var normalizationPlace: NormalizationPlace?
  /// Whether a dense layer of the format reads a map as it is, without a layer that flattens it.
  public var denseLayersFlatten = false
  /// Whether hidden dense layers may have no activation.
  public var allowsLinearHiddenLayers = false
  /// Whether the poolings of blocks may have other windows than 2x2.
  public var allowsAnyPooling = false

  /// Describes VGGs in the strictest way.
  public init() {}

  /// Takes each layer of a chain for what it is in a VGG.
  ///
  /// - Parameter layers: The layers, each of which reads the one before it and nothing else.
  /// - Throws: The first layer that stands or is set otherwise than in a VGG.
  public func parse(_ layers: [NeutralLayer]) throws(GrammarRefusal) -> ParsedNetwork {
    var parser = GrammarParser(grammar: self, layers: layers)
    return try parser.network()
  }
}
