internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGModel
internal import VGGVerify

/// A verification and what it was made of, from which every form of the report is made.
struct VerificationReport {
  let result: SourceVerification
  /// The seed of the generated pictures.
  let seed: UInt64
  /// The recording's path, nil without one.
  let recordingPath: String?
  /// Whether the exit status is 0 even where the model is faithful but not close.
  private let isExplainedOnly: Bool
  /// The command line.
  let command: String

  init(
    _ result: SourceVerification, seed: UInt64, recordingPath: String?, isExplainedOnly: Bool, command: String
  ) {
    (self.result, self.seed, self.recordingPath) = (result, seed, recordingPath)
    (self.isExplainedOnly, self.command) = (isExplainedOnly, command)
  }

  var verification: Verification { result.verification }
  var sourceFile: OpenedModel { result.source }
  var modelFile: OpenedModel { result.model }
  var sourcePath: String { sourceFile.path }
  var modelPath: String { modelFile.path }
  var source: Model { sourceFile.model }
  var model: Model { modelFile.model }
  var inputs: JudgementInputs { result.inputs }

  /// What of the source is taken from the model, because the source's file cannot hold it and nobody stated it.
  private var assumptions: [String] {
    sourceFile.assumesNormalization
      ? ["the constants of norm1 are the model's own: Keras cannot hold them; --lrn states them"] : []
  }

  /// Whether the exit status is 0.
  var passes: Bool {
    result.passes || isExplainedOnly && verification.verdict == .faithfulButNotClose
  }

  /// What a reader of the verdict should know.
  var notes: [String] {
    verification.notes + assumptions + uncomparedNotes + choiceNotes + integerNotes + calibrationNotes
  }

  /// What was not compared with an exported file.
  private var uncomparedNotes: [String] {
    let isReversed = sourceFile.native != nil && modelFile.native == nil && verification.verdict == .different
    return result.uncompared.map(\.rawValue)
      + (isReversed ? ["if \(modelPath) is what \(sourcePath) was made of, give it first"] : [])
  }

  /// What cannot be known of codes that were rounded by pictures.
  private var choiceNotes: [String] {
    let names = verification.weights.filter { $0.requirement == .quantizedByChoice }.map(\.tensor)
    guard !names.isEmpty else { return [] }
    return [
      "\(names.joined(separator: ", ")): scales follow from the source, and each code is one of the two that its value lies "
        + "between; which one, pictures decided that are not here, so the outputs must show that it was well chosen"
    ]
  }

  /// What is believed of what comes from pictures, or not.
  private var calibrationNotes: [String] {
    let passes = verification.passes.filter(\.declaresMeasurements)
    guard !passes.isEmpty, verification.verdict != .different else { return [] }
    let hasRanges = passes.contains { if case .quantizeActivations = $0 { true } else { false } }
    let hasMeans = passes.contains { if case .correctBiases = $0 { true } else { false } }
    let subject = [hasRanges ? "ranges" : nil, hasMeans ? "means" : nil].compactMap(\.self).joined(
      separator: " and ")
    return [
      verification.isRecalibrated
        ? "\(subject) of the calibration: found again with its pictures, and the same"
        : "\(subject) of the calibration: taken as declared; --calibrate finds them again with its pictures"
    ]
  }

  /// What to know of a model that was made for pictures like those of its calibration.
  private var integerNotes: [String] {
    let hasIntegers = model.integerArithmetic != nil
    guard hasIntegers || model.provenance.passes.contains(where: \.declaresMeasurements) else { return [] }
    let title = hasIntegers ? "a model of integers" : "a model with corrected biases"
    let isGiven =
      inputs.names.count > VerificationInputs.names.count || !inputs.dataPaths.isEmpty
      || verification.isRecalibrated
    return [
      isGiven
        ? "\(title): its outputs were compared for the inputs that were given"
        : "\(title): give pictures like those of its calibration with --inputs"
    ]
  }

  /// The diagnosis in words, nil without one.
  var diagnosis: DiagnosisText? { verification.diagnosis.map { DiagnosisText(self, $0) } }

  /// What the verdict means.
  var verdictText: String {
    switch verification.verdict {
    case .exact: "the model is the source, bit for bit"
    case .equivalent:
      verification.isUnchanged && !verification.isFoldedInexactly
        ? "the source's weights, bit for bit; the same for inputs of its size"
        : "made of the source as it says, and its outputs are close"
    case .faithfulButNotClose: "made as it says, but it does not compute the same"
    case .different:
      verification.passes.isEmpty
        ? "the model is not the source" : "the model is not what its passes make of the source"
    }
  }

