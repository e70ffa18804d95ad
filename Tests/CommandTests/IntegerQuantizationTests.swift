import Foundation
import JSONKit
import TestSupport
import Testing
import VGGInterchange

/// `quantize --activations int8` with trained networks, as a user runs it.
@Suite struct IntegerQuantizationTests {
  private func run(_ arguments: String..., in folder: String) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  private func correctCount(_ model: String, _ data: String, in folder: String) throws -> Int {
    let process = try run("evaluate", model, data, "--json", in: folder)
    return try #require(JSONValue(parsing: Array(process.output.utf8))["top1Correct"]?.integer)
  }

  /// At most 0.3 points are lost, by both roundings; the result is judged to be close, and verified again.
  @Test(arguments: [
    ("vgg_d_digits_full.h5", "digits_test.npz", 358), ("vgg_d_mnist.weights.h5", "mnist_test.npz", 971),
  ])
  func trainedNetworksKeepTheirAccuracy(_ source: String, _ data: String, _ correct: Int) throws {
    try withTemporaryFolder { folder in
      let (source, data) = (fixture("keras/\(source)"), fixture(data))
      try #require(run("import", source, "-o", "m.vggw", in: folder).status == 0)
      for rounding in ["litert", "tflm"] {
        let quantized = try run(
          "quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--rounding", rounding,
          "--calibrate",
          data, "-o", "\(rounding).vggw", in: folder)
        #expect(quantized.status == 0, "\(quantized.output) \(quantized.errors)")
        #expect(quantized.output.contains("give the codes of the plain reference"))
        let count = try correctCount("\(rounding).vggw", data, in: folder)
        #expect(
          Double(correct - count) <= 0.003 * (data.contains("digits") ? 360 : 1000), "\(rounding): \(count)")
        let verified = try run("verify", source, "\(rounding).vggw", "--inputs", data, in: folder)
        #expect(!verified.output.contains("DIFFERENT") && verified.output.contains("follow from the source"))
        // One of the 1000 digits changes its class: that is said, and is allowed where a limit is stated.
        let isSure = data.contains("digits")
        #expect(verified.status == (isSure ? 0 : 1) && verified.output.contains("EQUIVALENT") == isSure)
        let limited = try run(
          "verify", source, "\(rounding).vggw", "--inputs", data, "--min-top1-agreement", "0.99",
          "--max-distance", "0.1", in: folder)
        #expect(limited.status == 0, "\(limited.output)")
      }
      // The two roundings are two models of the same weights.
      let difference = try run("verify", "litert.vggw", "tflm.vggw", in: folder)
      #expect(difference.status == 1 && difference.output.contains("DIFFERENT"))
    }
  }

  /// Ranges by divergence, too: zeros behind a ReLU, however many, must not make it cut off what matters.
  @Test(arguments: [
    ("vgg_d_digits_full.h5", "digits_test.npz", 358), ("vgg_d_mnist.weights.h5", "mnist_test.npz", 971),
  ])
  func divergenceKeepsTheAccuracy(_ source: String, _ data: String, _ correct: Int) throws {
    try withTemporaryFolder { folder in
      let data = fixture(data)
      try #require(run("import", fixture("keras/\(source)"), "-o", "m.vggw", in: folder).status == 0)
      let quantized = try run(
        "quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--range-rule", "kl", "--calibrate",
        data, "-o", "q.vggw", "--no-verify", in: folder)
      try #require(quantized.status == 0, "\(quantized.errors)")
      let count = try correctCount("q.vggw", data, in: folder)
      #expect(Double(correct - count) <= 0.003 * (data.contains("digits") ? 360 : 1000), "\(count)")
    }
  }

  @Test func withoutPicturesTheUserIsTold() throws {
    try withTemporaryFolder { folder in
      try #require(
        run("import", fixture("keras/vgg_d_digits.h5"), "-o", "m.vggw", in: folder).status == 0)
      let process = try run(
        "quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--explain-only", "-o", "q.vggw",
        in: folder)
      #expect(process.status == 0 && process.errors.contains("no pictures were given"))
      let report = try run("inspect", "q.vggw", in: folder)
      #expect(report.output.contains("rounded as litert"))
      // What it is and what not: an npz with integers, and no second time.
      #expect(try run("export", "q.vggw", "--to", "npz", "-o", "q.npz", in: folder).status == 0)
      for arguments in [["--to", "fp16"], ["--to", "int8", "--activations", "int8"]] {
        let again = try CommandProcess.run(
          ["quantize", "q.vggw", "-o", "again.vggw"] + arguments, in: folder)
        #expect(again.status == 65 && again.errors.contains("computes in integers"), "\(again.errors)")
      }
    }
  }

  @Test(arguments: [
    ["--to", "int4", "--activations", "int8"], ["--to", "int8", "--rounding", "tflm"],
    ["--to", "int8", "--calibrate", "x"], ["--to", "int8", "--activations", "int8", "--keep", "fc8"],
    ["--to", "int8", "--activations", "int8", "--range-rule", "kl", "--range-percentile", "99"],
    ["--to", "int8", "--activations", "int4"],
  ])
  func optionsThatDoNotFitAreRefused(_ options: [String]) throws {
    let process = try CommandProcess.run(
      ["quantize", fixture("native/vgg_a_lrn_1.0.vggw"), "-o", "/nowhere/x.vggw"] + options)
    #expect(process.status == 64, "\(process.errors)")
  }

  /// Pictures that cannot be used give an error that says what, and no file.
  @Test func unsuitablePicturesAreRefused() throws {
    try withTemporaryFolder { folder in
      try #require(run("import", fixture("keras/vgg_d_digits.h5"), "-o", "m.vggw", in: folder).status == 0)
      try FileManager.default.createDirectory(atPath: "\(folder)/empty", withIntermediateDirectories: true)
      for (data, status) in [("empty", 65), ("missing", 66), ("m.vggw", 65)] as [(String, Int32)] {
        let process = try run(
          "quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--calibrate", data, "-o", "q.vggw",
          in: folder)
        #expect(process.status == status, "\(data): \(process.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/q.vggw"))
      }
    }
  }

  /// Pictures of one colour, and a single one, give ranges that suit themselves: they must not be what the model is judged by.
  @Test func picturesThatSayNothingDoNotJudge() throws {
    try withTemporaryFolder { folder in
      try #require(run("import", fixture("keras/vgg_d_digits.h5"), "-o", "m.vggw", in: folder).status == 0)
      let black = NamedArray(
        name: "images", shape: [4, 64, 64, 3], values: [Float](repeating: 0, count: 4 * 64 * 64 * 3))
      try NumPyArchive.write([black], to: "\(folder)/black.npz", overwrite: false)
      try FileManager.default.createDirectory(atPath: "\(folder)/one", withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: fixture("pictures/digit_7.png"), toPath: "\(folder)/one/digit.png")
      for (data, warning) in [("black.npz", "the same single colour"), ("one", "one picture only")] {
        let process = try run(
          "quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--calibrate", data, "-o",
          "\(data).vggw", in: folder)
        #expect(process.status == 1 && process.output.contains("NOT CLOSE"), "\(data): \(process.output)")
        #expect(process.errors.contains(warning), "\(process.errors)")
      }
    }
  }

  /// What is said of a model of integers, or refused.
  @Test func commandsKnowThatMapsAreOfBytes() throws {
    try withTemporaryFolder { folder in
      let source = fixture("keras/vgg_d_digits.h5")
      try #require(run("import", source, "-o", "m.vggw", in: folder).status == 0)
      let quantized = try run(
        "quantize", "m.vggw", "--to", "int8", "--activations", "int8", "--calibrate",
        fixture("digits_test.npz"),
        "-o", "q.vggw", in: folder)
      try #require(quantized.status == 0, "\(quantized.output)")
      func peak(_ model: String) throws -> Int? {
        let process = try run("summary", model, "--json", in: folder)
        return try JSONValue(parsing: Array(process.output.utf8))["peakActivationBytes"]?.integer
      }
      let bytes = try #require(try peak("q.vggw"))
      #expect(try peak("m.vggw") == 4 * bytes)
      // The peak of the machine is one of floating point, and weights are read as bytes.
      let bench = try run("bench", "q.vggw", "--repeat", "1", "--json", in: folder)
      let speed = try JSONValue(parsing: Array(bench.output.utf8))
      #expect(speed["gops"]?.number ?? 0 > 0 && speed["gflops"] == nil)
      #expect(try #require(speed["layers"]?.array).allSatisfy { $0["peakPart"] == nil })
      // No code stands for NaN: a class must not come of it.
      let broken = NamedArray(
        name: "input", shape: [1, 64, 64, 3], values: [Float](repeating: .nan, count: 64 * 64 * 3))
      try NumPyArchive.write([broken], to: "\(folder)/nan.npz", overwrite: false)
      for engine in ["fast", "reference"] {
        let process = try run("run", "q.vggw", "nan.npz", "--engine", engine, in: folder)
        #expect(process.status == 65 && process.errors.contains("no finite numbers"), "\(process.output)")
      }
      let recorded = try run(
        "verify", source, "q.vggw", "--reference", fixture("refs/keras_vgg_d_digits.npz"), in: folder)
      #expect(recorded.status == 65 && recorded.errors.contains("computes in integers"), "\(recorded.errors)")
      let selfTest = try run(
        "verify", source, "q.vggw", "--self-test", "--inputs", fixture("digits_test.npz"), in: folder)
      #expect(selfTest.status == 0, "\(selfTest.output) \(selfTest.errors)")
      #expect(selfTest.output.contains("planted mistakes found"))
    }
  }
}
