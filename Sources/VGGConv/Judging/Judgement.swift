internal import VGGBytes
internal import VGGEngine
public import VGGModel
internal import VGGNative
internal import VGGTensors
public import VGGVerify

/// What came of judging a model that was written just now.
public struct Judgement: Sendable {
  /// All that was compared.
  public let verification: Verification
  /// The model that it was made of.
  public let origin: Model

  /// Whether the model is as close as it must be. One that only lost its head is what was asked for, and close in all that
  /// is left.
  public var isClose: Bool { verification.distances.isEmpty || verification.losesNothingButItsHead }

  /// Whether the model is close, or within all limits that somebody stated.
  public var isGoodEnough: Bool { isClose || verification.meetsStatedLimits }

  /// Judges a written model before it gets its name.
  ///
  /// A small one is run layer by layer next to its origin, and any other one whose weights have changed as a whole; of one
  /// whose weights are all the same, bit for bit, nothing more can be learnt by running it.
  ///
  /// - Parameters:
  ///   - written: What was written.
  ///   - origin: What it was made of.
  ///   - options: What it is judged with.
  ///   - calibration: Pictures that it was calibrated with.
  ///   - progress: Is told how far it has come.
  /// - Throws: `fault` where it is not what it was to be: then it must not get its name.
  init(
    of written: NativeFile, against origin: OpenedModel, _ options: JudgingOptions,
    calibration: PictureSet? = nil, _ progress: (any ProgressMonitor)?
  ) throws(FileError) {
    let depth = try Verification.Depth(
      for: written.model, against: origin.model, isForward: options.judgesEveryLayer)
    verification = try JudgementInputs(
      for: origin, options, calibration: calibration, file: written.path
    ).verification(
      of: written.model, against: origin, depth: depth, options, file: written.path, progress)
    self.origin = origin.model
    if let fault = verification.faults.first {
      throw FileError(
        .fault, code: "output.verify", file: written.path,
        "was not written: it would not be what it was to be", place: verification.culprit, seen: fault)
    }
  }
}

extension JudgementInputs {
  /// Compares a model with its source on these inputs.
  func verification(
    of model: Model, against source: OpenedModel, recalibration: PictureSet? = nil,
    recording: RecordedActivations? = nil, depth: Verification.Depth, _ options: JudgingOptions, file: String,
    _ progress: (any ProgressMonitor)?
  ) throws(FileError) -> Verification {
    let steps = Verification.stepCount(for: model, inputs: pictures.count, data: data, depth: depth)
    let meter = progress?.begin(.verifying, total: steps)
    defer { meter?.finish() }
    let isOfPictures =
      model.integerArithmetic != nil || model.provenance.passes.contains(where: \.declaresMeasurements)
    let generatedCount = isOfPictures ? try replaceableCount() : 0
    do throws(VerificationError) {
      return try Verification(
        of: model, against: source.model, unfolded: source.unfolded, inputs: pictures,
        generatedCount: generatedCount, data: data, calibration: recalibration?.layerBatches ?? .none,
        recording: recording, limits: options.limits, depth: depth, options: options.engine
      ) { meter?.advance(by: 1) }
    } catch {
      throw FileError(error, file: file)
    }
  }
}

extension Verification.Depth {
  /// Multiplications for one picture, and weights, up to which a written model is run layer by layer without being asked for:
  /// well under a second, and no more memory than an import may take.
  private static let forwardLimits = (multiplications: 1_000_000_000, parameters: 4_000_000)

  /// How much of a model can be compared and is worth it: nothing that is not finite, and was allowed in, can be held against
  /// a bound; outputs can still be compared.
  ///
  /// - Parameter isForward: Whether it is run layer by layer whatever it takes.
  init(for model: Model, against origin: Model, isForward: Bool) throws(FileError) {
    let extent = model.network.inputExtent ?? Extent(side: 64)
    let cost = (try? model.network.costs(for: extent).multiplyAccumulateCount) ?? .max
    let limits = Self.forwardLimits
    let isSmall = cost <= limits.multiplications && model.parameterCount <= limits.parameters
    if isForward || isSmall, try origin.hasFiniteValues {
      self = .layers
    } else {
      let passes = model.provenance.passes.dropFirst(origin.provenance.passes.count)
      self = passes.contains(where: \.isLossy) ? .outputs : .weights
    }
  }
}

extension Model {
  /// Whether every value is a finite number.
  fileprivate var hasFiniteValues: Bool {
    get throws(FileError) {
      for tensor in tensors {
        let isFinite = try tensor.values.reducePieces(rowLength: 1, into: true) { _, values in
          values.allSatisfy(\.isFinite)
        } combine: {
          $0 = $0 && $1
        }
        if !isFinite { return false }
      }
      return true
    }
  }
}