  /// What is said of classes: how many pictures keep theirs, and how many must.
  var classText: String? {
    let certificates = verification.certificates
    guard !certificates.isEmpty else { return nil }
    let (same, count) = (verification.closeness.sameDecisionCount, verification.closeness.decisionCount)
    let certified = verification.certifiedCount
    var text = "classes: the same first class for \(same) of \(count) pictures, certified for \(certified)"
    if certified == count { text += ": no input in this set can change class" }
    return text
  }

  /// The smallest lead of a first class next to what the scores may differ by.
  var tightest: ClassCertificate? {
    verification.certificates.min { $0.margin - $0.bound < $1.margin - $1.bound }
  }
}

extension VerificationReport {
  /// The object that `verify --json` prints; `schemas/verify.schema.json` describes it.
  var json: JSONValue {
    let verification = verification
    return [
      "ok": .bool(passes),
      "verdict": .string(verification.verdict.rawValue),
      "source": .string(sourcePath), "model": .string(modelPath),
      "recording": recordingPath.map { .string($0) } ?? .null,
      "seed": .integer(Int64(clamping: seed)),
      "inputs": .array((inputs.names + inputs.dataPaths).map { .string($0) }),
      "reasons": .array(verification.reasons.map { .string($0) }),
      "culprit": verification.culpritIfWrong.map { .string($0) } ?? .null,
      "diagnosis": diagnosis.map {
        [
          "explanation": .string($0.explanation), "command": $0.command.map { .string($0) } ?? .null,
          "layers": .array($0.diagnosis.layers.map { .string($0) }),
        ]
      } ?? .null,
      "outputDistance": .number(verification.closeness.outputDistance),
      "sameClass": .integer(Int64(verification.closeness.sameDecisionCount)),
      "certified": .integer(Int64(verification.certifiedCount)),
      "classified": .integer(Int64(verification.closeness.decisionCount)),
      "limits": [
        "maxDistance": .number(verification.limits.outputDistance ?? Closeness.distanceLimit),
        "minTop1Agreement": .number(verification.limits.sameClassFraction ?? Closeness.sameDecisionLimit),
        "maxError": verification.limits.accumulatedError.map { .number($0) } ?? .null,
        "stated": .bool(verification.limits.areStated),
      ],
      "notes": .array(notes.map { .string($0) }),
      "classes": .array(
        verification.certificates.map { certificate in
          [
            "source": .integer(Int64(certificate.sourceClass)),
            "model": .integer(Int64(certificate.modelClass)),
            "margin": .number(certificate.margin), "bound": .number(certificate.bound),
            "certified": .bool(certificate.isCertified),
          ]
        }),
      "weights": .array(verification.weights.map(\.json)),
      "layers": .array(
        verification.layers.map { layer in
          [
            "layer": .string(layer.layer), "ok": .bool(layer.passes), "local": layer.local.json,
            "accumulated": layer.accumulated.json, "engine": layer.engine?.json ?? .null,
          ]
        }),
      "recorded": .array(
        verification.recorded.map {
          [
            "layer": .string($0.layer), "ok": .bool($0.passes), "difference": $0.error.json,
            "loose": .integer(Int64($0.looseCount)),
          ]
        }),
    ]
  }
}

extension Verification {
  /// The first bad layer, nil where nothing is wrong.
  var culpritIfWrong: String? { verdict == .different ? culprit : nil }
}

extension WeightCheck {
  fileprivate var json: JSONValue {
    [
      "tensor": .string(tensor), "source": .string(sourceName), "ok": .bool(passes),
      "requirement": .string(requirement.rawValue), "compared": .integer(Int64(comparedCount)),
      "wrong": .integer(Int64(wrongCount)), "pruned": .integer(Int64(prunedCount)),
      "encodingProblem": encodingProblem.map { .string($0) } ?? .null,
      "maxError": .number(largestError),
    ]
  }
}

extension BoundedError {
  fileprivate var json: JSONValue {
    [
      "compared": .integer(Int64(comparedCount)), "ok": .bool(passes), "maxError": .number(largestError),
      "maxBound": .number(largestBound), "relativeError": .number(relativeError),
      "relativeBound": .number(relativeBound), "usedPart": .number(usedPart),
    ]
  }
}
