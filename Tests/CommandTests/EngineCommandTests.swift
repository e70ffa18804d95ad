import Foundation
import JSONKit
import TestSupport
import Testing
import VGGEngine
import VGGInterchange

/// The options that decide how a network is run, and `bench`, as a process.
@Suite struct EngineCommandTests {
  private static let available = InstructionSet.allCases.filter(\.isAvailable).map(\.rawValue)

  private func run(_ arguments: [String]) throws -> CommandProcess { try CommandProcess.run(arguments) }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  private func logits(_ options: [String]) throws -> [Double] {
    let process = try run(
      ["run", fixture("keras/vgg_d_digits.h5"), fixture("pictures/digit_7.png"), "--top", "10", "--json"]
        + options)
    try #require(process.status == 0, "\(process.errors)")
    let top = try #require(json(process)["results"]?.array?.first?["top"]?.array)
    return try top.sorted { ($0["class"]?.integer ?? 0) < ($1["class"]?.integer ?? 0) }.map {
      try #require($0["logit"]?.number)
    }
  }

  @Test func enginesAndInstructionSetsAgree() throws {
    let expected = try logits(["--engine", "reference"])
    var ways = [["--low-memory"], ["--threads", "1"], ["--engine", "fast", "--isa", "auto"]]
    ways += Self.available.map { ["--isa", $0] }
    for options in ways {
      let seen = try logits(options)
      #expect(zip(seen, expected).allSatisfy { ($0 - $1).magnitude < 1e-4 }, "\(options)")
    }
    #expect(try logits(["--threads", "1"]) == logits(["--threads", "3"]))
  }

