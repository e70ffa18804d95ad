public import VGGBytes
public import VGGEngine
public import VGGModel

/// What a pass may use besides the model that it is applied to.
///
/// Threads are those of `Workers.current`, as everywhere.
public struct PassContext {
  /// How networks are run: `engine.engine(for:)` prepares any model.
  public var engine: EngineOptions
  /// Preprocessed pictures like those that the model is made for, which are read when a pass asks for their batch: ``Calibration``
  /// does so once. None where nobody gave any.
  public var calibration: PictureBatches
  /// Where a `ScratchFile` may live that holds what is too large for private memory.
  public var scratchFolder: String
  /// The model before its weights were rounded by the passes directly in front, for one that makes up for it; nil where they were not.
  /// `Model.applying` keeps it.
  public var unrounded: Model?
  /// Is told what the user should know of the pictures.
  public var warn: (CalibrationWarning) -> Void
  /// Is told what a pass found out about the maps of a model, where it makes it compute in integers.
  public var calibrated: (CalibratedActivations) -> Void

  /// Creates a context; what is not given is what the machine offers, without pictures.
  public init(
    engine: EngineOptions = EngineOptions(), calibration: PictureBatches = .none,
    scratchFolder: String = ScratchFile.standardFolder,
    warn: @escaping (CalibrationWarning) -> Void = { _ in },
    calibrated: @escaping (CalibratedActivations) -> Void = { _ in }
  ) {
    self.engine = engine
    self.calibration = calibration
    self.scratchFolder = scratchFolder
    self.warn = warn
    self.calibrated = calibrated
  }
}
