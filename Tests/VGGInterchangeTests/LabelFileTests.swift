import TestSupport
import Testing
import VGGBytes
import VGGInterchange
import VGGModel
import VGGTensors

@Suite("Lists of class names")
struct LabelFileTests {
  static let names = ["cat", "dog", "fish", "bird", "frog"]

  private func labels(_ text: String) throws -> [String] {
    try LabelFile.labels(in: TextFile(ByteRegion(copying: Array(text.utf8)), path: "labels"))
  }

  private func network(classes: Int) throws -> Network {
    try Network(
      .a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, 1],
      denseWidths: classes == 0 ? [] : [2, classes])
  }

  @Test(
    "Line ends, a byte-order mark and the end of the file are no labels",
    arguments: ["lf", "crlf", "cr", "bom", "noeol"])
  func plain(_ kind: String) throws {
    let file = try MappedFile(path: fixture("field/crlf-text/labels_\(kind).txt"))
    #expect(try LabelFile.labels(in: file) == Self.names)
    #expect(try LabelFile.labels(in: file, for: network(classes: 5)) == Self.names)
  }

  @Test(
    "Every usual form gives the names",
    arguments: [
      ("cat\ndog\n\n\n", ["cat", "dog"]), ("  cat \n\tdog", ["cat", "dog"]),
      ("n01440764 tench, Tinca tinca\nn01443537\tgoldfish", ["tench, Tinca tinca", "goldfish"]),
      ("n01440764\nn01443537\n", ["n01440764", "n01443537"]),
      ("n01440764 tench\nnot a synset\n", ["n01440764 tench", "not a synset"]),
      ("0 cat\n1 dog\n", ["cat", "dog"]), ("0: cat\n1: dog\n", ["cat", "dog"]),
      ("1,cat\n2,dog", ["cat", "dog"]),
      ("0\n1\n2\n", ["0", "1", "2"]), ("7 eleven\n8 ball\n", ["7 eleven", "8 ball"]),
      ("42nd Street\ncat\n", ["42nd Street", "cat"]),
      (#"["cat", "dog"]"#, ["cat", "dog"]), (#"[["n1", "cat"], ["n2", "dog"]]"#, ["cat", "dog"]),
      (#"{"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}"#, ["tench", "goldfish"]),
      ("\u{FEFF}\r\n{\"0\": \"cat\",\r\n\"1\": \"dog\"}", ["cat", "dog"]),
      (#"{"cat": 0, "dog": 1}"#, ["cat", "dog"]), (#"{"2": 0, "3": 1}"#, ["2", "3"]),
    ] as [(String, [String])])
  func forms(_ text: String, _ expected: [String]) throws {
    #expect(try labels(text) == expected)
  }

  @Test(
    "What is no list of names, or leaves its order open, is refused",
    arguments: [
      ("", "labels.none"), ("\n\n", "labels.none"), ("cat\n\ndog\n", "labels.empty"),
      ("\ncat\n", "labels.empty"), ("1 dog\n0 cat\n", "labels.order"), ("2 b\n1 a\n3 c", "labels.order"),
      ("{0: 'tench',\n 1: 'goldfish'}", "labels.json"), ("[]", "labels.none"), ("{}", "labels.none"),
      (#"["cat", 1]"#, "labels.json"), (#"["cat", ""]"#, "labels.empty"),
      (#"{"0": "cat", "2": "dog"}"#, "labels.json"),
      (#"{"0": "cat", "00": "dog"}"#, "labels.json"), (#"{"cat": 0, "dog": 0}"#, "labels.json"),
      (#"{"weight_map": {"a": "b"}}"#, "labels.json"), (#"{"0": "cat", "x": "dog"}"#, "labels.json"),
      (#"{"cat": -1}"#, "labels.json"), (#"[["cat"]]"#, "labels.json"), ("ca\0t", "text.binary"),
    ])
  func refusals(_ text: String, _ code: String) {
    let error = #expect(throws: FileError.self) { try labels(text) }
    #expect(error?.code == code)
  }

  @Test(
    "Damage gives names or an error",
    arguments: ["{\"0\": [\"n1\", \"cat\"], \"1\": \"dog\"}", "0: a\r\n1: b\r\n"])
  func damage(_ text: String) {
    forEachDamage(of: Array(text.utf8), seed: 3, mutations: 300) { damaged in
      let names = try? LabelFile.labels(in: TextFile(ByteRegion(copying: damaged), path: "labels"))
      #expect(names?.contains("") != true && names?.isEmpty != true)
    }
  }

  @Test(
    "A list of another length says both numbers",
    arguments: [
      ("labels_1001", 5, "names 6 classes, but the model has 5", "background"),
      ("labels_few", 5, "names 2 classes, but the model has 5", "one name for each class"),
      ("labels_lf", 0, "names classes, but the model has none", "leave out"),
    ])
  func otherLengths(_ name: String, _ classes: Int, _ problem: String, _ advice: String) throws {
    let file = try MappedFile(path: fixture("field/crlf-text/\(name).txt"))
    let network = try network(classes: classes)
    let error = #expect(throws: FileError.self) { try LabelFile.labels(in: file, for: network) }
    #expect(error?.problem == problem && error?.advice?.contains(advice) == true)
  }
}
