internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What a configuration says of the network: all that VGG leaves no choice in is checked, the rest is kept.
struct ConfiguredNetwork {
  /// A convolution or dense layer.
  struct Weighted: Equatable {
    var name: String
    /// Rows and columns of the kernel; nil for a dense layer.
    var kernel: Extent?
    /// Whether it is part of the head: a dense layer, or a convolution over all that is left of the map.
    var isHead = false
    /// Output channels, or outputs.
    var outputs: Int
    var hasBias: Bool
    /// What is applied to it; `linear` where there is nothing.
    var activation = HeadActivation.linear
    /// How a dense layer is quantised, such as `int8`; nil: not, as far as it is said.
    var quantization: String?
    /// The batch normalisation behind it, in front of its activation.
    var normalization: Normalization?
    /// The batch normalisation behind its activation.
    var outputNormalization: Normalization?

    /// Whether a kernel of this shape can be the layer's, whatever the order of its axes.
    func fits(_ shape: [Int]) -> Bool {
      guard let kernel else { return shape.count == 2 && shape[1] == outputs }
      let sides = [kernel.height, kernel.width]
      return shape.count == 4
        && ((Array(shape[..<2]) == sides && shape[3] == outputs)
          || (Array(shape[2...]) == sides && shape[0] == outputs))
    }
  }

  /// A batch normalisation.
  struct Normalization: Equatable {
    var name: String
    /// What is added to the variance; nil where it is not said.
    var epsilon: Double?
    /// Whether there is a gamma.
    var hasScale: Bool
    /// Whether there is a beta.
    var hasCenter: Bool
    /// Whether the pooling behind the layer comes first; only where it stands behind the activation.
    var isBehindPooling = false
  }

  /// The layers with weights, in order.
  private(set) var weighted: [Weighted] = []
  /// The poolings of the blocks and their places.
  let poolings: [FoundNetwork.PlacedPooling]
  /// The pooling behind the blocks that belongs to none of them: over the whole map, or one more.
  let headPooling: (name: String, pooling: Pooling)?
  /// The name of the layer in the place of A-LRN's normalisation.
  let normalizationName: String?
  /// What `Flatten` says of the order of axes, nil where it says nothing or no map is flattened.
  let flattenFormat: String?
  /// Whether the channels come first in feature maps.
  let isChannelsFirst: Bool
  /// The input's extent, where it is fixed.
  let inputExtent: Extent?
  /// What is done to pictures in front of the first convolution.
  let inputScaling: InputScaling?
  /// What was passed over, and why.
  private(set) var decisions: [Provenance.Decision]

  /// Goes through the layers.
  ///
  /// - Throws: `unsupported` where something is not as in a VGG, naming the layer.
  init(_ configuration: ModelConfiguration, file: String, options: ImportOptions) throws(FileError) {
    let translation = ConfigurationTranslation(configuration, file: file, options: options)
    let elements = translation.elements
    var grammar = VGGGrammar()
    grammar.allowsLinearHiddenLayers = true
    let parsed: ParsedNetwork
    do throws(GrammarRefusal) {
      parsed = try grammar.parse(elements.map(\.neutral))
    } catch {
      throw translation.error(error)
    }
    poolings = parsed.poolings
    headPooling = parsed.headPooling.map { (elements[$0.layer].layer.name, $0.pooling) }
    normalizationName = parsed.localResponseNormalization.map { elements[$0].layer.name }
    flattenFormat = try translation.flattenFormat(parsed)
    (isChannelsFirst, inputExtent) = (translation.isChannelsFirst, translation.inputExtent)
    (inputScaling, decisions) = (translation.inputScaling, translation.decisions)
    if !translation.halfLayers.isEmpty {
      decisions.append(
        Provenance.Decision(
          .computesInFloat32(layers: translation.halfLayers),
          because: "Keras computes them in 16 bits, as configured; the weights are those that are stored"))
    }
    func normalization(_ found: ParsedNetwork.Normalization?) -> Normalization? {
      var settings = found?.statistics.flatMap { elements[$0].normalization }
      settings?.isBehindPooling = found?.place == .behindPooling
      return settings
    }
    for found in parsed.weighted {
      guard var layer = elements[found.layer].weighted else { preconditionFailure("no layer with weights") }
      layer.isHead = found.isHead
      layer.activation = found.activation?.kind ?? .linear
      layer.normalization = normalization(found.normalization)
      layer.outputNormalization = normalization(found.outputNormalization)
      weighted.append(layer)
    }
    let linear = weighted.filter(\.isHead).dropLast().filter { $0.activation == .linear }.map(\.name)
    if !linear.isEmpty {
      decisions.append(Provenance.Decision(.linearLayers(linear), because: "so it is configured"))
    }
  }

  /// What is applied to the last layer of the head; nil without a head.
  var headActivation: FoundNetwork.FoundActivation? {
    guard let last = weighted.last, last.isHead else { return nil }
    return FoundNetwork.FoundActivation(
      last.activation,
      because: last.activation == .linear
        ? "\(last.name) is the last layer and has no activation; --head-activation softmax, if it gives scores of classes"
        : "so \(last.name) is configured")
  }

  /// The names of all layers with weights in order, normalisations included.
  var namesOfLayersWithWeights: [String] {
    weighted.flatMap { [$0.name, $0.normalization?.name, $0.outputNormalization?.name].compactMap(\.self) }
  }
}
