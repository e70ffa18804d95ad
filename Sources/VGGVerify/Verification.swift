public import VGGBytes
public import VGGEngine
public import VGGModel
internal import VGGTensors

/// Whether a model is what its passes make of its source, and whether it still computes the same: what was compared, and what
/// came of it.
public struct Verification: Sendable {
  /// The model's tensors against what the passes make of the source's.
  public internal(set) var weights: [WeightCheck] = []
  /// Tensors of the source that the model should have and has not.
  public internal(set) var missingTensors: [String] = []
  /// What else the model does not share with its source.
  public internal(set) var differences: [ModelDifference] = []
  /// The layers of both run side by side.
  public internal(set) var layers: [LayerVerdict] = []
  /// The model's layers against recorded activations, where there are any.
  public internal(set) var recorded: [RecordedVerdict] = []
  /// The first classes of the model and of the recording, for each picture whose probabilities were recorded.
  public internal(set) var recordedClasses: [(model: Int, recorded: Int)] = []
  /// For each picture that was judged layer by layer, whether its class can change; none without a top.
  public internal(set) var certificates: [ClassCertificate] = []
  /// How far the outputs are apart.
  public internal(set) var closeness = Closeness()
  /// What is said to have been done to the source's weights.
  public internal(set) var passes: [Pass] = []
  /// Whether mean and scale have become part of the first convolution, which is inexact at the border.
  public internal(set) var isFoldedInexactly = false
  /// The source with its channels in the units of the model's, which computes the same: what the model's layers are held against. nil where
  /// that is the source itself.
  public private(set) var rescaledSource: Model?
  /// Whether what comes from the pictures of a calibration was found again with pictures that were given.
  public internal(set) var isRecalibrated = false
  /// Whether the model computes in integers: its layers are held against the plain reference then, code by code.
  public internal(set) var computesInIntegers = false
  /// Whether the model has no classes although the source has.
  public internal(set) var lacksHead = false
  /// What explains the difference, if something does.
  public internal(set) var diagnosis: Diagnosis?
  /// What a close model may differ by.
  public let limits: Limits
  /// How much was compared.
  public private(set) var depth: Depth

  /// What a model that is called close may differ by from its source.
  ///
  /// None of it ever comes from the model.
  public struct Limits: Sendable {
    /// The largest distance of the output for one picture; nil: ``Closeness/distanceLimit``.
    public var outputDistance: Double?
    /// The part of the pictures that must have the same class first; nil: ``Closeness/sameDecisionLimit``.
    public var sameClassFraction: Double?
    /// The largest difference from the source's activations, as a part of the layer's largest magnitude; nil: any that
    /// arithmetic explains.
    public var accumulatedError: Double?

    /// The limits that hold unless somebody states others.
    public init() {}

    /// Whether somebody stated a limit.
    public var areStated: Bool {
      outputDistance != nil || sameClassFraction != nil || accumulatedError != nil
    }
  }

  /// How much is compared.
  public enum Depth: Sendable {
    /// Weights, and all that is no weight.
    case weights
    /// The outputs of both networks too.
    case outputs
    /// Each layer of both networks too.
    case layers
  }

  /// What came of the comparison.
  public enum Verdict: String, Sendable {
    /// The model is the source: all weights bit for bit, and everything else.
    case exact
    /// The model is what its passes make of the source, and it is close to it.
    case equivalent
    /// The model is what its passes make of the source, but it does not compute the same any more.
    case faithfulButNotClose = "faithful but not close"
    /// The model is not what its passes make of the source.
    case different
  }

  /// What came of the comparison.
  public var verdict: Verdict {
    guard faults.isEmpty else { return .different }
    guard distances.isEmpty else { return .faithfulButNotClose }
    return isUnchanged && !isFoldedInexactly && differences.isEmpty ? .exact : .equivalent
  }

  /// Whether every weight is the source's, bit for bit.
  public var isUnchanged: Bool { weights.allSatisfy(\.isUnchanged) }

  /// Whether the outputs were compared with the source's.
  public var judgesCloseness: Bool { closeness.pictureCount > 0 }

  /// Whether the model is what it should be, and within all limits that somebody stated, if anybody did.
  public var meetsStatedLimits: Bool { faults.isEmpty && limits.areStated && statedDistances.isEmpty }

  /// The number of pictures whose class cannot change.
  public var certifiedCount: Int { certificates.count { $0.isCertified } }

