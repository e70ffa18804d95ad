import Foundation
import JSONKit
import TestSupport
import Testing

/// `quantize`, `import --to`, `export` and `evaluate` with codes of eight and four bits.
@Suite struct QuantizeCommandTests {
  private func run(_ arguments: [String], in folder: String = packageRoot) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  private func json(_ arguments: [String], in folder: String) throws -> JSONValue {
    try JSONValue(parsing: Array(run(arguments + ["--json"], in: folder).output.utf8))
  }

  /// Options, and what a program that was written from the specification alone takes instead.
  struct Case: CustomTestStringConvertible {
    let options: String
    let words: String
    var testDescription: String { options }
  }

  static let cases = [
    Case(options: "--to int8", words: "int8 mse channel 0 0 0"),
    Case(options: "--to int8 --scale-rule absmax", words: "int8 absmax channel 0 0 0"),
    Case(options: "--to int8 --percentile 99.5", words: "int8 99.5 channel 0 0 0"),
    Case(options: "--to int8 --scales tensor", words: "int8 mse tensor 0 0 0"),
    Case(
      options: "--to int8 --scales tensor --scale-rule percentile --percentile 99.99",
      words: "int8 99.99 tensor 0 0 0"),
    Case(options: "--to int4", words: "int4 mse channel 64 0 0"),
    Case(
      options: "--to int4 --group-size 32 --zero-points --int4-conv --scale-rule mse",
      words: "int4 mse channel 32 1 1"),
    Case(
      options: "--to int4 --group-size 128 --zero-points --percentile 98 --scales tensor",
      words: "int4 98 tensor 128 1 0"),
    Case(options: "--to int4 --int4-conv --scale-rule absmax", words: "int4 absmax channel 64 0 1"),
  ]

