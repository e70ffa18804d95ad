import ModelTestSupport
import TestSupport
import Testing
import VGGModel
import VGGTensors

@testable import VGGEngine

/// Whole networks of integers: the fast engine gives the codes of the reference, however it is asked.
@Suite struct IntegerEngineTests {
  private static let provenance = Provenance(
    sourceName: "integers", sourceByteCount: 0, format: "test", generation: "test")

  private func model(
    _ architecture: Architecture, _ rounding: IntegerArithmetic.Rounding, side: Int = 32
  ) throws -> Model {
    let network = try Network(
      architecture, inputExtent: Extent(side: side), widths: [5, 16, 19, 32, 37], denseWidths: [40, 24, 10])
    return try IntegerModels.model(network, rounding: rounding, provenance: Self.provenance)
  }

  private func pictures(_ count: Int, side: Int) throws -> FeatureMap {
    var generator = SeededGenerator(seed: UInt64(side))
    return try FeatureMap(
      count: count, shape: FeatureShape(extent: Extent(side: side), channels: 3),
      values: (0..<count * side * side * 3).map { _ in Float.random(in: -110...115, using: &generator) })
  }

  /// The values of all layers.
  private func maps(_ engine: any Engine, _ input: FeatureMap) throws -> [[Float]] {
    var maps: [[Float]] = []
    _ = try engine.run(input) { _, map in maps.append(map.values) }
    return maps
  }

  private func output(_ engine: any Engine, _ input: FeatureMap) throws -> [Float] {
    guard case .classes(let logits, let probabilities) = try engine.run(input) else {
      Issue.record("a network of classes gives something else")
      return []
    }
    return logits.values + probabilities.values
  }

  @Test(arguments: Architecture.allCases, IntegerArithmetic.Rounding.allCases)
  func fastIsReference(_ architecture: Architecture, _ rounding: IntegerArithmetic.Rounding) throws {
    let model = try model(architecture, rounding)
    let reference = try ReferenceEngine(model)
    let input = try pictures(2, side: 32)
    let expected = try maps(reference, input)
    // Otherwise the comparison says nothing.
    for (layer, map) in zip(model.network.layers, expected) {
      #expect(Set(map).count > (layer.operation == .softmax ? 1 : 4), "\(layer.name) gives hardly any codes")
    }
    let expectedOutput = try output(reference, input)
    for instructionSet in InstructionSet.allCases where instructionSet.isAvailable {
      for (threads, savesMemory) in [(1, false), (3, false), (2, true)] {
        let engine = try FastEngine(
          model,
          options: EngineOptions(
            threadCount: threads, instructionSet: instructionSet, savesMemory: savesMemory))
        #expect(try maps(engine, input) == expected, "\(instructionSet) \(threads) \(savesMemory)")
        #expect(try output(engine, input) == expectedOutput, "\(instructionSet) \(threads) \(savesMemory)")
      }
    }
  }

  /// Dense evaluation of larger pictures, and pictures one by one.
  @Test(arguments: [Architecture.d, .aLRN]) func extentsAndBatchesDoNotMatter(_ architecture: Architecture)
    throws
  {
    let model = try model(architecture, .litert)
    let (reference, fast) = (try ReferenceEngine(model), try FastEngine(model))
    for side in [64, 75] {
      let input = try pictures(1, side: side)
      #expect(try maps(fast, input) == maps(reference, input))
    }
    let batch = try pictures(3, side: 32)
    let together = try output(fast, batch)
    let size = batch.shape.count
    var apart: (logits: [Float], probabilities: [Float]) = ([], [])
    for index in 0..<3 {
      let one = try FeatureMap(
        count: 1, shape: batch.shape, values: Array(batch.values[index * size..<(index + 1) * size]))
      let values = try output(fast, one)
      apart.logits += values[..<10]
      apart.probabilities += values[10...]
    }
    #expect(together == apart.logits + apart.probabilities)
  }

  /// Each value is a multiple of its map's scale, from the zero point on.
  @Test func mapsHoldCodes() throws {
    let model = try model(.b, .tflm)
    let arithmetic = try #require(model.integerArithmetic)
    let found = try maps(FastEngine(model), pictures(1, side: 32))
    for (map, codes) in zip(found, arithmetic.outputs) {
      let allowed = Set((Int8.min...Int8.max).map { codes.value(of: $0) })
      #expect(map.allSatisfy(allowed.contains))
    }
  }

  @Test func sumsThatMightNotFitAreRefused() throws {
    let sound = try model(.a, .litert)
    let model = sound.mappingTensors { tensor in
      guard tensor.name == "fc6/bias", case .bias(let bias) = tensor.content else { return tensor }
      return tensor.replacing(
        .bias(BiasCodes(bias.codes.map { _ in .max - 1000 }, scales: bias.scales)), storage: .raw)
    }
    for kind in EngineKind.allCases {
      let error = #expect(throws: EngineError.self) { try EngineOptions(kind: kind).engine(for: model) }
      guard case .shape(let problem, _)? = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
      #expect(problem.layer == "fc6")
    }
  }
}
