import TestSupport
import Testing
import VGGBytes
import VGGExport
import VGGFlatBuffers
import VGGModel
import VGGTensors

@Suite("TFLite files") struct ExportTests {
  private let network = TestNetwork.all[0]

  private func root(_ bytes: [UInt8]) throws -> FlatBuffer.Table {
    try FlatBuffer(ByteRegion(copying: bytes), file: "x").root()
  }

  @Test("Runtimes find what they look for")
  func structure() throws {
    for bytes in [
      try exported(network.model(.float16)), try exported(network.integerModel(.tflm), for: .tflm),
    ] {
      let root = try root(bytes)
      #expect(Array(bytes[4..<8]) == Array("TFL3".utf8))
      #expect(try root.integer(TFLite.Model.version, standard: UInt32(0)) == 3)
      for code in try root.tables(TFLite.Model.operatorCodes, limit: 99, "codes") {
        let old = try code.integer(TFLite.OperatorCode.oldCode, standard: Int8(0))
        #expect(try code.integer(TFLite.OperatorCode.code, standard: Int32(0)) == Int32(old))
      }
      let buffers = try root.tables(TFLite.Model.buffers, limit: 999, "buffers")
      for (index, buffer) in buffers.enumerated() {
        let data = try buffer.vector(TFLite.Buffer.data, elementByteCount: 1, limit: .max, "data")
        #expect((data == nil) == (index == 0))
        #expect((data?.offset ?? 0) % 16 == 0)
      }
      let signature = try #require(try root.tables(TFLite.Model.signatures, limit: 9, "signatures").first)
      #expect(try signature.string(TFLite.Signature.key, "key") == "serving_default")
      let version = try #require(try metadata("min_runtime_version", root, buffers))
      #expect(version.count == 16 && version.starts(with: "1.1".utf8) && version.last == 0)
    }
  }

  private func metadata(
    _ name: String, _ root: FlatBuffer.Table, _ buffers: [FlatBuffer.Table]
  ) throws -> [UInt8]? {
    for entry in try root.tables(TFLite.Model.metadata, limit: 9, "metadata")
    where try entry.string(TFLite.Metadata.name, "name") == name {
      let buffer = buffers[Int(try entry.integer(TFLite.Metadata.buffer, standard: UInt32(0)))]
      return try buffer.vector(TFLite.Buffer.data, elementByteCount: 1, limit: .max, "data")?.bytes.withBytes
      { Array($0) }
    }
    return nil
  }

  @Test("In the plan of the memory, what a layer reads and what it writes never meet")
  func memoryPlan() throws {
    let bytes = try exported(try network.integerModel(.tflm), for: .tflm)
    let root = try root(bytes)
    let buffers = try root.tables(TFLite.Model.buffers, limit: 999, "buffers")
    let plan = ByteRegion(copying: try #require(try metadata("OfflineMemoryAllocation", root, buffers)))
    let words = (0..<plan.count / 4).compactMap { plan.integer(at: 4 * $0, as: Int32.self) }
    let graph = try root.tables(TFLite.Model.subgraphs, limit: 1, "graphs")[0]
    let tensors = try graph.tables(TFLite.Subgraph.tensors, limit: 999, "tensors")
    #expect(words[0] == 1 && words[2] == Int32(tensors.count) && words.count == tensors.count + 3)
    var largest = 0
    var pair = 0
    for operation in try graph.tables(TFLite.Subgraph.operators, limit: 999, "operators") {
      func place(_ slot: Int) throws -> Range<Int> {
        let index = Int(try operation.integers(slot, as: Int32.self, limit: 9, "tensors")[0])
        let shape = try tensors[index].integers(TFLite.Tensor.shape, as: Int32.self, limit: 4, "shape")
        let start = Int(words[3 + index])
        #expect(start >= 0 && start % 16 == 0)
        return start..<start + shape.reduce(1) { $0 * Int($1) }
      }
      let (input, output) = (try place(TFLite.Operator.inputs), try place(TFLite.Operator.outputs))
      #expect(!input.overlaps(output))
      largest = max(largest, input.upperBound, output.upperBound)
      pair = max(pair, (input.count + 15) / 16 * 16 + (output.count + 15) / 16 * 16)
    }
    #expect(largest <= pair)
    // Only boards want it.
    #expect(
      try metadata("OfflineMemoryAllocation", self.root(exported(network.integerModel(.tflm))), buffers)
        == nil)
  }

  @Test func whatIsLostIsSaid() throws {
    func text(_ model: Model, _ runtime: TFLiteExporter.Runtime = .litert) throws -> String {
      try TFLiteExporter.export(model, for: runtime).losses.map(\.text).joined(separator: "\n")
    }
    #expect(try text(network.model(.float32)).contains("zeros that sparse tensors leave out"))
    #expect(try text(network.model(.bfloat16)).contains("bfloat16 as float32"))
    #expect(try text(network.model(.int8)).contains("become float32 when it is loaded"))
    #expect(try text(network.model(.int4InGroups)).contains("values that codes stand for"))
    #expect(try !text(network.integerModel(.litert)).contains("rounds as"))
    #expect(try text(network.integerModel(.tflm)).contains("the model rounds as tflm"))
    #expect(try text(network.integerModel(.tflm), .tflm).contains("a scale for each output of dense layers"))
  }

  @Test("What a runtime does not have is refused by name")
  func refusals() throws {
    func problem(_ model: Model, _ runtime: TFLiteExporter.Runtime = .tflm) -> String {
      do {
        _ = try TFLiteExporter.export(model, for: runtime)
        return "accepted"
      } catch { return error.description }
    }
    #expect(problem(try network.model(.float16)).contains("conv1_1/weight, seen float16"))
    #expect(problem(try network.model(.int8)).contains("conv1_1/weight, seen int8"))
    #expect(problem(try network.model(.float32)) == "accepted")
    let normalized = try #require(TestNetwork.all.first { $0.network.architecture == .aLRN })
    #expect(
      problem(try normalized.model(.float32)).contains("TensorFlow Lite Micro does not have (layer norm1"))
    #expect(problem(try normalized.model(.float32), .litert) == "accepted")
    #expect(problem(try normalized.integerModel(.litert), .litert).contains("normalises codes"))
    let means = try #require(TestNetwork.all.first { $0.testDescription == "padded means" })
    #expect(
      problem(try means.integerModel(.litert), .litert).contains(
        "has windows that TFLite cannot place (layer pool1"))
  }

  @Test("A file that offsets do not reach is refused before anything is read")
  func tooLong() throws {
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, 1], denseWidths: [40000, 20000, 2])
    let tensors = network.tensorRequirements.map {
      Tensor(
        name: $0.name, role: $0.role, shape: $0.shape, values: UnreadValues(count: $0.shape.reduce(1, *)))
    }
    let model = try Model(
      network: network, tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "x", sourceByteCount: 1, format: "test", generation: "test"))
    let error = #expect(throws: FileError.self) { try TFLiteExporter.export(model) }
    #expect(error?.problem.contains("too long") == true)
  }

  /// So many values, which nobody may ask for.
  private struct UnreadValues: TensorValues {
    let count: Int
    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
      preconditionFailure("nothing is to be read")
    }
  }
}
