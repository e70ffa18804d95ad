import CVGGKernels
import CVGGRules
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGEngine

/// Dense layers that run from the codes of their weights.
@Suite struct CodedDenseTests {
  /// A layer of random codes, and the same layer with the values in memory.
  private struct Sample: CustomStringConvertible {
    let dense: Dense
    let window = Extent(height: 2, width: 1)
    let tensor: Tensor
    let bias: [Float]

    init(_ seed: UInt64) {
      var random = SeededGenerator(seed: seed)
      let type = seed % 2 == 0 ? CodeType.int8 : .int4
      let outputs = Int.random(in: 1...700, using: &random)
      let dense = Dense(
        inputs: 2 * Int.random(in: 1...400, using: &random),
        // Bytes of two codes must not be shared by two rows.
        outputs: type == .int4 ? outputs + outputs % 2 : outputs, activation: seed % 3 == 0 ? .none : .relu)
      let grouping: Quantization.Grouping =
        switch seed / 2 % 3 {
        case 0: .inputGroups(length: Int.random(in: 1...100, using: &random))
        case 1: .outputChannel
        default: .tensor
        }
      let shape = [dense.inputs, dense.outputs]
      let scaleCount = grouping.count(in: shape)
      let quantization = Quantization(
        type, by: grouping, scales: (0..<scaleCount).map { _ in .random(in: 1e-4...1e-2, using: &random) },
        zeroPoints: seed / 6 % 2 == 0
          ? [] : (0..<scaleCount).map { _ in .random(in: type.codes, using: &random) })
      let codes = (0..<dense.inputs * dense.outputs).map { _ in Int8.random(in: type.codes, using: &random) }
      self.dense = dense
      tensor = Tensor(
        name: "fc6/weight", role: .weight, shape: shape,
        content: .codes(type == .int8 ? MemoryCodes(codes) : PackedCodes(codes), quantization))
      bias = random.numbers(dense.outputs)
    }

    var description: String {
      "\(dense.inputs) to \(dense.outputs), \(tensor.quantization.map { "\($0.type), \($0.grouping)" } ?? "")"
    }

    private var layer: Layer { Layer(name: "fc6", operation: .dense(dense)) }

    /// From the codes.
    func coded(_ options: EngineOptions) throws -> LayerEngine {
      let codes = try #require(CodedWeight(tensor))
      #expect(try DenseCodes(codes, of: dense) != nil, "the codes lie in memory")
      return try LayerEngine(
        WeightedLayer(layer, weight: tensor.values, bias: bias, window: window, codes: codes),
        options: options)
    }

    /// From the values.
    func plain(_ options: EngineOptions) throws -> LayerEngine {
      try LayerEngine(
        WeightedLayer(layer, weight: MemoryValues(tensor.values.array()), bias: bias, window: window),
        options: options)
    }

    /// Windows of which half the values are zeros, as behind a ReLU; maps that are larger where they are to slide.
    func input(_ count: Int, slides: Bool, _ random: inout SeededGenerator) throws -> FeatureMap {
      let shape = FeatureShape(
        extent: Extent(height: slides ? 4 : 2, width: slides ? 3 : 1), channels: dense.inputs / 2)
      return try FeatureMap(
        count: count, shape: shape, values: random.numbers(count * shape.count).map { max(0, $0) })
    }
  }

  /// Codes of four bits as a file has them.
  private struct PackedCodes: TensorCodes {
    let codes: MemoryCodes
    let packed: ByteRegion

    init(_ codes: [Int8]) {
      self.codes = MemoryCodes(codes)
      packed = ByteRegion(
        copying: stride(from: 0, to: codes.count, by: 2).map {
          vgr_nibbles(Int32(codes[$0]), Int32(codes[$0 + 1]))
        })
    }

