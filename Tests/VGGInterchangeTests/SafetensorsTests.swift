import TestSupport
import Testing
import VGGBytes
import VGGInterchange
import VGGModel

/// Each rule of the format, broken once.
@Suite struct SafetensorsTests {
  private func read(_ header: String, _ data: Int = 0, length: UInt64? = nil) throws -> SafetensorsFile {
    let text = Array(header.utf8)
    let count = withUnsafeBytes(of: (length ?? UInt64(text.count)).littleEndian) { Array($0) }
    return try SafetensorsFile(
      ByteRegion(copying: count + text + Array(repeating: 1, count: data)), file: "x")
  }

  private func entry(_ name: String, _ type: String, _ shape: String, _ begin: Int, _ end: Int) -> String {
    "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
  }

  @Test(arguments: SafetensorsType.allCases) func types(_ type: SafetensorsType) throws {
    let bytes = type.bitCount
    let file = try read("{\(entry("a", type.rawValue, "[2,4]", 0, bytes))}   ", bytes)
    let tensor = try #require(file.tensors.first)
    #expect(tensor.type == type && tensor.shape == [2, 4] && tensor.bytes.count == bytes)
  }

  @Test func goodFiles() throws {
    let file = try read(
      "{\"__metadata__\":{\"a\":\"b\"},\(entry("s", "F32", "[]", 2, 6)),\(entry("e", "F16", "[0,3]", 2, 2)),"
        + "\(entry("b", "F16", "[1]", 0, 2))}", 6)
    #expect(file.tensors.map(\.name) == ["b", "e", "s"] && file.metadata == ["a": "b"])
    #expect(try read("{}").tensors.isEmpty)
  }

  @Test func badFiles() throws {
    let good = entry("a", "F32", "[1]", 0, 4)
    let cases: [(header: String, data: Int, length: UInt64?, code: String)] = [
      ("{\(good)}", 4, 100_000_001, "header"), ("{\(good)}", 0, 200, "header"), ("{\(good)", 4, nil, "json"),
      ("[]", 0, nil, "json"), ("{\(good),\(good)}", 4, nil, "json"), ("{\"a\":{}}", 0, nil, "entry"),
      ("{\"__metadata__\":{\"a\":1}}", 0, nil, "metadata"), ("{\"__metadata__\":[]}", 0, nil, "metadata"),
      ("{\(entry("a", "F33", "[1]", 0, 4))}", 4, nil, "type"),
      ("{\(entry("a", "F32", "[-1]", 0, 4))}", 4, nil, "shape"),
      ("{\(entry("a", "F32", "[1.5]", 0, 4))}", 4, nil, "shape"),
      (
        "{\(entry("a", "F32", "[\(Array(repeating: "1", count: 33).joined(separator: ","))]", 0, 4))}", 4,
        nil, "shape"
      ),
      ("{\(entry("a", "F32", "[2]", 0, 4))}", 4, nil, "length"),
      ("{\(entry("a", "F4", "[1]", 0, 1))}", 1, nil, "length"),
      ("{\(entry("a", "F32", "[4611686018427387904,4]", 0, 4))}", 4, nil, "length"),
      ("{\(entry("a", "F32", "[1]", 0, 8))}", 4, nil, "offsets"),
      ("{\(entry("a", "F32", "[1]", 4, 0))}", 4, nil, "offsets"),
      ("{\(good),\(entry("b", "F32", "[1]", 2, 6))}", 6, nil, "overlap"),
      ("{\(good),\(entry("b", "F32", "[1]", 6, 10))}", 10, nil, "hole"), ("{\(good)}", 5, nil, "tail"),
    ]
    for (header, data, length, code) in cases {
      let error = try #require(throws: FileError.self) { try read(header, data, length: length) }
      #expect(error.code == "safetensors.\(code)", "\(error)")
    }
  }

  @Test func foreignMetadataAreNotOurs() throws {
    #expect(try ModelMetadata(["format": "pt", "mean": "none", "labels": "?"], file: "x") == nil)
    let cases: [[String: String]] = [
      ["vggconv": "2"], ["vggconv": "1"], ["vggconv": "1", "architecture": "VGG A", "layers": "[{}]"],
      ["vggconv": "1", "architecture": "VGG A", "layers": "[", "input_channels": "3"],
      ["vggconv": "1", "architecture": "VGG A", "layers": "[]", "input_channels": "0"],
      ["vggconv": "1", "architecture": "VGG A", "layers": "[]", "input_channels": "3", "input_size": "[1]"],
      [
        "vggconv": "1", "architecture": "VGG A", "layers": "[]", "input_channels": "3",
        "channel_order": "rgb",
      ],
      ["vggconv": "1", "architecture": "VGG A", "layers": "[]", "input_channels": "3", "labels": "[\"a\"]"],
      ["vggconv": "1", "architecture": "VGG A", "layers": "[]", "input_channels": "3", "rounding": "up"],
    ]
    for entries in cases { #expect(throws: FileError.self) { try ModelMetadata(entries, file: "x") } }
  }
}
