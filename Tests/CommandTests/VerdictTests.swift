import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGNative
import VGGTensors

/// Models that were ruined, and that no command may call equivalent: the trained networks, as a user would ruin them.
@Suite struct VerdictTests {
  private static let source = fixture("keras/vgg_d_digits.h5")

  private func run(_ arguments: String...) throws -> CommandProcess { try CommandProcess.run(arguments) }

  private func verdict(_ arguments: String...) throws -> (status: Int32, verdict: String?, json: JSONValue) {
    let process = try CommandProcess.run(["verify", Self.source] + arguments + ["--json"])
    let json = try JSONValue(parsing: Array(process.output.utf8))
    return (process.status, json["verdict"]?.string, json)
  }

  @Test(arguments: ["0.98", "1"]) func densePrunedToNothing(_ fraction: String) throws {
    try withModel("keras/vgg_d_digits.h5") { model, folder in
      let pruned = "\(folder)/pruned.vggw"
      let process = try run("prune", model, "--fc", fraction, "-o", pruned)
      #expect(process.status == 1 && process.output.contains("FAITHFUL BUT NOT CLOSE"))
      #expect(!process.output.contains("verified"))
      let judged = try verdict(pruned)
      #expect(judged.status == 1 && judged.verdict == "faithful but not close")
      #expect(try #require(judged.json["outputDistance"]?.number) > 0.1)
      // Asked for, stated, or only to be explained.
      for flags in [["--explain-only"], ["--max-distance", "2"]] {
        let allowed = try CommandProcess.run(
          ["prune", model, "--fc", fraction, "-o", pruned, "--force"] + flags)
        #expect(allowed.status == 0 && allowed.output.contains("FAITHFUL BUT NOT CLOSE"), "\(flags)")
        #expect(try CommandProcess.run(["verify", Self.source, pruned] + flags).status == 0)
      }
      let unmet = try run("verify", Self.source, pruned, "--max-distance", "0.1")
      #expect(unmet.status == 1)
    }
  }

  @Test func picturesThatChangeTheirClass() throws {
    try withModel("keras/vgg_d_digits.h5", ["--to", "int8"]) { model, folder in
      let pruned = "\(folder)/pruned.vggw"
      #expect(try run("prune", model, "--fc", "0.9", "-o", pruned).status == 1)
      let pictures = ["digit_3", "digit_7"].flatMap { ["--inputs", fixture("pictures/\($0).png")] }
      let data = try CommandProcess.run(
        ["verify", Self.source, pruned, "--inputs", fixture("digits_test.npz"), "--json"] + pictures)
      let json = try JSONValue(parsing: Array(data.output.utf8))
      #expect(data.status == 1 && json["verdict"]?.string == "faithful but not close")
      #expect(json["classified"]?.integer == 365)
      #expect(try #require(json["sameClass"]?.integer) < 250)
      // The same by one command.
      let direct = try run(
        "import", Self.source, "--to", "int8", "--prune-fc", "0.9", "-o", "\(folder)/direct.vggw")
      #expect(direct.status == 1 && !direct.output.contains("verified"))
      #expect(FileManager.default.fileExists(atPath: "\(folder)/direct.vggw"))
    }
  }