  @Test func whatTheMachineLacksIsSaid() throws {
    for name in ["avx512", "avx2", "neon"] where !Self.available.contains(name) {
      let process = try run([
        "run", fixture("keras/vgg_d_digits.h5"), fixture("pictures/digit_7.png"), "--isa", name,
      ])
      #expect(process.status == 69 && process.errors.contains("this machine has no \(name)"))
    }
    let process = try run(["bench", "m.vggw", "--isa", "sse9"])
    #expect(
      process.status == 64
        && process.errors.contains(
          "allowed: auto, avx512vnni, avx512, avxvnni, avx2, neondot, neon, portable")
    )
    #expect(try run(["bench", "m.vggw", "--threads", "0"]).status == 64)
    #expect(try run(["bench", fixture("bad/truncated.h5")]).status == 65)
  }

  @Test(arguments: ["fast", "reference"]) func evaluateAndVerify(engine: String) throws {
    let source = fixture("keras/vgg_d_digits.h5")
    let report = try json(
      run(["evaluate", source, fixture("digits_test.npz"), "--json", "--engine", engine]))
    #expect(report["count"]?.integer == 360 && report["top1Correct"]?.integer == 358)
    let verified = try run([
      "verify", source, source, "--engine", engine, "--threads", "2", "--reference",
      fixture("refs/keras_vgg_d_digits.npz"),
    ])
    #expect(verified.status == 0 && verified.output.contains("EXACT"), "\(verified.output)\(verified.errors)")
  }

  @Test(arguments: [["--engine", "fast"], ["--engine", "reference"], ["--low-memory"]])
  func benchReports(_ options: [String]) throws {
    let process = try run(
      [
        "bench", fixture("keras/vgg_d_digits.h5"), "--threads", "2", "--batch", "3", "--repeat", "4",
        "--json",
      ] + options)
    try #require(process.status == 0, "\(process.errors)")
    let report = try json(process)
    #expect(report["ok"]?.bool == true)
    #expect(report["threads"]?.integer == 2 && report["batch"]?.integer == 3)
    let minimum = try #require(report["milliseconds"]?["min"]?.number)
    let median = try #require(report["milliseconds"]?["median"]?.number)
    #expect(minimum > 0 && median >= minimum)
    let layers = try #require(report["layers"]?.array)
    #expect(layers.map { $0["layer"]?.string }.prefix(3) == ["conv1_1", "conv1_2", "pool1"])
    let sum = try layers.reduce(0.0) { $0 + (try #require($1["milliseconds"]?.number)) }
    // Each layer's shortest time: together at most the shortest pass, but for what is taken between layers.
    #expect(sum > 0 && sum <= minimum * 1.01)
    for layer in layers where layer["layer"]?.string?.hasPrefix("conv") == true {
      #expect(try #require(layer["gflops"]?.number) > 0)
    }
    let fc7 = try #require(layers.first { $0["layer"]?.string == "fc7" })
    #expect((0...1).contains(try #require(fc7["nonzeroInputs"]?.number)))
    #expect(try #require(report["peak"]?["gflops"]?.number) > 0.1)
    #expect(try #require(report["peak"]?["gigabytesPerSecond"]?.number) > 0.1)
    #expect(try #require(report["memory"]?["anonymousBytes"]?.integer) > 0)
  }

  @Test func benchIsReadableAndTakesLargerPictures() throws {
    let process = try run([
      "bench", fixture("keras/vgg_d_digits.h5"), "--input", "64x96", "--repeat", "1", "--threads", "1",
    ])
    #expect(process.status == 0, "\(process.errors)")
    for part in ["1 picture of 64x96, fast engine, 1 thread", "conv5_3", "GFLOP/s", "median of", "memory:"] {
      #expect(process.output.contains(part), "\(part)")
    }
    let small = try run(["bench", fixture("keras/vgg_d_digits.h5"), "--input", "40"])
    #expect(small.status == 65 && small.errors.contains("an input of 64x64 fits"))
  }

  @Test func largerArraysHaveScoreMaps() throws {
    try withTemporaryFolder { folder in
      let values = (0..<96 * 128 * 3).map { Float($0 % 251) - 125 }
      try NumPyArchive.write(
        [NamedArray(name: "input", shape: [1, 96, 128, 3], values: values)], to: "\(folder)/in.npz",
        overwrite: false)
      let process = try run(["run", fixture("keras/vgg_d_digits.h5"), "\(folder)/in.npz", "--json"])
      try #require(process.status == 0, "\(process.errors)")
      let result = try #require(json(process)["results"]?.array?.first)
      #expect(result["scoreMap"]?.array?.map { $0.integer } == [2, 3])
      let top = try #require(result["top"]?.array)
      #expect(top.count == 5)
    }
  }

  /// Nothing that is run or judged with no pictures has been run or judged.
  @Test func arraysOfNoPicturesAreRefused() throws {
    try withModel("keras/vgg_d_digits.h5") { model, folder in
      let input = "\(folder)/none.npz"
      try NumPyArchive.write(
        [NamedArray(name: "input", shape: [0, 64, 64, 3], values: [])], to: input, overwrite: false)
      let source = fixture("keras/vgg_d_digits.h5")
      for command in [
        ["run", model, input], ["verify", source, model, "--inputs", input],
        ["import", source, "--to", "int8", "--inputs", input, "-o", "\(folder)/new.vggw"],
      ] {
        let process = try run(command)
        #expect(
          process.status == 65 && process.errorLines.last?.contains("holds no pictures") == true, "\(command)"
        )
        #expect(!process.output.contains("EXACT") && !process.output.contains("verified"))
      }
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/new.vggw"))
    }
  }

  @Test func wholePicturesHaveScoreMaps() throws {
    let (model, picture) = (fixture("keras/vgg_d_digits.h5"), fixture("pictures/digit_7.png"))
    let process = try run(["run", model, picture, "--whole", "160", "--json"])
    try #require(process.status == 0, "\(process.errors)")
    let result = try #require(json(process)["results"]?.array?.first)
    // Five pooled pixels less a window of two, and one.
    #expect(result["scoreMap"]?.array?.map { $0.integer } == [4, 4])
    let text = try run(["run", model, picture, "--whole", "96", "--top", "1"])
    #expect(text.output.contains("digit_7.png: mean of 2x2 scores\n"), "\(text.output)")
    // A picture as large as the network's own input is one window.
    let (own, plain) = (
      try run(["run", model, picture, "--whole", "64"]), try run(["run", model, picture])
    )
    #expect(own.output == plain.output)
    let small = try run(["run", model, picture, "--whole", "40"])
    #expect(small.status == 65 && small.errors.contains("an input of 64x64 fits"), "\(small.errors)")
    #expect(try run(["run", model, picture, "--whole", "0"]).status == 64)
    try withTemporaryFolder { folder in
      let narrow = "P6 1000 1 255\n" + String(repeating: "abc", count: 1000)
      try narrow.write(toFile: "\(folder)/narrow.ppm", atomically: true, encoding: .utf8)
      let process = try run(["run", model, "\(folder)/narrow.ppm", "--whole", "64"])
      #expect(process.status == 65 && process.errors.contains("64000x64"), "\(process.errors)")
    }
  }

  @Test func savedActivationsAreNotReplacedUnasked() throws {
    try withTemporaryFolder { folder in
      let arguments = [
        "run", fixture("keras/vgg_d_digits.h5"), fixture("pictures/digit_7.png"), "--save-activations",
        "\(folder)/a.npz",
      ]
      let statuses = try [[], [], ["--force"]].map { try run(arguments + $0).status }
      #expect(statuses == [0, 73, 0])
    }
  }
}
