public import VGGBytes
public import VGGModel
public import VGGTensors

/// The weights that an importer found, in the order of the network, before it is known which network they are.
///
/// Importers know their format; what makes a VGG of weights is decided here, once for all of them: by the shapes in
/// their order, never by names.
public struct FoundNetwork: Sendable {
  /// A convolution or dense layer of the source.
  public struct WeightedLayer: Sendable {
    /// The layer's name in the source.
    public var name: String
    /// The weight: rank 4 for a convolution, rank 2 for a dense layer, with the layout it has in the source.
    public var weight: SourceTensor
    /// What the weight's numbers stand for where they are codes that stay so; nil: they are the values.
    public var weightCodes: Quantization?
    /// The bias, rank 1, where there is one.
    public var bias: SourceTensor?
    /// The codes of the bias of a layer that computes in integers; `bias` is nil then.
    public var biasCodes: BiasCodes?
    /// What the source says of the layer's stride, padding, dilation and activation; nil: what VGG has.
    public var convolution: Convolution?
    /// What the source says is applied to a dense layer that is not the last; nil: a ReLU, as in VGG.
    public var hiddenActivation: Activation?
    /// The batch normalisation behind the layer, in front of its activation; it is worked into weight and bias.
    public var batchNormalization: BatchNormalization?
    /// The batch normalisation behind the layer's activation; it is worked into the next layer.
    public var outputNormalization: OutputNormalization?

    /// A batch normalisation behind an activation.
    public struct OutputNormalization: Sendable {
      /// The normalisation.
      public var normalization: BatchNormalization
      /// Whether the poolings behind the layer come first.
      public var isBehindPooling: Bool

      /// Creates a normalisation.
      public init(_ normalization: BatchNormalization, isBehindPooling: Bool) {
        (self.normalization, self.isBehindPooling) = (normalization, isBehindPooling)
      }
    }

    /// Creates a layer.
    public init(name: String, weight: SourceTensor, bias: SourceTensor?, convolution: Convolution? = nil) {
      self.name = name
      self.weight = weight
      self.bias = bias
      self.convolution = convolution
    }
  }

  /// A pooling, and where it stands.
  public struct PlacedPooling: Equatable, Sendable {
    /// What it computes.
    public var pooling: Pooling
    /// The number of convolutions in front of it.
    public var convolutionCount: Int

    /// Creates a description.
    public init(_ pooling: Pooling, behind convolutionCount: Int) {
      self.pooling = pooling
      self.convolutionCount = convolutionCount
    }
  }

  /// What a source tells of the poolings of its blocks.
  public enum Poolings: Equatable, Sendable {
    /// All of them and their places, in order.
    case placed([PlacedPooling])
    /// How many there are, each like this one, but not where they stand.
    case counted(Int, Pooling)
    /// Nothing: they are taken to be like this one, and to stand where VGG has them.
    case unknown(Pooling)
  }

  /// What is applied to the last dense layer, and how that is known.
  public struct FoundActivation: Equatable, Sendable {
    /// What is applied.
    public var activation: HeadActivation
    /// What it rests on, such as `predictions says so`.
    public var evidence: String

    /// Creates a description.
    public init(_ activation: HeadActivation, because evidence: String) {
      self.activation = activation
      self.evidence = evidence
    }
  }

  /// The convolutions in order.
  public var convolutions: [WeightedLayer]
  /// The dense layers in order, none to three.
  public var dense: [WeightedLayer]
  /// The order in which the first dense layer's inputs are flattened.
  public var flattenOrder: FlattenOrder
  /// What the source tells of its poolings.
  public var poolings: Poolings
  /// The pooling in front of the dense layers, or at the end, that belongs to no block: over the whole map, or a sixth one.
  public var headPooling: Pooling?
  /// The number of convolutions of each block, where the names of the convolutions tell, such as `block4_conv3`.
  public var blockSizes: [Int]?
  /// What is applied to the last dense layer; nil: the source does not tell.
  public var headActivation: FoundActivation?
  /// The normalisation behind the first convolution, where there is one.
  public var normalization: LocalResponseNormalization?
  /// The input's extent, where the source tells it.
  public var inputExtent: Extent?
  /// How the network computes in integers, where it does; called when its layers are known.
  public var integerArithmetic: @Sendable (Network) throws(FileError) -> IntegerArithmetic? = { _ in nil }
  /// Finds out which other network it is, by what only the source tells; called only where it is no VGG.
  public var foreignNetwork: @Sendable () -> ForeignNetwork? = { nil }

  /// Creates a description of what was found.
  public init(
    convolutions: [WeightedLayer], dense: [WeightedLayer], flattenOrder: FlattenOrder, poolings: Poolings,
    normalization: LocalResponseNormalization? = nil, inputExtent: Extent? = nil
  ) {
    self.convolutions = convolutions
    self.dense = dense
    self.flattenOrder = flattenOrder
    self.poolings = poolings
    self.normalization = normalization
    self.inputExtent = inputExtent
  }
}

extension FoundNetwork.WeightedLayer {
  /// Whether there is a bias, in whatever form.
  var hasBias: Bool { bias != nil || biasCodes != nil }

  /// The weight as a model's tensor.
  func weightTensor(_ name: String) -> Tensor {
    guard let weightCodes else { return Tensor(name: name, role: .weight, source: weight) }
    return Tensor(
      name: name, role: .weight, shape: weight.canonicalShape,
      content: .codes(SourceCodes(weight), weightCodes))
  }
}

extension Model {
  /// Makes a canonical model of the weights that an importer found.
  ///
  /// - Parameters:
  ///   - found: The layers in order.
  ///   - file: The source file's path, for errors.
  ///   - preprocessing: What is known of it.
  ///   - labels: The names of the classes, none where they are not known.
  ///   - provenance: Where the weights come from; the decisions taken here are added.
  ///   - options: What the user decided.
  /// - Throws: `unsupported` where the weights are no VGG; `malformed` where they do not fit together or are not finite.
  public init(
    _ found: FoundNetwork, file: String, preprocessing: Preprocessing?, labels: [String] = [],
    provenance: Provenance, options: ImportOptions
  ) throws(FileError) {
    var builder = NetworkBuilder(found: found, file: file)
    let network = try builder.network(options)
    var provenance = provenance
    provenance.decisions += builder.decisions
    provenance.folded = builder.folded.map { Provenance.FoldedTensor($0.source.name, into: $0.layer) }
    if !options.allowsNonFinite { try builder.requireFiniteValues() }
    let arithmetic = try found.integerArithmetic(network)
    do throws(ShapeError) {
      // What no reader of the model's own format would accept is the file's fault, not the writer's.
      _ = try network.outputShapes(for: network.inputExtent ?? Extent(side: Network.largestInputSide))
      try self.init(
        network: network, tensors: builder.tensors, preprocessing: preprocessing, labels: labels,
        integerArithmetic: arithmetic, provenance: provenance)
      foldedSources = builder.folded.map(\.source)
    } catch {
      throw FileError(.malformed, code: "model.shape", file: file, error.problem, place: error.layer)
    }
  }
}
