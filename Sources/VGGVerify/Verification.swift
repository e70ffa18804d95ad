public import VGGEngine
public import VGGModel

/// Whether a model computes what its source computes: what was compared, and what came of it.
public struct Verification: Sendable {
  /// The model's tensors against the source's.
  public internal(set) var weights: [WeightCheck] = []
  /// Tensors of the source that the model should have and has not.
  public internal(set) var missingTensors: [String] = []
  /// What the model's network does in another way than the source's, layer by layer.
  public internal(set) var networkDifferences: [String] = []
  /// The layers of both run side by side.
  public internal(set) var layers: [LayerVerdict] = []
  /// The model's layers against recorded activations, where there are any.
  public internal(set) var recorded: [RecordedVerdict] = []
  /// The first classes of the model and of the recording, for each picture whose probabilities were recorded.
  public internal(set) var recordedClasses: [(model: Int, recorded: Int)] = []
  /// For each picture, whether its class can change; none without a top.
  public internal(set) var certificates: [ClassCertificate] = []
  /// The largest cosine distance of the outputs for one picture: of the scores before the softmax, or of the features.
  public internal(set) var outputDistance = 0.0
  /// What explains the difference, if something does.
  public internal(set) var diagnosis: Diagnosis?
  /// What is allowed beside what the bounds allow.
  public let limits: Limits

  /// Limits tighter than what arithmetic explains; nil: none.
  public struct Limits: Sendable {
    /// The largest difference from the source's activations, as a part of the layer's largest magnitude.
    public var accumulatedError: Double?
    /// The largest cosine distance of the output for one picture.
    public var outputDistance: Double?
    /// The part of the pictures that must have the same class first.
    public var sameClassFraction: Double?

    /// No limits but the bounds.
    public init() {}
  }

  /// What came of the comparison.
  public enum Verdict: String, Sendable {
    /// All weights are the source's, bit for bit, and so are all activations.
    case exact
    /// All weights are what their encoding can hold of the source's, and nothing exceeds its bound.
    case equivalent
    /// Something is wrong.
    case different
  }

  /// What came of the comparison.
  public var verdict: Verdict {
    guard reasons.isEmpty else { return .different }
    return isUnchanged ? .exact : .equivalent
  }

  /// Whether every weight is stored with the source's precision and none was pruned.
  public var isUnchanged: Bool {
    weights.allSatisfy { $0.requirement == .exact && $0.prunedCount == 0 }
  }

  /// The number of pictures whose first class is the same.
  public var sameClassCount: Int { certificates.count { $0.sourceClass == $0.modelClass } }
  /// The number of pictures whose class cannot change.
  public var certifiedCount: Int { certificates.count { $0.isCertified } }

  /// Compares a model with its source.
  ///
  /// - Parameters:
  ///   - model: The model to be judged.
  ///   - source: The source, imported afresh: all its tensors know where they stand in the source file.
  ///   - inputs: Batches of preprocessed pictures that both are run with.
  ///   - recording: Activations that another program recorded.
  ///   - options: How the engine works.
  ///   - budget: How many multiplications of a layer are judged for each picture; beyond that, a sample is.
  public init(
    of model: Model, against source: Model, inputs: [FeatureMap], recording: RecordedActivations? = nil,
    limits: Limits = Limits(), options: EngineOptions = EngineOptions(),
    budget: Int = Verification.standardBudget
  ) throws(VerificationError) {
    self.limits = limits
    do throws(FileError) {
      try compareWeights(of: model, against: source)
    } catch {
      throw .file(error)
    }
    do throws(EngineError) {
      if missingTensors.isEmpty, weights.allSatisfy(\.hasSourcesShape) {
        networkDifferences = model.network.differences(from: source.network)
        try compareLayers(of: model, against: source, inputs: inputs, options, budget)
      }
      if let recording { try compareRecorded(model, source, recording, options) }
      if verdict == .different {
        diagnosis = try Diagnosis(
          of: self, model: model, source: source, inputs: inputs, recording: recording, options: options)
      }
    } catch {
      throw .engine(error)
    }
  }

  /// Multiplications for each picture of a layer up to which all its outputs are judged: all of small networks.
  public static let standardBudget = LayerSample.standardBudget

  private mutating func compareWeights(of model: Model, against source: Model) throws(FileError) {
    let dropped = model.provenance.passes.contains("prune --drop-fc")
    for expected in source.tensors {
      guard let tensor = model.tensor(expected.name) else {
        if !(dropped && expected.name.hasPrefix("fc")) { missingTensors.append(expected.name) }
        continue
      }
      weights.append(try WeightCheck(of: tensor, against: expected))
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
