import Foundation
import JSONKit
import TestSupport
import Testing

/// `verify` as a process: every form of its report, and its exit status.
@Suite struct VerifyCommandTests {
  private let source = fixture("keras/vgg_d_digits.h5")

  /// What `verify --json` says, which always is as the schema says.
  private func report(_ arguments: [String]) throws -> (process: CommandProcess, json: JSONValue) {
    let process = try CommandProcess.run(["verify"] + arguments + ["--json"])
    let json = try JSONValue(parsing: Array(process.output.utf8))
    #expect(try JSONSchema("verify.schema.json").problems(of: json) == [])
    return (process, json)
  }

  @Test(arguments: [[], ["--to", "int8"], ["--to", "fp16", "--prune-fc", "0.5"]])
  func reportsSayTheSame(_ extra: [String]) throws {
    try withModel("keras/vgg_d_digits.h5", extra) { model, folder in
      let (junit, page) = ("\(folder)/report.xml", "\(folder)/report.html")
      let (process, json) = try report([source, model, "--junit", junit, "--report", page, "--seed", "5"])
      #expect(process.status == 0, "\(process.errors)")
      #expect(json["ok"]?.bool == true && json["verdict"]?.string == (extra.isEmpty ? "exact" : "equivalent"))
      #expect(json["seed"]?.integer == 5 && json["inputs"]?.array?.count == 3)
      let layers = try #require(json["layers"]?.array)
      #expect(layers.count == 22)
      for layer in layers {
        #expect(layer["ok"]?.bool == true)
        for kind in ["local", "accumulated"] {
          #expect(try #require(layer[kind]?["usedPart"]?.number) <= 1)
          #expect(try #require(layer[kind]?["compared"]?.integer) > 0)
        }
      }
      #expect(json["classes"]?.array?.count == 3)
      // One case for each of 32 tensors and 22 layers, and the verdict.
      let xml = try String(contentsOfFile: junit, encoding: .utf8)
      #expect(xml.contains("tests=\"55\" failures=\"0\"") && xml.contains("name=\"conv3_2\""))
      let elements = XMLElements.counts(in: xml)
      #expect(elements["testcase"] == 55 && elements["failure"] == nil)
      let html = try String(contentsOfFile: page, encoding: .utf8)
      #expect(html.contains("<svg") && html.contains("prefers-color-scheme") && !html.contains("<script"))
      #expect(!html.contains("http://") && !html.contains("https://"))
      #expect(html.contains("conv5_3") && html.contains(extra.isEmpty ? "EXACT" : "EQUIVALENT"))
    }
  }

  @Test func aTableFits80Columns() throws {
    try withModel("keras/vgg_d_digits.h5", ["--to", "int8"]) { model, _ in
      let process = try CommandProcess.run([
        "verify", source, model, "--reference", fixture("refs/keras_vgg_d_digits.npz"),
      ])
      #expect(process.status == 0)
      let lines = process.output.split(separator: "\n")
      for line in lines where line.contains("e-0") && !line.contains(":") {
        #expect(line.count <= 80, "\(line)")
      }
      #expect(lines.contains { $0.hasPrefix("fc8") && $0.hasSuffix("ok") })
    }
  }

  @Test func limitsOnlyTighten() throws {
    try withModel("keras/vgg_d_digits.h5", ["--to", "int8"]) { model, _ in
      for limit in [["--max-error", "1e-9"], ["--max-distance", "1e-12"]] {
        let (process, json) = try report([source, model] + limit)
        #expect(process.status == 1 && json["verdict"]?.string == "faithful but not close", "\(limit)")
        #expect(json["reasons"]?.array?.count == 1)
      }
      let loose = try report([
        source, model, "--max-error", "1", "--max-distance", "1", "--min-top1-agreement", "0",
      ])
      #expect(loose.process.status == 0)
    }
  }

