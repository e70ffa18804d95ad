public import VGGBytes
internal import VGGModel
internal import VGGSources
public import VGGVerify

/// A model that was compared with its source, and what it was compared with.
public struct SourceVerification {
  /// All that was compared.
  public let verification: Verification
  /// What was judged.
  public let model: OpenedModel
  /// What it was judged against.
  public let source: OpenedModel
  /// What both were run on.
  public let inputs: JudgementInputs

  /// Whether the model is what its passes make of the source, and as close as it must be: by the standard limits, or by
  /// all that somebody stated.
  public var passes: Bool {
    switch verification.verdict {
    case .exact, .equivalent: true
    case .faithfulButNotClose: verification.meetsStatedLimits
    case .different: false
    }
  }
}

extension OpenedModel {
  /// Finds out whether the model is what its passes make of a source, and whether it still computes the same.
  ///
  /// - Parameters:
  ///   - source: The source; of a native model, see ``openSource(_:options:progress:)``.
  ///   - judging: What it is judged with.
  ///   - recording: An `.npz` file of activations that another program recorded.
  ///   - progress: Is told how far it has come.
  public func verify(
    against source: OpenedModel, judging: JudgingOptions = JudgingOptions(), recording: String? = nil,
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> SourceVerification {
    if recording != nil, model.integerArithmetic != nil {
      throw FileError(
        .unsupported, code: "verify.recording", file: path,
        "computes in integers: activations of float32 cannot judge its layers",
        advice: "judge the model that it was made of by them, and this one without --reference")
    }
    if judging.calibration != nil, !model.provenance.passes.contains(where: \.declaresMeasurements) {
      throw FileError(
        .unsupported, code: "verify.calibration", file: path,
        "has no ranges or means from pictures that could be found again", advice: "leave out --calibrate")
    }
    try checkValues(progress: progress)
    let calibration = try judging.calibration.map { data throws(FileError) in
      try PictureSet(data, for: source)
    }
    let inputs = try JudgementInputs(for: source, judging, calibration: calibration, file: path)
    let recorded = try recording.map { file throws(FileError) in
      try RecordedActivations(
        file, of: model.network, scratchFolder: source.options.scratchFolder)
    }
    let depth =
      source.options.importing.allowsNonFinite
      ? try Verification.Depth(for: model, against: source.model, isForward: true) : .layers
    return SourceVerification(
      verification: try inputs.verification(
        of: model, against: source, recalibration: calibration, recording: recorded, depth: depth, judging,
        file: path, progress),
      model: self, source: source, inputs: inputs)
  }
}