  /// Codes, scales, zero points and values are those of NumPy, bit for bit, in both formats.
  @Test(arguments: cases) func exportsAreWhatNumPyMakesOfTheWeights(_ item: Case) throws {
    let interpreter = try #require(
      pythonInterpreter, "python3 with numpy and protobuf is needed: run .ci/install-packages")
    try withModel("keras/vgg_d_digits.h5") { model, folder in
      let options = item.options.split(separator: " ").map(String.init)
      for arguments in [
        ["quantize", model, "-o", "q.vggw", "--no-verify"] + options,
        ["export", model, "--to", "npz", "-o", "floats.npz"],
        ["export", "q.vggw", "--to", "npz", "-o", "codes.npz"],
        ["export", "q.vggw", "--to", "npz", "-o", "values.npz", "--dequantize"],
        ["export", "q.vggw", "--to", "safetensors", "-o", "codes.safetensors"],
      ] {
        let process = try run(arguments, in: folder)
        try #require(process.status == 0, "\(process.errors)")
      }
      let words = item.words.split(separator: " ").map(String.init)
      let script = "\(packageRoot)/Tests/Readers/quantize_weights.py"
      let files = ["floats.npz", "codes.npz", "values.npz", "codes.safetensors"]
      let process = try CommandProcess.run(
        interpreter, [script] + files + words, in: folder, environment: ProcessInfo.processInfo.environment)
      #expect(
        process.status == 0 && process.output == "16 weights compared\n", "\(process.output)\(process.errors)"
      )
    }
  }

  /// What trained networks lose on real pictures.
  @Test(
    arguments: ["keras/vgg_d_digits.h5", "keras/vgg_a_digits.h5"],
    [
      ("--to fp16", 0.0), ("--to int8", 0.3), ("--to int8 --scale-rule absmax", 0.3),
      ("--to int8 --scales tensor", 0.3),
      ("--to int4", 0.5), ("--to int4 --zero-points --group-size 32", 0.5),
    ])
  func trainedNetworksStayAccurate(_ source: String, _ row: (options: String, points: Double)) throws {
    try withModel(source) { model, folder in
      let data = fixture("digits_test.npz")
      let before = try json(["evaluate", model, data], in: folder)
      let words = row.options.split(separator: " ").map(String.init)
      let process = try run(["quantize", model, "-o", "q.vggw"] + words, in: folder)
      #expect(process.status == 0, "\(process.output)\(process.errors)")
      let after = try json(["evaluate", "q.vggw", data], in: folder)
      let (right, left) = (
        try #require(before["top1Correct"]?.integer), try #require(after["top1Correct"]?.integer)
      )
      #expect(Double(right - left) / 360 * 100 <= row.points, "\(right) of 360, then \(left)")
    }
  }

  @Test func int4IsJudgedAndShown() throws {
    try withTemporaryFolder { folder in
      let source = fixture("keras/vgg_d_digits.h5")
      let options = ["--to", "int4", "--zero-points", "--group-size", "32"]
      let process = try run(["import", source, "-o", "m.vggw"] + options, in: folder)
      #expect(process.status == 0 && process.output.contains("verified"), "\(process.output)")
      #expect(try run(["verify", source, "m.vggw"], in: folder).status == 0)
      let text = try run(["inspect", "m.vggw", "--tensors"], in: folder).output
      #expect(
        text.contains("pass           quantize --to int4 --group-size 32 --zero-points --scale-rule mse"))
      #expect(text.contains("by groups of 32, zero points") && text.contains("by channel"))
      let report = try json(["inspect", "m.vggw"], in: folder)
      #expect(
        report["passes"]?.array?.map(\.string)
          == ["quantize --to int4 --group-size 32 --zero-points --scale-rule mse"])
      let fc6 = try #require(report["tensors"]?.array?.first { $0["name"]?.string == "fc6/weight" })
      #expect(fc6["elementType"]?.string == "int4" && fc6["scales"]?["groupLength"]?.integer == 32)
      #expect(fc6["scales"]?["zeroPoints"]?.integer == fc6["scales"]?["count"]?.integer)
      // The same model by two commands.
      #expect(try run(["import", source, "-o", "float.vggw"], in: folder).status == 0)
      #expect(try run(["quantize", "float.vggw", "-o", "two.vggw"] + options, in: folder).status == 0)
      let digests = try ["m.vggw", "two.vggw"].map {
        try json(["inspect", $0], in: folder)["weightsDigest"]?.string
      }
      #expect(digests[0] == digests[1] && digests[0] != nil)
    }
  }

  @Test(arguments: [
    ("--to fp16 --scale-rule mse", "--scale-rule is for --to int8 or int4"),
    ("--to bf16 --percentile 99", "--percentile is for --to int8 or int4"),
    ("--to int8 --group-size 64", "--group-size is for --to int4"),
    ("--to int8 --zero-points", "--zero-points is for --to int4"),
    ("--to fp32 --int4-conv", "--int4-conv is for --to int4"),
    ("--to int8 --scale-rule percentile", "--scale-rule percentile needs --percentile P"),
    ("--to int8 --scale-rule mse --percentile 99", "--percentile is for --scale-rule percentile"),
    ("--to int8 --percentile 0", "above 0, up to 100"),
    ("--to int8 --percentile 100.1", "above 0, up to 100"),
    ("--to int8 --percentile nan", "above 0, up to 100"), ("--to int4 --group-size 48", "32, 64, 128"),
    ("--to int4 --keep auto", "--keep auto would keep every layer of four bits"),
    ("--to int8 --scales row", "channel, tensor"), ("--scales tensor", "--scales is for --to int8 or int4"),
  ]) func optionsThatDoNotFitAreUsageErrors(_ options: String, _ words: String) throws {
    try withTemporaryFolder { folder in
      for command in [["quantize", "m.vggw", "-o", "q.vggw"], ["import", fixture("keras/vgg_d_digits.h5")]] {
        let process = try run(command + options.split(separator: " ").map(String.init), in: folder)
        #expect(process.status == 64 && process.errors.contains(words), "\(process.errors)")
      }
    }
  }
}
