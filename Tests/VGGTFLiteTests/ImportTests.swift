import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGExport
import VGGFlatBuffers
import VGGModel
import VGGSources
import VGGTFLite
import VGGTensors

@Suite("TFLite files of TensorFlow's converter") struct ImportTests {
  private func model(_ name: String, _ options: ImportOptions = ImportOptions()) throws -> Model {
    try TFLiteImporter.model(of: MappedFile(path: fixture("tflite/\(name).tflite")), options: options)
  }

  @Test(arguments: [
    ("a_float", Architecture.a, "tflite-float"), ("a_float16", .a, "tflite-float16"),
    ("a_dynamic", .a, "tflite-int8-weights"), ("a_int8", .a, "tflite-int8"), ("c_float", .c, "tflite-float"),
    ("c_int8_of_floats", .c, "tflite-int8"), ("mean_float", .a, "tflite-float"),
    ("features_int8", .a, "tflite-int8"),
  ])
  func kinds(_ name: String, _ architecture: Architecture, _ generation: String) throws {
    let model = try model(name)
    #expect(model.network.architecture == architecture)
    #expect(model.provenance.generation == generation)
    #expect((model.integerArithmetic != nil) == (generation == "tflite-int8"))
    #expect(model.network.hasTop == !name.hasPrefix("features"))
    #expect(model.network.inputExtent == Extent(side: name.hasPrefix("c_") ? 40 : 32))
    // The converter leaves small weights as they are unless everything is to be integers.
    let codedCount = model.tensors.count { $0.quantization != nil }
    let weightCount = model.tensors.count { $0.role == .weight }
    #expect(codedCount == (generation == "tflite-int8" ? weightCount : name == "a_dynamic" ? 1 : 0))
    if name.hasPrefix("c_") {
      #expect(
        model.network.layers.allSatisfy { layer in
          guard case .pooling(let pooling) = layer.operation else { return true }
          return pooling.rounding == .ceiling
        })
    }
    if generation == "tflite-int8" {
      let decision = try #require(model.provenance.decisions.first { $0.subject == "rounding" })
      #expect(decision.choice == "litert" && decision.evidence.hasPrefix("assumed"))
    }
    // Everything constant is used or accounted for; what remains tells how the map is flattened.
    #expect(model.provenance.dropped.allSatisfy { $0.reason == "it says how an operator works" })
  }

  @Test("Weights of less precision are near those of float32")
  func precision() throws {
    let exact = try model("a_float")
    for (name, step) in [("a_float16", Float(1) / 1024), ("a_dynamic", 1 / 128), ("a_int8", 1 / 128)] {
      let other = try model(name)
      for (tensor, near) in zip(exact.tensors, other.tensors) where tensor.role == .weight {
        let (values, others) = (try tensor.values.array(), try near.values.array())
        let limit = step * (values.map(abs).max() ?? 0)
        #expect(zip(values, others).allSatisfy { abs($0 - $1) <= limit }, "\(name) \(tensor.name)")
        #expect((values != others) == (name != "a_dynamic" || near.quantization != nil))
      }
    }
  }

  @Test func whatCannotBeComputedIsRefusedByName() throws {
    let error = #expect(throws: FileError.self) { try model("mean_int8") }
    #expect(
      error?.code == "tflite.operator" && error?.place == "operator 13 (MEAN)"
        && error?.seen == "MEAN of int8")
  }

  @Test func optionsAreHeard() throws {
    var options = ImportOptions()
    options.architecture = .c
    #expect(throws: FileError.self) { try model("a_float", options) }
    options.architecture = nil
    options.channelOrder = .rgb
    #expect(try model("a_float", options).preprocessing?.channelOrder == .rgb)
  }

  // MARK: What is no VGG

  private func refusal(_ bytes: [UInt8]) throws -> FileError {
    try #require(throws: FileError.self) { try imported(bytes) }
  }

  @Test func otherOperators() throws {
    // The codes of a network whose poolings are another operator's: both fields of the table.
    let original = try exported(TestNetwork.all[0].model(.float32))
    let root = try FlatBuffer(ByteRegion(copying: original), file: "x").root()
    let codes = try root.tables(TFLite.Model.operatorCodes, limit: 9, "codes")
    let pooling = try #require(
      try codes.first { try $0.integer(TFLite.OperatorCode.code, standard: Int32(0)) == 17 })
    for (code, name) in [(4, "DEPTHWISE_CONV_2D"), (32, "CUSTOM"), (111, "number 111")] {
      var bytes = original
      for place in pooling.offset..<pooling.offset + 13 where bytes[place] == 17 {
        bytes[place] = UInt8(code)
      }
      #expect(try refusal(bytes).place?.contains("(\(name))") == true)
    }
  }

  @Test("A damaged file is refused or gives a model, whatever byte is wrong")
  func damage() throws {
    let original = try exported(TestNetwork.all[0].integerModel(.litert))
    var random = SeededGenerator(seed: 4)
    var codes: Set<String> = []
    for _ in 0..<3000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] =
          [0, 1, 2, 4, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
      }
      do {
        let model = try imported(bytes)
        for tensor in model.tensors { _ = try tensor.values.array() }
      } catch let error as FileError { codes.insert(error.code) }
    }
    for length in stride(from: 0, to: original.count, by: 97) {
      #expect(throws: FileError.self) { try imported(Array(original[..<length])) }
    }
    #expect(codes.count > 8, "\(codes)")
  }
}
