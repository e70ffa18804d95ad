public import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors
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
  /// What was not compared with an exported file.
  public let uncompared: [UncomparedPart]

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
    // A file of another format is what was exported, or claims to be.
    var (judged, original, uncompared) = (model, source, [UncomparedPart]())
    if native == nil {
      (judged, original.model, uncompared) = claim(toBe: source.model)
    }
    let depth =
      source.options.importing.allowsNonFinite
      ? try Verification.Depth(for: judged, against: original.model, isForward: true) : .layers
    return SourceVerification(
      verification: try inputs.verification(
        of: judged, against: original, recalibration: calibration, recording: recorded, depth: depth, judging,
        file: path, progress),
      model: self, source: source, inputs: inputs, uncompared: uncompared)
  }

  /// The model of a file of another format as one that claims to be a native one, and that one as such files can hold it.
  private func claim(toBe original: Model) -> (claim: Model, original: Model, uncompared: [UncomparedPart]) {
    var original = original
    var uncompared: [UncomparedPart] = []
    // Values may stand for codes, but nothing stands for their arithmetic.
    let hasCodes = model.tensors.contains { $0.quantization != nil }
    if !hasCodes, original.integerArithmetic == nil,
      original.tensors.contains(where: { $0.quantization != nil })
    {
      original = original.dequantized
      uncompared.append(.codes)
    }
    let (claim, others) = model.claiming(toBe: original)
    return (claim, original.asForeignFilesHoldIt, others + uncompared)
  }
}
