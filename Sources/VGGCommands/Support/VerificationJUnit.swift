internal import VGGVerify

extension VerificationReport {
  /// The report as JUnit XML: one test case for each tensor, layer and picture.
  var junit: String {
    var cases: [JUnitReport.Case] = []
    func add(_ group: String, _ name: String, _ failure: String?) {
      cases.append(JUnitReport.Case(group: group, name: name, failure: failure))
    }
    let verification = verification
    for name in verification.missingTensors { add("weights", name, "is not in the model") }
    for check in verification.weights {
      add(
        "weights", check.tensor,
        check.passes ? nil : "\(check.wrongCount) of \(check.comparedCount) values are wrong")
    }
    for layer in verification.layers {
      add(
        "layers", layer.layer,
        layer.passes
          ? nil
          : "local \(layer.local.relativeError), bound \(layer.local.relativeBound); "
            + "accumulated \(layer.accumulated.relativeError), bound \(layer.accumulated.relativeBound)")
    }
    for layer in verification.recorded {
      add(
        "recorded", layer.layer,
        layer.passes ? nil : "\(layer.error.relativeError), bound \(layer.error.relativeBound)")
    }
    // What no single tensor or layer stands for: limits, missing comparisons, and the verdict itself.
    add(
      "verdict", verification.verdict.rawValue,
      passes ? nil : verification.reasons.joined(separator: "\n"))
    return JUnitReport(name: "vggconv verify \(modelPath)", cases: cases).text
  }
}
