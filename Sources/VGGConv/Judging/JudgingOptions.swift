public import VGGEngine
public import VGGVerify

/// What a model is judged with.
public struct JudgingOptions: Sendable {
  /// Pictures, arrays and labelled `.npz` files to judge with besides the generated pictures.
  public var inputs: [String]
  /// The pictures that the model was calibrated with, as ``PictureSet`` takes them: what comes from them is found again, and must be
  /// what the model declares. nil: it is taken as declared.
  public var calibration: String?
  /// How pictures are brought to the model's extent; nil: as the source says.
  public var resizing: PictureResizing?
  /// What a close model may differ by.
  public var limits: Verification.Limits
  /// The seed of the generated pictures.
  public var seed: UInt64
  /// Whether a large model that is converted is judged layer by layer too, as small ones are anyway.
  public var judgesEveryLayer: Bool
  /// How the networks are run.
  public var engine: EngineOptions

  /// Creates options; as they are without arguments, generated pictures and the standard limits judge.
  public init(
    inputs: [String] = [], calibration: String? = nil, resizing: PictureResizing? = nil,
    limits: Verification.Limits = Verification.Limits(),
    seed: UInt64 = 2014, judgesEveryLayer: Bool = false, engine: EngineOptions = EngineOptions()
  ) {
    (self.inputs, self.calibration, self.resizing, self.limits) = (inputs, calibration, resizing, limits)
    (self.seed, self.judgesEveryLayer, self.engine) = (seed, judgesEveryLayer, engine)
  }
}
