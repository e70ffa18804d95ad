import Foundation
import ModelTestSupport
import TestSupport
import Testing
import VGGBytes
import VGGExport
import VGGModel
import VGGONNX
import VGGTensors

@Suite("ONNX files of our own")
struct RoundTripTests {
  @Test(
    "Every network comes back as it was, whatever its weights are stored as",
    arguments: TestPrecision.allCases)
  func precisions(precision: TestPrecision) throws {
    for architecture in Architecture.allCases {
      let model = try randomModel(smallNetwork(architecture), precision, labels: ["a", "\"b\"", "ç, d"])
      try expectEqual(roundTrip(model), model)
    }
  }

  @Test("Every network of integers comes back as it was", arguments: Architecture.allCases)
  func integers(architecture: Architecture) throws {
    for rounding in IntegerArithmetic.Rounding.allCases {
      let model = try IntegerModels.model(
        smallNetwork(architecture), rounding: rounding, provenance: testProvenance)
      let read = try roundTrip(model)
      // ONNX tells nothing of pictures here, so what files of unknown writers need is not assumed for ours.
      #expect(read.integerArithmetic == model.integerArithmetic)
      var expected = model
      expected.preprocessing = read.preprocessing
      try expectEqual(read, expected)
    }
  }

  @Test("Heads, poolings and inputs come back", arguments: HeadActivation.allCases)
  func heads(activation: HeadActivation) throws {
    for (pooling, count) in [(nil, 3), (Pooling(global: .average), 1), (Pooling(global: .maximum), 2)]
      as [(Pooling?, Int)]
    {
      let whole = try smallNetwork(.d)
      var layers = whole.withoutDense.layers.map { layer in
        guard case .pooling(var own) = layer.operation else { return layer }
        own.rounding = layer.name == "pool2" ? .ceiling : .floor
        if layer.name == "pool3" { own.method = .average }
        return Layer(name: layer.name, operation: .pooling(own))
      }
      if let pooling { layers.append(Layer(name: "pool6", operation: .pooling(pooling))) }
      var inputs = pooling == nil ? 4 * 4 : 4
      var dense: [Dense] = []
      for width in [6, 5, 4].suffix(count) {
        dense.append(Dense(inputs: inputs, outputs: width, activation: dense.count == 1 ? .none : .relu))
        dense[dense.count - 1].hasBias = dense.count != 2
        inputs = width
      }
      layers += try #require(Head(dense, activation: activation)).layers
      let network = Network(architecture: .d, inputChannels: 3, inputExtent: Extent(side: 64), layers: layers)
      let model = try randomModel(network, .float32)
      try expectEqual(roundTrip(model), model)
      try expectEqual(roundTrip(model) { $0.preparesPictures = true }, model)
    }
  }

  @Test("Features alone come back, whether or not their input's extent is known")
  func features() throws {
    for extent in [Extent(height: 64, width: 48), nil] {
      let layers = try smallNetwork(.b).withoutDense.layers
      let network = Network(architecture: .b, inputChannels: 3, inputExtent: extent, layers: layers)
      let model = try randomModel(network, .int8)
      try expectEqual(roundTrip(model), model)
    }
  }

