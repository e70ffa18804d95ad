import ModelTestSupport
import Testing
import VGGBytes
import VGGExport
import VGGModel
import VGGTensors

/// The two files of ncnn, number by number. That ncnn reads and computes them is for Tests/Interop/ncnn.py.
@Suite struct NCNNExportTests {
  private let provenance = Provenance(sourceName: "x", sourceByteCount: 1, format: "test", generation: "test")

  private func network(_ architecture: Architecture) throws -> Network {
    try Network(
      architecture, inputExtent: Extent(side: 64), widths: [1, 2, 2, 2, 3], denseWidths: [5, 4, 3])
  }

  /// Of a number of conv1_1, [channel][row][column], the place in [row][column][channel].
  private func nativeIndex(_ place: Int) -> Int { place % 9 * 3 + place / 9 }

  private func files(_ export: Export) throws -> (text: String, weights: [UInt8]) {
    let contents = try export.files.map { file -> [UInt8] in
      guard case .plain(let content) = file.content else { return [] }
      return try content.bytes(0..<content.byteCount)
    }
    #expect(export.files.map(\.suffix) == [nil, ".bin"])
    return (String(decoding: contents[0], as: UTF8.self), contents[1])
  }

  private func model(_ network: Network, as type: RealType) throws -> Model {
    try Model(
      network: network,
      tensors: network.tensorRequirements.map { requirement in
        let count = requirement.shape.reduce(1, *)
        return Tensor(
          name: requirement.name, role: requirement.role, shape: requirement.shape,
          content: .real(MemoryValues((0..<count).map(Float.init)), as: type))
      }, preprocessing: .released(for: network.inputExtent), provenance: provenance)
  }

  @Test func aLineForEachLayer() throws {
    let text = try files(NCNNExporter.export(model(network(.aLRN), as: .float32))).text
    let lines = text.split(separator: "\n")
    #expect(
      lines.prefix(6) == [
        "7767517", "19 19", "Input input 0 1 input 0=64 1=64 2=3",
        "Convolution conv1_1 1 1 input conv1_1 0=1 1=3 2=1 3=1 4=1 5=1 6=27 9=1",
        "LRN norm1 1 1 conv1_1 norm1 0=0 1=5 2=0.0005 3=0.75 4=2.0",
        "Pooling pool1 1 1 norm1 pool1 0=0 1=2 2=2 5=1",
      ])
    #expect(
      lines.suffix(4) == [
        "InnerProduct fc6 1 1 pool5 fc6 0=5 1=1 2=60 9=1", "InnerProduct fc7 1 1 fc6 fc7 0=4 1=1 2=20 9=1",
        "InnerProduct fc8 1 1 fc7 fc8 0=3 1=1 2=12", "Softmax prob 1 1 fc8 prob 0=0 1=1",
      ])
  }

  @Test(arguments: RealType.allCases) func weights(_ type: RealType) throws {
    let network = try network(.a)
    let export = try NCNNExporter.export(model(network, as: type))
    let bytes = ByteRegion(copying: try files(export).weights)
    let isHalf = type == .float16
    #expect(bytes.integer(at: 0, as: UInt32.self) == (isHalf ? 0x0130_6B47 : 0))
    func number(_ index: Int) throws -> Float {
      isHalf
        ? Float(Float16(bitPattern: try #require(bytes.integer(at: 4 + 2 * index, as: UInt16.self))))
        : Float(bitPattern: try #require(bytes.integer(at: 4 + 4 * index, as: UInt32.self)))
    }
    // conv1_1 has one output: [channel][row][column] of [row][column][channel] counted from 0.
    let stored = try (0..<27).map(number)
    let expected: [Float] = (0..<27).map { (place: Int) -> Float in Float(nativeIndex(place)) }
    #expect(stored == expected)
    // 27 numbers of two bytes are padded to a multiple of four; the bias follows, float32.
    let end = 4 + (isHalf ? 56 : 108)
    #expect(bytes.integer(at: end, as: UInt32.self) == 0)
    let sizes = network.tensorRequirements.map { requirement -> Int in
      let count = requirement.shape.reduce(1, *)
      guard requirement.role == .weight else { return 4 * count }
      return 4 + (isHalf ? (2 * count + 3) / 4 * 4 : 4 * count)
    }
    #expect(bytes.count == sizes.reduce(0, +))
    #expect(export.losses.contains(.preprocessing))
    let isWidened = export.losses.contains(.widened(type))
    #expect(isWidened == (type != .float32))
  }

  @Test func codesWithScalesOfTheirOwn() throws {
    let model = try IntegerModels.model(network(.a), provenance: provenance)
    let export = try NCNNExporter.export(model)
    let (text, weights) = try files(export)
    #expect(
      text.contains("6=27 8=2 9=1\n") && text.contains("InnerProduct fc8 1 1 fc7 fc8 0=3 1=1 2=12 8=2\n"))
    let bytes = ByteRegion(copying: weights)
    #expect(bytes.integer(at: 0, as: UInt32.self) == 0x000D_4B38)
    let own = try #require(model.tensor("conv1_1/weight"))
    guard case .codes(let codes, let quantization) = own.content else { throw CancellationError() }
    let stored = try (0..<27).map { Int8(bitPattern: try #require(bytes.byte(at: 4 + $0))) }
    let native = try codes.array()
    let expected: [Int8] = (0..<27).map { (place: Int) -> Int8 in native[nativeIndex(place)] }
    #expect(stored == expected)
    // Bias, scale of the weights as a factor, and that of the input: 127 over the largest magnitude of a code.
    func float(_ offset: Int) -> Float { Float(bitPattern: bytes.integer(at: offset, as: UInt32.self) ?? 0) }
    let bias: [Float] = try #require(model.tensor("conv1_1/bias")).values.array()
    #expect(float(32) == bias[0])
    let factor: Float = 1 / quantization.scales[0]
    #expect(float(36) == factor)
    let inputFactor: Float = 127 / (Float(134) * 0.9)
    #expect(float(40) == inputFactor)
    #expect(export.losses.contains(.rounding(.litert)) && !export.losses.contains(.dequantized))
    let values = try NCNNExporter.export(model, dequantizes: true)
    #expect(try !files(values).text.contains("8=2") && values.losses.contains(.dequantized))
  }

  @Test func poolingsThatItComputesOtherwiseAreRefused() throws {
    let plain = try network(.a)
    var padded = Pooling()
    padded.padding = Extent(side: 1)
    var average = Pooling()
    average.method = .average
    var roundedAverage = Pooling(rounding: .ceiling)
    roundedAverage.method = .average
    let cases = [
      (Pooling(rounding: .ceiling), true), (average, true), (padded, false), (roundedAverage, false),
    ]
    for (pooling, isFine) in cases {
      let layers = plain.layers.map {
        $0.name == "pool1" ? Layer(name: "pool1", operation: .pooling(pooling)) : $0
      }
      let network = Network(
        architecture: .a, inputChannels: 3, inputExtent: nil, layers: Array(layers.prefix { !$0.isDense }))
      let model = try model(network, as: .float32)
      if isFine {
        let text = try files(NCNNExporter.export(model)).text
        #expect(text.contains(pooling.rounding == .ceiling ? "2=2 5=0" : "2=2 5=1"))
      } else {
        let error = try #require(throws: FileError.self) { try NCNNExporter.export(model) }
        #expect(error.kind == .unsupported && error.description.contains("layer pool1"))
      }
    }
  }
}
