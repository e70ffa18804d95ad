import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGExport
import VGGInterchange
import VGGModel
import VGGONNX
import VGGSources
import VGGTensors

/// Files of fixtures/onnx, which other programs wrote, with what ONNX Runtime makes of an input.
@Suite("ONNX files of other programs")
struct ImportTests {
  private func opened(_ name: String) throws -> Model {
    let path = fixture("onnx/\(name).onnx")
    return try ONNXImporter.model(of: MappedFile(path: path).bytes, path: path) { (name) throws(FileError) in
      try MappedFile(path: fixture("onnx/\(name)"))
    }
  }

  /// The recorded input, NHWC, and what was recorded of a file.
  private func recorded(_ name: String) throws -> (input: FeatureMap, output: [Float]) {
    let archive = try NumPyArchive(MappedFile(path: fixture("onnx/recorded.npz")))
    let codes = try #require(try archive.array("input")).values()
    let plane = 64 * 64
    let values = (0..<plane).flatMap { pixel in (0..<3).map { codes[$0 * plane + pixel] / 64 } }
    let input = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: 64), channels: 3), values: values)
    return (input, try #require(try archive.array(name)).values())
  }

  struct Expectation: Sendable, CustomTestStringConvertible {
    var name: String
    var architecture: Architecture
    var head: HeadActivation
    var isBGR = false
    var testDescription: String { name }
  }

  @Test(
    "A file gives the outputs that ONNX Runtime recorded, and every tensor is used or listed",
    arguments: [
      Expectation(name: "torch_script_d", architecture: .d, head: .linear),
      Expectation(name: "torch_dynamo_d", architecture: .d, head: .linear),
      Expectation(name: "torch_bn_a", architecture: .a, head: .linear),
      Expectation(name: "torch_global_a", architecture: .a, head: .linear),
      Expectation(name: "torch_external_a", architecture: .a, head: .linear),
      Expectation(name: "tf2onnx_d", architecture: .d, head: .softmax, isBGR: true),
      Expectation(name: "zoo_mxnet_a", architecture: .a, head: .linear),
      Expectation(name: "zoo_caffe2_a", architecture: .a, head: .softmax, isBGR: true),
    ])
  func floats(expected: Expectation) throws {
    let model = try opened(expected.name)
    #expect(model.network.architecture == expected.architecture)
    #expect(model.network.head?.activation == expected.head)
    #expect(model.network.inputExtent == Extent(side: 64))
    #expect(model.preprocessing?.channelOrder == (expected.isBGR ? .bgr : .rgb))
    #expect(model.provenance.format == "onnx")
    let (input, output) = try recorded(expected.name)
    let values = try EngineOptions(kind: .reference, threadCount: 1).engine(for: model).run(input).last
    try #require(values.count == output.count)
    // Fewer than 20 layers of at most 72 products each, values of at most a few units: 20 * 72 * 2^-24 is below 1e-4.
    let largest = output.map(\.magnitude).reduce(1, max)
    for (value, wanted) in zip(values, output) { #expect(abs(value - wanted) <= 1e-4 * largest) }
    // Nothing is lost on the way out again.
    try expectEqual(roundTrip(model), model)
  }

  @Test("Files of ONNX Runtime's quantiser compute in integers", arguments: ["ort_qdq_a", "ort_qdq_uint8_a"])
  func integers(name: String) throws {
    let model = try opened(name)
    let arithmetic = try #require(model.integerArithmetic)
    let (input, output) = try recorded(name)
    let values = try EngineOptions(kind: .reference, threadCount: 1).engine(for: model).run(input).last
    let scale = try #require(arithmetic.outputs.last).scale
    // Recorded with float products, which round otherwise by a code now and then.
    for (value, wanted) in zip(values, output) { #expect(abs(value - wanted) <= 4.5 * scale) }
    try expectEqual(roundTrip(model), model)
  }

  @Test("What is no VGG, or has operators on integers, is refused by the node's name")
  func refusals() throws {
    let branch = #expect(throws: FileError.self) { try opened("branch") }
    #expect(branch?.code == "onnx.structure")
    #expect(branch?.seen?.contains("node shortcut (Add)") == true)
    let integers = #expect(throws: FileError.self) { try opened("ort_qoperator_a") }
    #expect(integers?.place?.contains("QLinearConv") == true)
    #expect(integers?.advice?.contains("QDQ") == true)
  }

  @Test(
    "Other operators, versions and kinds are refused",
    arguments: [
      ("Relu", "Selu", "onnx.structure"), ("Softmax", "Hardmax", "onnx.structure"),
      ("Flatten", "Flattex", "onnx.structure"),
      ("conv1_1/bias", "conv1_2/bias", "onnx.structure"), ("resize", "resixe", "metadata"),
    ])
  func changes(from: String, to: String, code: String) throws {
    let model = try randomModel(smallNetwork(.a), .float32)
    let bytes = try files(ONNXExporter.export(model, ONNXExporter.Options(externalName: "")))[0]
    #expect(ONNXImporter.recognizes(ByteRegion(copying: bytes)))
    #expect(ONNXImporter.recognizes(ByteRegion(copying: Array(bytes.prefix(bytes.count / 2)))))
    let changed = bytes.replacing(Array(from.utf8), with: Array(to.utf8), maxReplacements: 1)
    let error = #expect(throws: FileError.self) { try imported(changed) }
    #expect(error?.code == code)
  }

  @Test("Damaged files give an error or a model, never a trap")
  func damage() throws {
    let network = try Network(.a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, 1], denseWidths: [2])
    let model = try randomModel(network, .int4Groups)
    let bytes = try files(ONNXExporter.export(model, ONNXExporter.Options(externalName: "")))[0]
    var accepted = 0
    forEachDamage(of: bytes, seed: 3, mutations: 3000) { damaged in
      do {
        for tensor in try imported(damaged).tensors { _ = try tensor.values.array() }
        accepted += 1
      } catch let error as FileError {
        #expect([.malformed, .unsupported].contains(error.kind), "\(error)")
        #expect((0...damaged.count).contains(error.offset ?? 0))
      } catch {
        Issue.record(error)
      }
    }
    #expect(accepted > 0)
  }
}
