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

  // MARK: Files that compute something else than it seems

  @Test func signaturesMustNameTheNetwork() throws {
    var patch = try Patch(exported(TestNetwork.all[0].model(.float32)))
    let signature = try patch.root.tables(TFLite.Model.signatures, limit: 1, "signatures")[0]
    let output = try signature.tables(TFLite.Signature.outputs, limit: 1, "outputs")[0]
    let place = patch.place(TFLite.TensorMap.tensor, of: output)
    patch.set(place, to: patch.number(place, as: UInt32.self) - 1)
    #expect(try refusal(patch.bytes).code == "tflite.signature")
  }

  @Test func eachTensorGetsItsValuesOnce() throws {
    var patch = try Patch(exported(TestNetwork.all[0].model(.float16)))
    let map = try patch.tensors(TFLite.Operator.outputs, patch.operators(.convolution)[1])[0]
    let other = try #require(try patch.operators(.dequantize).last)
    patch.set(patch.vector(TFLite.Operator.outputs, of: other) + 4, to: map)
    let error = try refusal(patch.bytes)
    #expect(error.code == "tflite.operator" && error.problem.contains("a second time"), "\(error)")
  }

  /// Runtimes compute the shapes of maps themselves.
  @Test func statedShapesAreNotBelieved() throws {
    for name in ["A", "A, rounding up"] {
      let network = try #require(TestNetwork.all.first { $0.testDescription == name })
      for kind in [TFLite.Operation.maximumPooling, .convolution] {
        var patch = try Patch(exported(network.model(.float32)))
        let table = try #require(try patch.operators(kind).first)
        let options = try #require(try table.table(TFLite.Operator.options, "options"))
        // The stride of the columns, which is the same slot for both.
        let place = patch.place(TFLite.Pooling.strideWidth, of: options)
        patch.set(place, to: patch.number(place, as: UInt32.self) + 1)
        let error = try refusal(patch.bytes)
        #expect(error.code == "tflite.shape", "\(name), \(kind): \(error)")
      }
    }
  }

  @Test func ownFilesKeepTheirCodesApartFromMaps() throws {
    var patch = try Patch(exported(TestNetwork.all[0].model(.int8)))
    let layer = try patch.operators(.convolution)[0]
    let weight = try patch.tensors(TFLite.Operator.inputs, layer)[1]
    let source = try #require(
      try patch.operators(.dequantize).first { try patch.tensors(TFLite.Operator.outputs, $0) == [weight] })
    let codes = try patch.tensors(TFLite.Operator.inputs, source)[0]
    patch.set(patch.vector(TFLite.Operator.inputs, of: layer) + 8, to: codes)
    #expect(try refusal(patch.bytes).problem.contains("weights changed"))
  }

  @Test func operatorsHaveFewTensors() throws {
    var patch = try Patch(exported(TestNetwork.all[0].model(.float32)))
    let layer = try patch.operators(.convolution)[0]
    patch.set(patch.vector(TFLite.Operator.inputs, of: layer), to: 17)
    #expect(try refusal(patch.bytes).problem.contains("more of something than any VGG"))
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
