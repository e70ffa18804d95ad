internal import VGGBytes
public import VGGModel

/// What a user may decide instead of leaving it to the evidence in a source file.
public struct ImportOptions: Equatable, Sendable {
  /// Whether NaN and infinity are accepted.
  public var allowsNonFinite = false
  /// Whether kernels are stored rotated by 180 degrees; nil: decided by evidence.
  public var kernelsAreRotated: Bool?
  /// The order in which the first dense layer's inputs are flattened in the source; nil: decided by evidence.
  public var flattenOrder: FlattenOrder?
  /// The channel order of the pictures that the weights were trained on; nil: decided by evidence.
  public var channelOrder: Preprocessing.ChannelOrder?
  /// The mean colour of the pictures that the weights were trained on; nil: decided by evidence.
  public var mean: MeanColour?
  /// What channels are multiplied by after that, one number or one for blue, green and red; nil: decided by evidence.
  public var scale: [Double]?
  /// The architecture that the file must have; nil: whatever it has.
  public var architecture: Architecture?
  /// The constants of the normalisation layer, where the source file cannot hold them.
  public var normalization: LocalResponseNormalization?
  /// Those of a model that the source is compared with: they count only where the source cannot hold any and nobody states them.
  public var assumedNormalization: LocalResponseNormalization?
  /// What of the preprocessing becomes part of the first convolution.
  public var inputFolding = InputFolding()
  /// What the statistics of batch normalisations are, where the source does not tell.
  public var normalizationSpread: NormalizationSpread?
  /// What is added to the statistics of batch normalisations, where the source does not tell.
  public var normalizationEpsilon: Double?
  /// Where batch normalisations stand, where the source does not tell.
  public var normalizationPlace: NormalizationPlace?
  /// What is applied to the last dense layer; nil: decided by evidence.
  public var headActivation: HeadActivation?
  /// Whether files are refused that could only be parsed by a process that may call the system.
  public var requiresSandbox = false
  /// The folder for temporary files, needed only for what cannot be mapped, such as compressed data.
  public var scratchFolder = ScratchFile.standardFolder

  /// Leaves every decision to the evidence.
  public init() {}
}