  @Test("Numbers in a second file come back, and begin at multiples of 4096")
  func externalData() throws {
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [8, 8, 8, 8, 8], denseWidths: [9, 3])
    let model = try randomModel(network, .float16)
    var options = ONNXExporter.Options(externalName: "m.onnx.data")
    options.usesExternalData = true
    let export = try ONNXExporter.export(model, options)
    #expect(export.files.map(\.suffix) == [nil, ".onnx.data"])
    let contents = try files(export)
    try withTemporaryFolder { folder in
      try Data(contents[1]).write(to: URL(filePath: "\(folder)/m.onnx.data"))
      let read = try ONNXImporter.model(of: ByteRegion(copying: contents[0]), path: "\(folder)/m.onnx") {
        (name) throws(FileError) in try MappedFile(path: "\(folder)/\(name)")
      }
      try expectEqual(read, model)
      #expect(read.provenance.companions.map(\.name) == ["m.onnx.data"])
      #expect(read.tensors.contains { $0.source?.fileOffset == nil })
    }
    // Cut short, or elsewhere.
    let cut = contents[1].dropLast()
    let short = #expect(throws: FileError.self) {
      try ONNXImporter.model(of: ByteRegion(copying: contents[0]), path: "x") { (_) throws(FileError) in
        try mapped(Array(cut))
      }
    }
    #expect(short?.code == "onnx.external")
    for location in ["../m.data", "/m.data", "a/../../m.data", "a//b", "", "a\\b", ".."] {
      options.externalName = location
      let bytes = try files(ONNXExporter.export(model, options))[0]
      let error = #expect(throws: FileError.self) { try imported(bytes) }
      #expect(error?.code == "onnx.location", "\(location)")
    }
  }

  /// As many zeros as there shall be, which take no memory.
  private struct Zeros: TensorValues {
    let count: Int
    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
      destination.update(repeating: 0)
    }
  }

  @Test("What no single file can hold is in two")
  func hugeModels() throws {
    let network = try Network(.a, denseWidths: [20_000, 4096, 10])
    let tensors = network.tensorRequirements.map { requirement in
      Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        values: Zeros(count: requirement.shape.reduce(1, *)))
    }
    let model = try Model(
      network: network, tensors: tensors, preprocessing: nil, provenance: testProvenance)
    let export = try ONNXExporter.export(model, ONNXExporter.Options(externalName: "m.onnx.data"))
    #expect(export.files.map(\.suffix) == [nil, ".onnx.data"])
    #expect(export.files[0].content.byteCount < 100_000)
    #expect(export.files[1].content.byteCount > Int32.max)
  }

  /// A file of some bytes that has lost its name.
  private func mapped(_ bytes: [UInt8]) throws(FileError) -> MappedFile {
    do {
      return try withTemporaryFolder { folder in
        try Data(bytes).write(to: URL(filePath: "\(folder)/x"))
        return try MappedFile(path: "\(folder)/x")
      }
    } catch let error as FileError { throw error } catch { preconditionFailure("\(error)") }
  }

  @Test("Equal models give equal bytes, and what is not in them is said")
  func losses() throws {
    let network = try smallNetwork(.a)
    let model = try randomModel(network, .int4Groups)
    let options = ONNXExporter.Options(externalName: "")
    #expect(try files(ONNXExporter.export(model, options)) == files(ONNXExporter.export(model, options)))
    #expect(try ONNXExporter.export(model, options).losses == [.decisions])
    let integers = try IntegerModels.model(network, rounding: .tflm, provenance: testProvenance)
    #expect(try ONNXExporter.export(integers, options).losses == [.decisions, .rounding(.tflm)])
    var dequantizing = options
    dequantizing.dequantizes = true
    #expect(try ONNXExporter.export(integers, dequantizing).losses == [.decisions, .dequantized])
    let values = try roundTrip(integers) { $0.dequantizes = true }
    #expect(
      values.integerArithmetic == nil && values.tensors.allSatisfy { $0.elementType == .real(.float32) })
    for tensor in integers.tensors {
      #expect(try values.tensor(tensor.name)?.values.array() == tensor.values.array())
    }
  }

  @Test("What ONNX cannot hold is refused by the layer's name")
  func refusals() throws {
    let network = try smallNetwork(.aLRN)
    func code(_ change: (Layer) -> Layer.Operation?) throws -> (String?, String?) {
      let changed = Network(
        architecture: network.architecture, inputChannels: 3, inputExtent: network.inputExtent,
        layers: network.layers.map { layer in
          change(layer).map { Layer(name: layer.name, operation: $0) } ?? layer
        })
      let model = try randomModel(changed, .float32)
      let error = #expect(throws: FileError.self) { try roundTrip(model) }
      return (error?.code, error?.place)
    }
    let lrn = try code { layer in
      guard case .normalization(var own) = layer.operation else { return nil }
      own.region = .withinChannel
      return .normalization(own)
    }
    #expect(lrn == ("onnx.normalization", "norm1"))
    let pooling = try code { layer in
      guard layer.name == "pool1" else { return nil }
      var own = Pooling(rounding: .ceiling)
      (own.kernel, own.padding) = (Extent(side: 3), Extent(side: 1))
      own.stride = Extent(side: 2)
      return .pooling(own)
    }
    #expect(pooling == ("onnx.pooling", "pool1"))
    var model = try randomModel(smallNetwork(.a), .float32)
    model.preprocessing = nil
    let error = #expect(throws: FileError.self) { try roundTrip(model) { $0.preparesPictures = true } }
    #expect(error?.code == "onnx.preprocessing")
  }
}