    var count: Int { codes.count }
    func lent() -> LentCodes? { LentCodes(region: packed, isPacked: true) }
    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) {
      codes.read(range, into: destination)
    }
  }

  /// The bits are those of the values, with every instruction set and any number of threads, alone, in batches, and sliding; and
  /// within the bound that the layer states, which the verifier uses.
  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable))
  func codesGiveTheBitsOfTheirValues(_ instructionSet: InstructionSet) throws {
    for seed in 0..<6 as Range<UInt64> {
      let sample = Sample(seed)
      var random = SeededGenerator(seed: seed + 100)
      let options = EngineOptions(threadCount: 1, instructionSet: instructionSet)
      let reference = try sample.plain(EngineOptions(kind: .reference))
      for (count, slides) in [(1, false), (2, false), (16, false), (31, false), (1, true), (3, true)] {
        let input = try sample.input(count, slides: slides, &random)
        let expected = try sample.plain(options).evaluate(on: input)
        for (threads, savesMemory) in [(1, false), (2, false), (5, true)] {
          var options = options
          (options.threadCount, options.savesMemory) = (threads, savesMemory)
          let seen = try sample.coded(options).evaluate(on: input)
          #expect(seen.shape == expected.shape && seen.bits == expected.bits, "\(sample), \(count)")
        }
        guard !slides else { continue }
        let bounds = try bounds(sample, input, options)
        for (index, pair) in zip(expected.values, try reference.evaluate(on: input).values).enumerated() {
          #expect(Double((pair.0 - pair.1).magnitude) <= bounds[index], "\(sample)")
        }
      }
    }
  }

  /// γ(depth) times the sums of magnitudes, for the fast engine and for the rounding of the reference.
  private func bounds(_ sample: Sample, _ input: FeatureMap, _ options: EngineOptions) throws -> [Double] {
    guard case .direct(let depth) = try sample.coded(options).rounding else {
      Issue.record("dense layers are summed directly")
      return []
    }
    let (weights, outputs) = (try sample.tensor.values.array(), sample.dense.outputs)
    let unit = Double(depth + VGKReferenceRoundings) * 0x1p-24
    return input.pictures.flatMap { picture in
      (0..<outputs).map { output in
        let products = picture.values.enumerated().reduce(0.0) { sum, input in
          sum + Double(weights[input.offset * outputs + output].magnitude) * Double(input.element).magnitude
        }
        return unit / (1 - unit) * (products + Double(sample.bias[output].magnitude))
      }
    }
  }

  /// Rows of an odd number of codes of four bits, and codes that are made as they are read, are decoded in small pieces.
  @Test func otherCodesAreDecoded() throws {
    let dense = Dense(inputs: 4, outputs: 3, activation: .none)
    let quantization = Quantization(.int4, scales: [1, 2, 3])
    for codes in [PackedCodes([Int8](repeating: 1, count: 12)), HiddenCodes(count: 12)] as [any TensorCodes] {
      let tensor = Tensor(
        name: "fc6/weight", role: .weight, shape: [4, 3], content: .codes(codes, quantization))
      let weight = try #require(CodedWeight(tensor))
      #expect(try DenseCodes(weight, of: dense) == nil)
      let layer = Layer(name: "fc6", operation: .dense(dense))
      let engine = try LayerEngine(
        WeightedLayer(layer, weight: tensor.values, bias: [0, 0, 0], codes: weight))
      let input = try FeatureMap(
        count: 1, shape: FeatureShape(extent: Extent(side: 1), channels: 4), values: [1, 2, 3, 4])
      #expect(try engine.evaluate(on: input).values == [10, 20, 30])
    }
    #expect(CodedWeight(Tensor(name: "a", role: .weight, shape: [1], values: MemoryValues([1]))) == nil)
  }

  /// Ones that must be read.
  private struct HiddenCodes: TensorCodes {
    let count: Int
    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) {
      destination.update(repeating: 1)
    }
  }

  /// Codes of which something is wrong are refused before anything is computed.
  @Test func codesThatCannotBeReadAreRefused() throws {
    struct Broken: TensorCodes {
      let count = 12
      func lent() throws(FileError) -> LentCodes? { throw BrokenValues.error }
      func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
        throw BrokenValues.error
      }
    }
    let tensor = Tensor(
      name: "fc6/weight", role: .weight, shape: [4, 3],
      content: .codes(Broken(), Quantization(scales: [1, 1, 1])))
    let layer = Layer(name: "fc6", operation: .dense(Dense(inputs: 4, outputs: 3, activation: .none)))
    let weighted = try WeightedLayer(
      layer, weight: tensor.values, bias: [0, 0, 0], codes: CodedWeight(tensor))
    let error = #expect(throws: EngineError.self) { try LayerEngine(weighted) }
    guard case .weights? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
