import Foundation
import JSONKit
import TestSupport
import Testing

/// `quantize --max-distance`, `--max-size`, `--dry-run` and `--evaluate`, as a user runs them.
@Suite struct MixedPrecisionTests {
  private func run(_ arguments: [String], in folder: String) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  private func json(_ arguments: [String], in folder: String) throws -> JSONValue {
    try JSONValue(parsing: Array(run(arguments + ["--json"], in: folder).output.utf8))
  }

  private func byteCount(_ path: String) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
  }

  @Test func theSmallestWithinADistance() throws {
    try withModel { model, folder in
      let report = try json(["quantize", model, "--max-distance", "0.001", "-o", "q.vggw"], in: folder)
      let plan = try #require(report["plan"])
      #expect(report["verdict"]?.string == "equivalent")
      #expect(try plan["byteCount"]?.integer == byteCount("\(folder)/q.vggw"))
      let distance = try #require(plan["distance"]?.number)
      #expect(distance <= 0.001 && report["outputDistance"]?.number == distance)
      let layers = try #require(plan["layers"]?.array)
      #expect(layers.count == 16 && Set(layers.compactMap { $0["elementType"]?.string }).count > 1)
      for layer in layers {
        #expect(layer["storedBytes"]?.integer != nil && layer["distance"]?.number != nil)
        switch layer["reason"]?.string {
        case "smallest": break
        case "next": #expect(layer["nextDistance"]?.number != nil && layer["nextSavesBytes"]?.integer != nil)
        default: Issue.record("\(layer)")
        }
      }
      // Each pass names the layers of the others, and repeats by itself.
      let inspected = try json(["inspect", "q.vggw"], in: folder)
      #expect(inspected["passes"]?.array == plan["passes"]?.array)
      let verified = try run(["verify", fixture("keras/vgg_d_digits.h5"), "q.vggw"], in: folder)
      #expect(verified.status == 0 && verified.output.contains("EQUIVALENT"), "\(verified.output)")
      // The same command, the same bytes; and not more than int8 throughout takes.
      for threads in ["1", "3"] {
        let again = try run(
          ["quantize", model, "--max-distance", "0.001", "--threads", threads, "-o", "\(threads).vggw"],
          in: folder)
        #expect(
          again.status == 0 && again.output.contains("as a whole;") && again.output.contains("verified"))
        #expect(again.errors.contains("measured on generated pictures"))
        #expect(
          try Data(contentsOf: URL(filePath: "\(folder)/\(threads).vggw"))
            == Data(contentsOf: URL(filePath: "\(folder)/q.vggw")))
      }
    }
  }

  @Test func theNearestWithinASize() throws {
    try withModel { model, folder in
      var last = 2.0
      for size in ["262K", "280000", "400kB", "1Mi", "1G"] {
        let report = try json(["quantize", model, "--max-size", size, "-o", "\(size).vggw"], in: folder)
        let distance = try #require(report["plan"]?["distance"]?.number, "\(report)")
        let limit =
          ["262K": 262_000, "280000": 280_000, "400kB": 400_000, "1Mi": 1 << 20][size] ?? 1_000_000_000
        let bytes = try byteCount("\(folder)/\(size).vggw")
        #expect(bytes <= limit && distance <= last && report["plan"]?["byteCount"]?.integer == bytes)
        last = distance
      }
      #expect(last == 0)
      let tooSmall = try run(["quantize", model, "--max-size", "100K", "-o", "q.vggw"], in: folder)
      #expect(tooSmall.status == 65 && tooSmall.errors.contains("seen 100000, allowed at least 2"))
      #expect(tooSmall.errors.contains("at a distance of 0.00") && tooSmall.errors.contains("--int4-conv"))
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/q.vggw"))
      let smaller = try run(
        ["quantize", model, "--max-size", "200K", "--int4-conv", "-o", "q.vggw"], in: folder)
      #expect(smaller.status == 0, "\(smaller.errors)")
    }
  }

  @Test func layersAreKept() throws {
    try withModel { model, folder in
      let report = try json(
        ["quantize", model, "--max-distance", "0.02", "--keep", "conv1_1,fc8", "-o", "q.vggw"], in: folder)
      for layer in try #require(report["plan"]?["layers"]?.array) {
        let isKept = ["conv1_1", "fc8"].contains(layer["layer"]?.string)
        #expect((layer["reason"]?.string == "kept") == isKept)
        #expect((layer["elementType"]?.string == "float32") == isKept)
      }
    }
  }

  @Test(arguments: [
    "--to fp16", "--to int8 --scales tensor", "--to int8 --keep auto", "--to int4 --zero-points",
    "--to int8 --activations int8 --calibrate DATA", "--max-distance 0.0005",
    "--max-size 300K --calibrate DATA",
  ])
  func aDryRunTellsWhatComes(_ options: String) throws {
    try withModel { model, folder in
      let data = fixture("digits_test.npz")
      let words = options.split(separator: " ").map { $0 == "DATA" ? data : String($0) }
      let before = try FileManager.default.contentsOfDirectory(atPath: folder)
      let told = try json(["quantize", model, "--dry-run"] + words, in: folder)
      let text = try run(["quantize", model, "--dry-run", "-o", "q.vggw"] + words, in: folder)
      #expect(text.status == 0 && text.output.hasSuffix("Nothing was written.\n"), "\(text.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == before)
      let report = try json(["quantize", model, "-o", "q.vggw"] + words, in: folder)
      #expect(told["dryRun"]?.bool == true)
      #expect(try told["byteCount"]?.integer == byteCount("\(folder)/q.vggw"))
      for key in ["outputDistance", "sameClass", "classified", "changes", "plan", "activations"] {
        #expect(told[key] == report[key], "\(key)")
      }
      #expect(told["outputDistance"] != nil)
      let tensors = try #require(json(["inspect", "q.vggw"], in: folder)["tensors"]?.array)
      func sizes(_ list: [JSONValue]) -> [String: Int] {
        Dictionary(
          uniqueKeysWithValues: list.map { ($0["name"]?.string ?? "", $0["storedBytes"]?.integer ?? -1) })
      }
      #expect(try sizes(#require(told["tensors"]?.array)) == sizes(tensors))
    }
  }

  /// Two passes look at the pictures; what is to be said of these is said once, whether something is written or not.
  @Test(arguments: [["--dry-run"], ["-o", "q.vggw"]])
  func aCalibrationIsWarnedOfOnce(_ options: [String]) throws {
    try withModel { model, folder in
      try FileManager.default.createDirectory(atPath: "\(folder)/one", withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: fixture("pictures/digit_7.png"), toPath: "\(folder)/one/digit.png")
      let words = [
        "quantize", model, "--to", "int8", "--activations", "int8", "--correct-biases", "--calibrate", "one",
      ]
      let process = try run(words + options, in: folder)
      #expect(process.errors.split(separator: "one picture only").count == 2, "\(process.errors)")
    }
  }

  @Test func accuracyBeforeAndAfter() throws {
    try withModel { model, folder in
      let data = fixture("digits_test.npz")
      for command in [["quantize", model, "--to", "int4", "--int4-conv", "--explain-only", "-o", "q.vggw"]] {
        let report = try json(command + ["--evaluate", data], in: folder)
        let accuracy = try #require(report["accuracy"])
        for (file, when) in [(model, "before"), ("q.vggw", "after")] {
          let evaluated = try json(["evaluate", file, data], in: folder)
          for key in ["count", "top1Correct", "top5Correct", "top1", "top5"] {
            #expect(accuracy[when]?[key] == evaluated[key] && evaluated[key] != nil, "\(when) \(key)")
          }
        }
        #expect(accuracy["data"]?.string == data)
      }
      let text = try run(["quantize", model, "--to", "fp16", "--dry-run", "--evaluate", data], in: folder)
      #expect(text.output.contains("top 1 99.44 % (358 of 360), then 99.44 % (358 of 360)"), "\(text.output)")
      // What has no labels is refused before anything is done.
      let unlabelled = try run(
        ["quantize", model, "--to", "fp16", "--evaluate", fixture("pictures"), "-o", "x.vggw"], in: folder)
      #expect(unlabelled.status == 65 && !FileManager.default.fileExists(atPath: "\(folder)/x.vggw"))
      #expect(
        try run(["quantize", model, "--to", "fp16", "--evaluate", "no", "-o", "x.vggw"], in: folder).status
          == 66)
    }
  }

  @Test(arguments: [
    (
      "--to int8 --max-size 1M -o q.vggw", "--max-size chooses a precision for each layer: --to is not for it"
    ),
    ("--max-distance 0.01 --activations int8 -o q.vggw", "--activations int8 is for --to int8"),
    ("--max-size 1M --activations int8 --calibrate x -o q.vggw", "--activations int8 is for --to int8"),
    ("--max-size 1M --rounding tflm -o q.vggw", "--rounding is for --activations int8"),
    ("--max-size 1M --keep auto -o q.vggw", "--keep auto is for --to"),
    ("--max-size 1M --keep fc9 -o q.vggw", "--keep names 'fc9'"),
    ("--max-size 1M --scale-rule percentile -o q.vggw", "needs --percentile P"),
    (
      "--max-size many -o q.vggw",
      "--max-size is 'many'; allowed: a number of bytes such as 30000000, 30M or 64Mi"
    ),
    ("--max-size -1 -o q.vggw", "allowed: a number of bytes"),
    ("--max-distance 3 -o q.vggw", "from 0.0 to 2.0"),
    ("--max-distance 0.1", "-o is missing"), ("--dry-run", "--to is missing"),
    ("--to int8 --calibrate x --dry-run", "--calibrate is for --activations int8"),
  ]) func optionsThatDoNotFitAreUsageErrors(_ options: String, _ words: String) throws {
    let model = fixture("native/vgg_a_lrn_1.3.vggw")
    try withTemporaryFolder { folder in
      let process = try run(["quantize", model] + options.split(separator: " ").map(String.init), in: folder)
      #expect(process.status == 64 && process.errors.contains(words), "\(process.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }
}