  /// Scales that nobody could have derived from the source, in a file whose digests are all right.
  @Test(arguments: [400, 0.02] as [Float]) func wrongScales(_ factor: Float) throws {
    try withModel("keras/vgg_d_digits.h5", ["--to", "int8"]) { path, folder in
      let model = try VGGWFile.open(path: path).model
      let wrong = try model.mappingTensors { tensor throws(FileError) in
        guard case .codes(let codes, var quantization) = tensor.content else { return tensor }
        quantization.scales = quantization.scales.map { $0 * factor }
        return tensor.replacing(.codes(codes, quantization))
      }
      try VGGWFile.write(wrong, to: "\(folder)/wrong.vggw")
      #expect(try run("checksum", "\(folder)/wrong.vggw").status == 0)
      let judged = try verdict("\(folder)/wrong.vggw")
      #expect(
        judged.status == 1 && judged.verdict == "different" && judged.json["culprit"]?.string == "conv1_1")
    }
  }

  @Test func aHeadThatIsGone() throws {
    try withModel("keras/vgg_d_digits.h5", ["--drop-fc"]) { model, _ in
      let judged = try verdict(model)
      #expect(judged.status == 1 && judged.verdict == "faithful but not close")
      #expect(judged.json["reasons"]?.array?.count == 1)
      #expect(try run("verify", Self.source, model, "--explain-only").status == 0)
      // Features are no closer to classes for a limit on their distance.
      #expect(try run("verify", Self.source, model, "--max-distance", "2").status == 1)
    }
  }

  @Test(arguments: [["--channel-order", "rgb"]]) func picturesPreparedOtherwise(_ flags: [String]) throws {
    try withModel("keras/vgg_d_digits.h5", flags) { model, _ in
      let judged = try verdict(model)
      #expect(judged.status == 1 && judged.verdict == "different")
      // Who imported it so can say so.
      let same = try CommandProcess.run(["verify", Self.source, model] + flags)
      #expect(same.status == 0 && same.output.contains("EXACT"))
    }
  }

  /// What must still pass, on both trained networks: with all test pictures, too.
  @Test(
    arguments: ["keras/vgg_d_digits.h5", "keras/vgg_a_digits.h5"],
    [["--to", "fp16"], ["--to", "bf16"], ["--to", "int8"], ["--prune-fc", "0.3"]])
  func harmlessPassesAreEquivalent(_ source: String, _ flags: [String]) throws {
    try withModel(source, flags) { model, _ in
      let process = try CommandProcess.run([
        "verify", fixture(source), model, "--inputs", fixture("digits_test.npz"),
      ])
      #expect(process.status == 0 && process.output.contains("EQUIVALENT"), "\(process.output)")
      #expect(process.output.contains("363 of 363 pictures"))
    }
  }

  /// What costs accuracy must not, on the generated inputs alone.
  @Test(arguments: [
    ("keras/vgg_d_digits.h5", ["--to", "int8", "--prune-fc", "0.6"]),
    ("keras/vgg_d_digits.h5", ["--prune-fc", "0.8"]), ("keras/vgg_a_digits.h5", ["--prune-fc", "0.8"]),
    ("keras/vgg_a_digits.h5", ["--to", "int8", "--prune-fc", "0.9"]),
  ])
  func whatCostsAccuracyIsNotClose(_ source: String, _ flags: [String]) throws {
    try withTemporaryFolder { folder in
      let process = try CommandProcess.run(
        ["import", fixture(source), "-o", "\(folder)/m.vggw"] + flags)
      #expect(process.status == 1 && process.output.contains("FAITHFUL BUT NOT CLOSE"), "\(process.output)")
    }
  }

  /// What is not a number cannot be shown to be close to anything.
  @Test(arguments: [[], ["--to", "fp16"], ["--prune-fc", "0.5"]])
  func aSourceWithValuesThatAreNoNumbers(_ flags: [String]) throws {
    let source = fixture("bad/nan_inf.h5")
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let process = try CommandProcess.run(["import", source, "--allow-nonfinite", "-o", model] + flags)
      let judged = try run("verify", source, model, "--allow-nonfinite")
      if flags.isEmpty {
        #expect(
          process.status == 0 && judged.status == 0 && judged.output.contains("EXACT"), "\(judged.output)")
      } else {
        #expect(process.status == 1 && process.output.contains("FAITHFUL BUT NOT CLOSE"), "\(process.output)")
        #expect(process.output.contains("the same first class for 0 of 3 pictures"))
        #expect(judged.status == 1 && judged.output.contains("FAITHFUL BUT NOT CLOSE"), "\(judged.output)")
      }
    }
  }

  @Test(arguments: ["nan_inf.h5"]) func int8OfValuesThatAreNoNumbers(_ name: String) throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let process = try run(
        "import", fixture("bad/\(name)"), "--allow-nonfinite", "--to", "int8", "-o", model)
      #expect(process.status == 65 && process.errors.contains("int8 cannot hold"), "\(process.errors)")
      #expect(process.errors.contains("conv3_1/weight") && process.errors.contains("--keep conv3_1"))
      #expect(!FileManager.default.fileExists(atPath: model))
    }
  }

  /// A mask leaves zeros of both signs: they are zeros.
  @Test(arguments: ["masked_minus_zero", "masked_plus_zero"]) func zerosOfEitherSign(_ name: String) throws {
    let source = fixture("field/negative-zero/\(name).h5")
    try withTemporaryFolder { folder in
      let (model, pruned) = ("\(folder)/m.vggw", "\(folder)/p.vggw")
      #expect(try run("import", source, "-o", model).status == 0)
      // As much as is zero already: nothing is lost.
      for command in [["prune", model, "--fc"], ["import", source, "--prune-fc"]] {
        let process = try CommandProcess.run(command + ["0.4", "-o", pruned, "--force"])
        #expect(
          process.status == 0 && process.output.contains("verified"), "\(process.output)\(process.errors)")
        let judged = try run("verify", source, pruned)
        #expect(judged.status == 0, "\(judged.output)")
      }
    }
  }

  @Test(arguments: [[], ["--to", "int8"], ["--to", "int8", "--prune-fc", "0.2"]])
  func theSelfTestSaysBothRates(_ flags: [String]) throws {
    try withTemporaryFolder { folder in
      let (source, model) = (fixture("bad/control_ok.h5"), "\(folder)/m.vggw")
      _ = try CommandProcess.run(["import", source, "-o", model] + flags)
      let process = try run("verify", source, model, "--self-test")
      #expect(process.status == 0, "\(process.output)")
      let lines = process.output.split(separator: "\n").suffix(2)
      #expect(lines.first?.hasPrefix("100 % of") == true && lines.first?.contains("mistakes found") == true)
      #expect(
        lines.last?.hasPrefix("100 % of") == true && lines.last?.contains("ruined models refused") == true)
    }
  }
}