  /// Compares a model with its source.
  ///
  /// - Parameters:
  ///   - model: The model to be judged.
  ///   - source: The source, imported afresh: all its tensors know where they stand in the source file; or the native model
  ///     that the last passes were applied to.
  ///   - unfolded: The source before mean and scale became part of its first convolution, where they did: outputs are
  ///     compared with this one's.
  ///   - inputs: Batches of preprocessed pictures that both are run with.
  ///   - generatedCount: How many of the inputs, the first ones, are made up and need not be close: the maps of a model of integers hold
  ///     what pictures like those of its calibration give, and corrections of biases suit these. Where there are others, outputs are not
  ///     compared for made-up ones.
  ///   - data: More batches, of which only the outputs are compared.
  ///   - calibration: The pictures that the model was calibrated with: ranges and means are found again with them, and must be
  ///     the declared ones. None: they are taken as declared.
  ///   - recording: Activations that another program recorded.
  ///   - limits: What a close model may differ by.
  ///   - depth: How much is compared.
  ///   - options: How the engine works.
  ///   - budget: How many multiplications of a layer are judged for each picture; beyond that, a sample is.
  ///   - progress: Called when a step is done, see ``stepCount(for:inputs:data:depth:)``.
  public init(
    of model: Model, against source: Model, unfolded: Model? = nil, inputs: [FeatureMap],
    generatedCount: Int = 0, data: PictureBatches = .none, calibration: PictureBatches = .none,
    recording: RecordedActivations? = nil, limits: Limits = Limits(), depth: Depth = .layers,
    options: EngineOptions = EngineOptions(),
    budget: Int = Verification.standardBudget, progress: () -> Void = {}
  ) throws(VerificationError) {
    self.limits = limits
    self.depth = depth
    computesInIntegers = model.integerArithmetic != nil
    let declared: DeclaredModel
    passes = model.passes(since: source) ?? []
    do throws(FileError) {
      let recalibration =
        calibration.count > 0 ? Recalibration(pictures: calibration, options: options) : nil
      declared = try DeclaredModel(
        source, passes: passes, judged: model, recalibration: recalibration)
      isRecalibrated = recalibration != nil
      try compareWeights(of: model, with: declared, source: source, progress)
    } catch {
      throw .file(error)
    }
    let rescaled = declared.rescaling(source)
    if !declared.scalings.isEmpty { rescaledSource = rescaled }
    do throws(EngineError) {
      // Codes that are not what the passes make of the source need not be run, and may not be fit to be.
      if isComparable, !computesInIntegers || weights.allSatisfy(\.passes) {
        isFoldedInexactly = unfolded != nil
        let run = VerificationRun(
          model: model, source: source, rescaled: rescaled,
          unfolded: unfolded.flatMap { UnfoldedSource($0, folded: source) },
          declared: declared.model, options: options)
        // No arithmetic explains what comes of an infinity: only that the outputs are not the source's.
        let madeUpCount = inputs.count > generatedCount || data.count > 0 ? generatedCount : 0
        let suitable = Array(inputs.dropFirst(madeUpCount))
        if depth == .layers, weights.contains(where: { $0.overflowCount > 0 }) { self.depth = .outputs }
        switch self.depth {
        case .weights where unfolded == nil: break
        case .weights: try compareOutputs(run, PictureBatches(inputs), progress)
        case .outputs: try compareOutputs(run, PictureBatches(suitable), progress)
        case .layers where model.integerArithmetic != nil:
          try compareIntegers(run, inputs, progress)
          try compareOutputs(run, PictureBatches(suitable), {})
        case .layers:
          try compareLayers(run, inputs, madeUpCount: madeUpCount, budget, progress)
          if unfolded != nil || rescaledSource != nil {
            try compareOutputs(run, PictureBatches(suitable), {})
          }
        }
        try compareOutputs(run, data, progress)
      }
      if let recording { try compareRecorded(model, declared, source, recording, options) }
      // Suspects are tried with bounds of real arithmetic.
      if verdict == .different, model.integerArithmetic == nil {
        diagnosis = try Diagnosis(
          of: self, model: model, declared: declared, source: rescaled, inputs: inputs, recording: recording,
          options: options)
      }
    } catch {
      throw .engine(error)
    }
  }

  /// The number of steps that a comparison reports.
  public static func stepCount(
    for model: Model, inputs: Int, data: PictureBatches = .none, depth: Depth
  ) -> Int {
    let steps = model.tensors.count + data.count
    return switch depth {
    case .weights: steps
    case .outputs: steps + inputs
    case .layers: steps + inputs * model.network.layers.count
    }
  }

  /// Multiplications for each picture of a layer up to which all its outputs are judged: all of small networks.
  public static let standardBudget = LayerSample.standardBudget

  /// Whether both can be run on the same inputs: weights of the right shapes for the same network.
  var isComparable: Bool {
    missingTensors.isEmpty && weights.allSatisfy(\.hasSourcesShape)
      && !differences.contains { $0.subject == .network }
  }

  private mutating func compareWeights(
    of model: Model, with declared: DeclaredModel, source: Model, _ progress: () -> Void
  ) throws(FileError) {
    if model.passes(since: source) == nil {
      differences.append(
        ModelDifference(
          subject: .passes,
          problem: "the model says of itself that it was not made from this source: its passes begin "
            + "in another way than the source's"))
    }
    differences += declared.unknownPasses.map {
      ModelDifference(
        subject: .passes, problem: "the model has gone through a pass that cannot be repeated: \($0)")
    }
    differences += declared.refuted
    differences += model.differences(from: declared.model)
    differences += model.arithmeticDifference(from: declared.model)
    lacksHead = source.network.hasTop && !model.network.hasTop
    guard !differences.contains(where: { $0.subject == .network }) else { return }
    for expected in declared.tensors {
      guard let tensor = model.tensor(expected.original.name) else {
        missingTensors.append(expected.original.name)
        continue
      }
      weights.append(try WeightCheck(of: tensor, against: expected))
      progress()
    }
  }
}

/// Why a comparison cannot be made at all.
public enum VerificationError: Error, Sendable {
  /// A tensor cannot be read.
  case file(FileError)
  /// A network cannot be run.
  case engine(EngineError)
}
