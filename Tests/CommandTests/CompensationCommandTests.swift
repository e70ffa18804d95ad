import Foundation
import TestSupport
import Testing

/// `quantize --to int4 --calibrate`, as a user runs it.
@Suite struct CompensationCommandTests {
  private func run(_ arguments: String..., in folder: String) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  @Test func codesMakeUpForEachOtherWherePicturesAreGiven() throws {
    try withTemporaryFolder { folder in
      let (source, data) = (fixture("keras/vgg_d_digits.h5"), fixture("digits_test.npz"))
      try #require(run("import", source, "-o", "m.vggw", in: folder).status == 0)
      let made = try run(
        "quantize", "m.vggw", "--to", "int4", "--calibrate", data, "-o", "q.vggw", in: folder)
      #expect(made.status == 0 && made.output.contains("are among those that follow"), "\(made.output)")
      let verified = try run("verify", source, "q.vggw", "--inputs", data, in: folder)
      #expect(verified.status == 0 && verified.output.contains("EQUIVALENT"), "\(verified.output)")
      #expect(verified.output.contains("fc6/weight, fc7/weight, fc8/weight: scales follow from the source"))
      let inspected = try run("inspect", "q.vggw", in: folder).output
      #expect(inspected.contains("--calibrate (360 pictures, SHA-256 "), "\(inspected)")
      // The same bytes for any number of threads.
      for threads in ["1", "5"] {
        let again = try run(
          "quantize", "m.vggw", "--to", "int4", "--calibrate", data, "-o", "again.vggw", "--no-verify",
          "--force", "--threads", threads, in: folder)
        try #require(again.status == 0, "\(again.errors)")
        let files = ["q.vggw", "again.vggw"].map { FileManager.default.contents(atPath: "\(folder)/\($0)") }
        #expect(files[0] == files[1])
      }
    }
  }

  /// What each pass made of the one before is judged as a whole.
  @Test func itWorksTogetherWithTheOtherPasses() throws {
    try withTemporaryFolder { folder in
      let (source, data) = (fixture("keras/vgg_a_digits.h5"), fixture("digits_test.npz"))
      try #require(run("import", source, "-o", "m.vggw", in: folder).status == 0)
      let made = try run(
        "quantize", "m.vggw", "--to", "int4", "--calibrate", data, "--equalize", "--correct-biases", "-o",
        "q.vggw", in: folder)
      #expect(made.status == 0, "\(made.output)\(made.errors)")
      let verified = try run("verify", source, "q.vggw", "--calibrate", data, in: folder)
      #expect(verified.status == 0 && verified.output.contains("EQUIVALENT"), "\(verified.output)")
      #expect(verified.output.contains("means of the calibration: found again"), "\(verified.output)")
    }
  }

  @Test func itCanBeSwitchedOff() throws {
    try withTemporaryFolder { folder in
      let data = fixture("digits_test.npz")
      try #require(run("import", fixture("keras/vgg_a_digits.h5"), "-o", "m.vggw", in: folder).status == 0)
      for (name, options) in [("plain", []), ("off", ["--calibrate", data, "--no-compensation"])] {
        let process = try CommandProcess.run(
          ["quantize", "m.vggw", "--to", "int4", "-o", "\(name).vggw", "--no-verify"] + options, in: folder)
        try #require(process.status == 0, "\(process.errors)")
      }
      let files = ["plain", "off"].map { FileManager.default.contents(atPath: "\(folder)/\($0).vggw") }
      #expect(files[0] == files[1])
    }
  }

  @Test(arguments: [
    ["--to", "int4", "--no-compensation"], ["--to", "int8", "--no-compensation"],
    ["--to", "fp16", "--calibrate", "x"],
    ["--to", "int8", "--activations", "int8", "--calibrate", "x", "--no-compensation"],
  ])
  func optionsThatDoNotFitAreRefused(_ options: [String]) throws {
    let process = try CommandProcess.run(
      ["quantize", fixture("native/vgg_a_lrn_1.0.vggw"), "-o", "/nowhere/x.vggw"] + options)
    #expect(process.status == 64, "\(process.errors)")
  }
}
