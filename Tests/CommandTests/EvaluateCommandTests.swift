import Foundation
import JSONKit
import TestSupport
import Testing

/// Accuracy on folders, and what CI makes of it.
@Suite struct EvaluateCommandTests {
  private static let source = fixture("keras/vgg_d_digits.h5")
  private static let data = fixture("digits_test.npz")

  private func run(_ arguments: String...) throws -> CommandProcess {
    try CommandProcess.run(["evaluate", Self.source] + arguments)
  }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  /// A folder of digits, each in the sub-folder of a name.
  private func withDigits(_ folders: [String: String], _ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for (name, digit) in folders {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        try FileManager.default.copyItem(
          atPath: fixture("pictures/digit_\(digit).png"), toPath: "\(folder)/\(name)/a.png")
      }
      try body(folder)
    }
  }

  @Test func foldersAreEvaluated() throws {
    try withDigits(["0": "0", "3": "3", "7": "7"]) { folder in
      let report = try json(run(folder, "--json"))
      #expect(report["ok"]?.bool == true && report["count"]?.integer == 3)
      #expect(report["top1Correct"]?.integer == 3 && report["labels"]?.string == "numbers")
    }
    // Two of them are taken for others.
    try withDigits(["0": "0", "3": "7", "7": "3"]) { folder in
      let report = try json(run(folder, "--json"))
      #expect(report["top1Correct"]?.integer == 1)
    }
  }

  @Test func whatIsAssumedAndLeftOutIsSaid() throws {
    let names = Dictionary(
      uniqueKeysWithValues: (0..<10).map {
        ("digit-\($0)", ["0", "3", "7"].contains("\($0)") ? "\($0)" : "0")
      })
    try withDigits(names) { folder in
      try Data("x".utf8).write(to: URL(filePath: "\(folder)/digit-3/read\u{1B}me"))
      let process = try run(folder)
      #expect(process.status == 0 && process.output.contains("(3 of 10)"))
      #expect(process.errors.contains("assumed that the classes are, in order: digit-0, digit-1"))
      #expect(process.errors.contains("left out 1 file") && !process.errors.contains("\u{1B}"))
      let quiet = try json(run(folder, "--json", "--quiet"))
      #expect(quiet["labels"]?.string == "order" && quiet["classes"]?.array?.count == 10)
    }
  }

  @Test func aFolderThatDoesNotSuitTheModelIsRefused() throws {
    try withDigits(["cat": "0", "dog": "3"]) { folder in
      let process = try run(folder)
      #expect(process.status == 65 && process.errors.contains("another number of sub-folders"))
    }
    try withTemporaryFolder { folder in
      let process = try run(folder, "--json")
      #expect(process.status == 65)
      #expect(try json(process)["error"]?["code"]?.string == "data.empty")
    }
  }

  @Test(arguments: [("0.99", Int32(0)), ("1", 1), ("0", 0)])
  func accuracyIsAGate(_ least: String, _ status: Int32) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/report.xml"
      let process = try run(Self.data, "--min-top1", least, "--junit", path, "--json")
      #expect(process.status == status)
      let report = try json(process)
      #expect(report["ok"]?.bool == (status == 0) && report["minTop1"]?.number == Double(least))
      let xml = try String(contentsOfFile: path, encoding: .utf8)
      let failures = status == 0 ? 0 : 1
      #expect(xml.contains("<testsuites tests=\"1\" failures=\"\(failures)\">"))
      #expect(xml.contains("<testcase classname=\"vggconv.evaluate\" name=\"top1\""))
      #expect(xml.contains("needed is 1.0") == (status != 0))
      #expect(try XMLDocumentCheck.isWellFormed(xml))
    }
  }

  /// Nothing is larger than NaN, so that any class would seem to come first.
  @Test func aModelThatGivesNoNumbersIsNeverRight() throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/nan.vggw"
      let imported = try CommandProcess.run(
        ["import", fixture("bad/nan_inf.h5"), "--allow-nonfinite", "-o", model])
      try #require(imported.status == 0)
      let process = try CommandProcess.run(["evaluate", model, Self.data, "--min-top1", "0.1", "--json"])
      let report = try json(process)
      #expect(process.status == 1 && report["top1Correct"]?.integer == 0)
      #expect(report["top5Correct"]?.integer == 0)
    }
  }

  @Test func theGateIsSaidToPeople() throws {
    let process = try run(Self.data, "--min-top1", "1")
    #expect(process.status == 1 && process.output.contains("FAILED: top 1 is 0.99"))
    #expect(try run(Self.data, "--min-top1", "1.5").status == 64)
  }
}

/// Whether tags are closed in order: enough for what is written here.
private enum XMLDocumentCheck {
  static func isWellFormed(_ text: String) throws -> Bool {
    var open: [Substring] = []
    for tag in text.matches(of: /<(\/?)([a-z]+)[^<>]*?(\/?)>/) {
      if tag.output.1 == "/" {
        guard open.popLast() == tag.output.2 else { return false }
      } else if tag.output.3.isEmpty {
        open.append(tag.output.2)
      }
    }
    return open.isEmpty && text.hasPrefix("<?xml")
  }
}
