import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGInterchange

/// `--equalize`, `--correct-biases` and `verify --calibrate`, as a user runs them.
@Suite struct EqualizationCommandTests {
  private let source = fixture("keras/vgg_d_digits.h5")

  /// The first 60 labelled digits, as a file in a folder.
  private func data(in folder: String) throws -> String {
    let archive = try NumPyArchive(MappedFile(path: fixture("digits_test.npz")))
    let images = try #require(try archive.array("images_64x64"))
    let labels = try #require(try archive.array("labels")).integers()
    let shape = [60] + images.shape.dropFirst()
    try NumPyArchive.write(
      [
        NamedArray(
          name: "images_64x64", shape: shape, values: Array(try images.values().prefix(shape.reduce(1, *)))),
        NamedArray(name: "labels", shape: [60], integers: labels.prefix(60).map(Int64.init)),
      ], to: "\(folder)/digits.npz", overwrite: false)
    return "\(folder)/digits.npz"
  }

  private func run(_ arguments: String..., in folder: String) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  /// The whole way: made, shown, and proven with the pictures and without.
  @Test(arguments: [["--activations", "int8"], ["--scales", "tensor"], []])
  func whatIsMadeIsShownAndProven(_ extra: [String]) throws {
    try withTemporaryFolder { folder in
      let data = try data(in: folder)
      try #require(run("import", source, "-o", "m.vggw", in: folder).status == 0)
      let quantized = try CommandProcess.run(
        [
          "quantize", "m.vggw", "--to", "int8", "--equalize", "--correct-biases", "--calibrate", data, "-o",
          "q.vggw",
        ]
          + extra, in: folder)
      #expect(quantized.status == 0, "\(quantized.output) \(quantized.errors)")
      let shown = try run("inspect", "q.vggw", in: folder).output
      #expect(shown.contains("pass           quantize --equalize (") && shown.contains("layers, by 2^"))
      #expect(shown.contains("pass           quantize --correct-biases (16 layers)"))
      let believed = try run("verify", source, "q.vggw", "--inputs", data, in: folder)
      #expect(believed.status == 0 && believed.output.contains("taken as declared"), "\(believed.output)")
      let proven = try run("verify", source, "q.vggw", "--calibrate", data, in: folder)
      #expect(
        proven.status == 0 && proven.output.contains("found again with its pictures"), "\(proven.output)")
      // Other pictures are not those that it was calibrated with, and a model in between is a source as well.
      try FileManager.default.createDirectory(atPath: "\(folder)/others", withIntermediateDirectories: true)
      for name in ["digit_3.png", "digit_7.png"] {
        try FileManager.default.copyItem(
          atPath: fixture("pictures/\(name)"), toPath: "\(folder)/others/\(name)")
      }
      let others = try run("verify", "m.vggw", "q.vggw", "--calibrate", "others", in: folder)
      #expect(others.status == 1 && others.output.contains("DIFFERENT"), "\(others.output)")
      #expect(others.output.contains("are not those of the pictures"))
      #expect(try run("verify", "m.vggw", "q.vggw", "--inputs", data, in: folder).status == 0)
      let json = try JSONValue(
        parsing: Array(run("verify", source, "q.vggw", "--calibrate", data, "--json", in: folder).output.utf8)
      )
      #expect(try JSONSchema("verify.schema.json").problems(of: json) == [])
    }
  }

  @Test func floatsComputeTheSame() throws {
    try withTemporaryFolder { folder in
      try #require(run("import", source, "-o", "m.vggw", in: folder).status == 0)
      let made = try run("quantize", "m.vggw", "--to", "fp32", "--equalize", "-o", "e.vggw", in: folder)
      #expect(made.status == 0 && made.output.contains("at a distance of 0 from"), "\(made.output)")
      let verified = try run(
        "verify", source, "e.vggw", "--reference", fixture("refs/keras_vgg_d_digits.npz"), in: folder)
      #expect(verified.status == 0 && verified.output.contains("EQUIVALENT"), "\(verified.output)")
      let picture = fixture("pictures/digit_7.png")
      let outputs = try ["m.vggw", "e.vggw"].map { try run("run", $0, picture, "--json", in: folder).output }
      #expect(
        outputs[0].contains("probability") && outputs[0] == outputs[1].replacing("e.vggw", with: "m.vggw"))
      let selfTest = try run("verify", source, "e.vggw", "--self-test", in: folder)
      #expect(selfTest.status == 0, "\(selfTest.output)")
      // There is nothing left to do, and dense layers cannot go any more.
      let again = try run("quantize", "e.vggw", "--to", "fp16", "--equalize", "-o", "a.vggw", in: folder)
      #expect(again.status == 0)
      #expect(try run("inspect", "a.vggw", in: folder).output.contains("quantize --equalize (nothing to do)"))
      let cut = try run("prune", "e.vggw", "--drop-fc", "-o", "f.vggw", in: folder)
      #expect(cut.status == 65 && cut.errors.contains("cross-layer equalisation"), "\(cut.errors)")
    }
  }

  @Test func importEqualises() throws {
    try withTemporaryFolder { folder in
      for options in [
        ["--equalize"], ["--equalize", "--to", "int8", "--scales", "tensor", "--prune-fc", "0.3"],
      ] {
        let made = try CommandProcess.run(
          ["import", source, "-o", "i.vggw", "--force", "--explain-only"] + options, in: folder)
        #expect(made.status == 0, "\(made.output) \(made.errors)")
        let verified = try run("verify", source, "i.vggw", "--explain-only", in: folder)
        #expect(verified.status == 0 && !verified.output.contains("taken as declared"), "\(verified.output)")
      }
    }
  }

  @Test(arguments: [
    (["--to", "int8", "--correct-biases"], "needs --calibrate"),
    (["--to", "fp32", "--correct-biases", "--calibrate", "x"], "rounds no weights"),
    (["--to", "int8", "--calibrate", "x"], "--correct-biases"),
    (["--equalize"], "--to is missing"),
  ]) func optionsThatMakeNoSenseAreRefused(_ options: [String], _ words: String) throws {
    let process = try CommandProcess.run(
      ["quantize", fixture("native/vgg_a_lrn_1.0.vggw"), "-o", "/nowhere/x.vggw"] + options)
    #expect(process.status == 64 && process.errors.contains(words), "\(process.errors)")
  }

  @Test func whatWasNotCalibratedHasNoPictures() throws {
    try withTemporaryFolder { folder in
      let data = try data(in: folder)
      try #require(run("import", source, "-o", "m.vggw", "--to", "int8", in: folder).status == 0)
      let verified = try run("verify", source, "m.vggw", "--calibrate", data, in: folder)
      #expect(
        verified.status == 65 && verified.errors.contains("has no ranges or means"), "\(verified.errors)")
      // Codes cannot be equalised any more.
      let late = try run("quantize", "m.vggw", "--to", "int8", "--equalize", "-o", "l.vggw", in: folder)
      #expect(late.status == 65 && late.errors.contains("codes already"), "\(late.errors)")
    }
  }
}
