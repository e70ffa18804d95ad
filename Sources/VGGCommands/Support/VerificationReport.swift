internal import CommandLineKit
internal import JSONKit
internal import VGGFile
internal import VGGModel
internal import VGGVerify

/// A verification and what it was made of, from which every form of the report is made.
struct VerificationReport {
  let verification: Verification
  let sourcePath: String
  let modelPath: String
  let source: Model
  let model: Model
  /// What the pictures are called, in order.
  let inputNames: [String]
  /// The seed of generated pictures, nil where the user gave them.
  let seed: UInt64?
  /// The recording's path, nil without one.
  let recordingPath: String?
  /// Bytes of each tensor in the native file, none where the model is no such file.
  let storedBytes: [String: Int]

  /// The diagnosis in words, nil without one.
  var diagnosis: DiagnosisText? { verification.diagnosis.map { DiagnosisText(self, $0) } }

  /// What the verdict means.
  var verdictText: String {
    switch verification.verdict {
    case .exact: "the model is the source, bit for bit"
    case .equivalent: "every weight is what its encoding can hold, and arithmetic explains the rest"
    case .different: "the model does not compute what the source computes"
    }
  }

  /// What is said of classes: how many pictures keep theirs, and how many must.
  var classText: String? {
    let certificates = verification.certificates
    guard !certificates.isEmpty else { return nil }
    let (same, certified) = (verification.sameClassCount, verification.certifiedCount)
    let count = certificates.count
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
      "ok": .bool(verification.verdict != .different),
      "verdict": .string(verification.verdict.rawValue),
      "source": .string(sourcePath), "model": .string(modelPath),
      "recording": recordingPath.map { .string($0) } ?? .null,
      "seed": seed.map { .integer(Int64(clamping: $0)) } ?? .null,
      "inputs": .array(inputNames.map { .string($0) }),
      "reasons": .array(verification.reasons.map { .string($0) }),
      "culprit": verification.culpritIfWrong.map { .string($0) } ?? .null,
      "diagnosis": diagnosis.map {
        [
          "explanation": .string($0.explanation), "command": $0.command.map { .string($0) } ?? .null,
          "layers": .array($0.diagnosis.layers.map { .string($0) }),
        ]
      } ?? .null,
      "outputDistance": .number(verification.outputDistance),
      "sameClass": .integer(Int64(verification.sameClassCount)),
      "certified": .integer(Int64(verification.certifiedCount)),
      "classified": .integer(Int64(verification.certificates.count)),
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
