/// Checks and their outcomes as JUnit XML, which CI servers read.
struct JUnitReport {
  /// A check.
  struct Case {
    /// What kind of check it is.
    let group: String
    /// What was checked.
    let name: String
    /// What is wrong; nil where nothing is.
    let failure: String?
  }

  /// What the checks are together.
  let name: String
  /// The checks.
  let cases: [Case]

  /// The document.
  var text: String {
    let failures = cases.count { $0.failure != nil }
    var lines = [
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
      "<testsuites tests=\"\(cases.count)\" failures=\"\(failures)\">",
      "  <testsuite name=\"\(escaped(name))\" tests=\"\(cases.count)\" failures=\"\(failures)\">",
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
