internal import VGGVerify

extension VerificationReport {
  /// The report as JUnit XML, which CI servers read: one test case for each tensor, layer and picture.
  var junit: String {
    var cases: [(group: String, name: String, failure: String?)] = []
    let verification = verification
    for name in verification.missingTensors { cases.append(("weights", name, "is not in the model")) }
    for check in verification.weights {
      cases.append(
        (
          "weights", check.tensor,
          check.passes ? nil : "\(check.wrongCount) of \(check.comparedCount) values are wrong"
        ))
    }
    for layer in verification.layers {
      cases.append(
        (
          "layers", layer.layer,
          layer.passes
            ? nil
            : "local \(layer.local.relativeError), bound \(layer.local.relativeBound); "
              + "accumulated \(layer.accumulated.relativeError), bound \(layer.accumulated.relativeBound)"
        ))
    }
    for layer in verification.recorded {
      cases.append(
        (
          "recorded", layer.layer,
          layer.passes ? nil : "\(layer.error.relativeError), bound \(layer.error.relativeBound)"
        ))
    }
    // What no single tensor or layer stands for: limits, missing comparisons, and the verdict itself.
    cases.append(
      (
        "verdict", verification.verdict.rawValue,
        passes ? nil : verification.reasons.joined(separator: "\n")
      ))
    let failures = cases.count { $0.failure != nil }
    var lines = [
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
      "<testsuites tests=\"\(cases.count)\" failures=\"\(failures)\">",
      "  <testsuite name=\"vggconv verify \(escaped(modelPath))\" tests=\"\(cases.count)\" failures=\"\(failures)\">",
    ]
    for item in cases {
      let head = "    <testcase classname=\"vggconv.\(item.group)\" name=\"\(escaped(item.name))\""
      guard let failure = item.failure else {
        lines.append(head + "/>")
        continue
      }
      lines.append(head + ">")
      lines.append("      <failure message=\"\(escaped(failure))\"/>")
      lines.append("    </testcase>")
    }
    lines += ["  </testsuite>", "</testsuites>", ""]
    return lines.joined(separator: "\n")
  }
}

/// Text for XML and HTML, in content and in attributes; control characters, which XML has not, become question marks.
func escaped(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "\n": result += "&#10;"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar.value & 0xFFFE == 0xFFFE: result += "?"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
