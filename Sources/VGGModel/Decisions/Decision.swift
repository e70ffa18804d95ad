public import VGGTensors

extension Provenance {
  /// Something that was decided on evidence.
  public struct Decision: Equatable, Sendable {
    /// What was decided.
    public var kind: Kind
    /// What it rests on, for people.
    public var evidence: String

    /// Creates a decision.
    public init(_ kind: Kind, because evidence: String) {
      self.kind = kind
      self.evidence = evidence
    }

    /// Takes a decision as a file has it, in words; only what the program needs becomes what it was.
    public init(recorded subject: String, _ choice: String, because evidence: String) {
      let known: [Kind] =
        Preprocessing.ChannelOrder.allCases.map { .foldedChannelOrder($0) } + [.foldedMeanAndScale]
      kind =
        known.first { ($0.subject, $0.choice) == (subject, choice) }
        ?? .recorded(subject: subject, choice: choice)
      self.evidence = evidence
    }

    /// What was decided, in words, such as `kernel-flip`.
    public var subject: String { kind.subject }
    /// The decision in words, such as `yes`.
    public var choice: String { kind.choice }

    /// Whether two decisions say the same, so that one that was read from a file equals the one that was written.
    public static func == (left: Decision, right: Decision) -> Bool {
      (left.subject, left.choice, left.evidence) == (right.subject, right.choice, right.evidence)
    }
  }
}

extension Provenance.Decision {
  /// What was decided, with its parameters; it becomes words only where somebody reads it.
  public enum Kind: Equatable, Sendable {
    // How the source stores its numbers.
    /// The order of the axes of kernels.
    case kernelLayout(SourceLayout)
    /// Whether kernels are rotated by 180 degrees.
    case kernelFlip(Bool)
    /// The order in which the map in front of the first dense layer is flattened.
    case flattenOrder(FlattenOrder)
    /// How products of integers are rounded.
    case integerRounding(IntegerArithmetic.Rounding)
    /// How dense layers are quantised, such as `int8`.
    case quantization(String, layers: [String])
    /// That layers which the source's program computes in fewer bits are computed in float32.
    case computesInFloat32(layers: [String])
    /// That the layers stand in the order of their names.
    case layerOrderByName
    /// In which order the layers stand that the source lists in none.
    case layerOrder(first: String, last: String)

    // Which layers there are.
    /// That all layers without weights are a VGG's, in a source that names such layers.
    case usualLayers
    /// That layers without weights are where VGG has them, in a source that lists none.
    case usualStructure
    /// Which network it is, or the beginning of which.
    case network(NetworkPrefix)
    /// The extent of the input.
    case inputSize(Extent)
    /// The number of convolutions in front of each pooling.
    case poolings([Int])
    /// How poolings round; nil: each as it says itself.
    case poolingRounding(Pooling.Rounding?)
    /// What the pooling is that belongs to no block.
    case headPooling(HeadPooling)
    /// That the head reads one number of each channel.
    case headOfWholeMap(Pooling.Method)
    /// That dense layers are stored as convolutions.
    case denseLayersOfConvolutions
    /// That an average of the map over as many pixels as it has is left out, as PyTorch's networks have one.
    case adaptivePoolingLeftOut
    /// What is applied to the last dense layer.
    case headActivation(HeadActivation)
    /// Hidden layers of the head without an activation.
    case linearLayers([String])

    // Normalisations.
    /// The constants of the local response normalisation.
    case localResponseNormalization(NormalizationConstants)
    /// What batch normalisations store.
    case normalizationSpread(NormalizationSpread)
    /// What is added to it.
    case normalizationEpsilon(Double)
    /// Where they stand.
    case normalizationOrder(NormalizationPlace)
    /// That they have the statistics that are stored, and not those of a batch.
    case storedStatistics
    /// Into how many layers they were worked.
    case foldedNormalizations(layerCount: Int)

    // Pictures and classes.
    /// What is done to pictures; nil: nobody knows.
    case preprocessing(Preprocessing?, isAssumed: Bool)
    /// The channel order that was folded into the first convolution.
    case foldedChannelOrder(Preprocessing.ChannelOrder)
    /// That mean and scale were folded into the first convolution.
    case foldedMeanAndScale
    /// The number of names of classes.
    case labels(Int)

    // What was left out.
    /// Layers that change pictures in training only.
    case augmentationLeftOut
    /// A layer in front of the first convolution whose code is not run.
    case lambdaPassedOver
    /// A layer that scales pictures by numbers that are not there.
    case inputScalingPassedOver
    /// Fields of a description that say nothing of a VGG.
    case skippedFields([String])
    /// Layers that are there only for training.
    case trainingLayers([String])

    /// What a file says that was written earlier.
    case recorded(subject: String, choice: String)
  }

  /// What is known of a pooling that belongs to no block.
  public enum HeadPooling: Equatable, Sendable {
    /// It goes over 2x2 pixels.
    case window(Pooling.Method)
    /// It goes over the whole map.
    case wholeMap
    /// It stands behind the pooling of the last block.
    case behindLastBlock
  }

  /// In whose terms the constants of a local response normalisation were found.
  public enum NormalizationConstants: Equatable, Sendable {
    /// The user's, for a Keras file.
    case stated(LocalResponseNormalization)
    /// The user's, in the place of what a Caffe file says or does not say.
    case statedForCaffe(LocalResponseNormalization)
    /// A Caffe file's.
    case caffe(alpha: Float, elementCount: Int)
  }
}