  @Test func picturesAreInputs() throws {
    try withModel { model, _ in
      let pictures = ["digit_3", "digit_7"].map { fixture("pictures/\($0).png") }
      let (process, json) = try report([source, model] + pictures.flatMap { ["--inputs", $0] })
      #expect(process.status == 0)
      // Besides those that are generated, which show what pictures may not.
      #expect(
        json["inputs"]?.array?.compactMap(\.string) == ["noise", "impulses", "constants"] + pictures)
      #expect(json["certified"]?.integer == 5 && json["classified"]?.integer == 5)
      #expect(json["classes"]?.array?.suffix(2).compactMap { $0["source"]?.integer } == [3, 7])
    }
  }

  /// A flattening that nobody can see in the weights: the recording says so, and what to do.
  @Test func aWrongDecisionIsFoundByARecordingAndMended() throws {
    try withModel("keras/vgg_d_digits.h5", ["--flatten-order", "chw"]) { model, folder in
      let recording = ["--reference", fixture("refs/keras_vgg_d_digits.npz")]
      let (process, json) = try report([source, model, "--flatten-order", "chw"] + recording)
      #expect(process.status == 1 && json["culprit"]?.string == "fc6")
      let diagnosis = try #require(json["diagnosis"])
      #expect(diagnosis["explanation"]?.string?.contains("order") == true)
      let command = try #require(diagnosis["command"]?.string)
      #expect(command.hasPrefix("vggconv import") && command.hasSuffix("--flatten-order hwc"))
      let mended = try CommandProcess.run(command.split(separator: " ").dropFirst().map(String.init))
      #expect(mended.status == 0)
      #expect(try report([source, model] + recording).process.status == 0)
    }
  }

  @Test func aFlippedKernelIsFoundByARecording() throws {
    try withModel("keras/vgg_d_digits.h5", ["--kernel-flip", "yes"]) { model, _ in
      let process = try CommandProcess.run([
        "verify", source, model, "--kernel-flip", "yes", "--reference",
        fixture("refs/keras_vgg_d_digits.npz"),
      ])
      #expect(process.status == 1)
      #expect(process.output.contains("because: kernels are turned by 180 degrees"))
      #expect(process.output.contains("--kernel-flip no"))
      #expect(process.output.contains("WRONG: first"))
    }
  }

  @Test func wrongNormalizationIsFoundByARecording() throws {
    let lrn = fixture("keras/vgg_a_lrn.h5")
    try withModel("keras/vgg_a_lrn.h5", ["--lrn", "5,0.0001,0.75,2"]) { model, _ in
      let (process, json) = try report([lrn, model, "--reference", fixture("refs/keras_vgg_a_lrn.npz")])
      #expect(process.status == 1 && json["culprit"]?.string == "norm1")
      #expect(json["diagnosis"]?["command"]?.string?.hasSuffix("--lrn 5,0.0001,0.75,1.0") == true)
      // Without a recording nothing tells that they are wrong: at least it is said whose they are.
      let assumed = try report([lrn, model])
      #expect(assumed.json["notes"]?.array?.first?.string?.contains("the model's own") == true)
      let stated = try report([lrn, model, "--lrn", "5,0.0001,0.75,1"])
      #expect(stated.process.status == 1 && stated.json["notes"]?.array?.isEmpty == true)
    }
  }

  @Test func importSaysWhatItVerified() throws {
    try withTemporaryFolder { folder in
      let small = try CommandProcess.run(["import", source, "-o", "\(folder)/a.vggw"])
      #expect(small.output.contains("bit for bit; 22 layers within their bounds"))
      let unverified = try CommandProcess.run(["import", source, "-o", "\(folder)/b.vggw", "--no-verify"])
      #expect(unverified.status == 0 && !unverified.output.contains("verified"))
      let json = try CommandProcess.run([
        "import", source, "-o", "\(folder)/c.vggw", "--to", "bf16", "--json",
      ])
      let report = try JSONValue(parsing: Array(json.output.utf8))
      #expect(report["verified"]?.bool == true && report["layersVerified"]?.integer == 22)
    }
  }
}

/// Counts the elements of an XML document; empty where it is not well formed.
private enum XMLElements {
  static func counts(in xml: String) -> [String: Int] {
    var counts: [String: Int] = [:]
    var stack: [Substring] = []
    for part in xml.split(separator: "<").dropFirst() {
      guard let end = part.firstIndex(of: ">") else { return [:] }
      let tag = part[..<end]
      if tag.hasPrefix("?") { continue }
      let name = tag.prefix { !" />".contains($0) }
      if tag.hasPrefix("/") {
        guard stack.popLast() == tag.dropFirst() else { return [:] }
        continue
      }
      counts[String(name), default: 0] += 1
      if !tag.hasSuffix("/") { stack.append(name) }
    }
    return stack.isEmpty ? counts : [:]
  }
}
