internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGModel
internal import VGGVerify

extension Judgement {
  /// The status to exit with: a model that is not close is kept, but said to be so.
  func exitStatus(by arguments: Arguments) -> ExitStatus {
    isGoodEnough || arguments[JudgementArguments.explainOnly] ? .success : .checkSaidNo
  }

  /// What people are told.
  func text(for console: Console) -> String {
    var clauses = [verification.weightText]
    let computed = Set(origin.provenance.folded.map(\.layer)).sorted().joined(separator: ", ")
    if verification.isUnchanged, !computed.isEmpty {
      clauses.append("what was folded into \(computed) was computed again and is the same")
    }
    if !verification.layers.isEmpty {
      clauses.append(
        verification.computesInIntegers
          ? "\(verification.layers.count) layers give the codes of the plain reference, one by one"
          : "\(verification.layers.count) layers within their bounds")
    }
    if !verification.isUnchanged || verification.isFoldedInexactly {
      clauses += [verification.distanceText, verification.decisionText].compactMap(\.self)
    }
    if verification.lacksHead { clauses.append("it gives features now, not classes") }
    let title = isClose ? "verified: " : "faithful: "
    let summary =
      title
      + clauses.joined(separator: verification.isUnchanged ? "; " : "\n" + title.map { _ in " " }.joined())
    guard !isClose else { return summary }
    let verdict = "FAITHFUL BUT NOT CLOSE: "
    return [
      summary,
      console.styled(String(verdict.dropLast(2)), .red) + ": "
        + verification.distances.joined(separator: "\n" + verdict.map { _ in " " }.joined()),
      verification.meetsStatedLimits
        ? "It is within the limits that were stated."
        : "It was written as asked. --max-distance and --min-top1-agreement state what is\nclose enough.",
    ].joined(separator: "\n")
  }

  /// The same for scripts.
  var fields: [(String, JSONValue)] {
    [
      ("verified", .bool(isClose)),
      ("verdict", .string(verification.verdict.rawValue)),
      ("layersVerified", .integer(Int64(verification.layers.count))),
      ("reasons", .array(verification.reasons.map { .string($0) })),
    ] + (verification.judgesCloseness ? verification.closeness.fields : [])
  }
}

extension Closeness {
  /// What was measured, for scripts.
  var fields: [(String, JSONValue)] {
    [
      ("outputDistance", .number(outputDistance)),
      ("sameClass", .integer(Int64(sameDecisionCount))), ("classified", .integer(Int64(decisionCount))),
    ]
  }
}

extension Verification {
  /// What was found of the weights, where they are what they must be.
  var weightText: String {
    let values =
      "all \(Format.grouped(weights.reduce(0) { $0 + $1.comparedCount })) values of \(weights.count) tensors"
    if isUnchanged { return "\(values) are the source's, bit for bit" }
    let hasChoices = weights.contains { $0.requirement == .quantizedByChoice }
    return "\(values) \(hasChoices ? "are among those that follow" : "follow") from the source\n          "
      + "by '\(passes.map(\.description).joined(separator: "', '"))'"
  }

  /// How far the outputs are apart; nil where nothing was run.
  var distanceText: String? {
    judgesCloseness ? closeness.distanceText(limit: limits.outputDistance ?? Closeness.distanceLimit) : nil
  }

  /// How many decisions are the same; nil where there are none.
  var decisionText: String? { closeness.decisionText }
}

extension Closeness {
  /// How far the outputs are apart, and how far they may be.
  func distanceText(limit: Double) -> String {
    "output at a distance of \(Format.significant(outputDistance, 2)) from the source's, "
      + "allowed \(Format.significant(limit, 2))"
  }

  /// How many decisions are the same; nil where there are none.
  var decisionText: String? {
    guard decisionCount > 0 else { return nil }
    return "the same first class for \(sameDecisionCount) of \(decisionCount) pictures"
  }
}
