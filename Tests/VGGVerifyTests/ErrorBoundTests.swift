import TestSupport
import Testing
import VGGCompress
import VGGModel
import VGGTensors

@testable import VGGEngine
@testable import VGGVerify

/// The derived bounds: never exceeded by right arithmetic, and not so wide that they say nothing.
@Suite struct ErrorBoundTests {
  /// What a bound may be as a multiple of the largest error measured, at most.
  ///
  /// Worst case and average of n terms with errors of random signs differ by sqrt(n), of h roundings by sqrt(h).
  private func statedFactor(_ layer: Layer, _ engine: FastEngine) -> Double {
    guard case .direct(let depth) = engine.rounding(of: layer) else { return 0 }
    return 6 * (Double(depth) * Double(layer.reductionLength)).squareRoot()
  }

  @Test(arguments: Architecture.allCases, [UInt64(1), 2, 3])
  func unchangedModelsAreWithinTheirBounds(_ architecture: Architecture, seed: UInt64) throws {
    let sample = try Sample(architecture, seed: seed)
    for instructionSet in InstructionSet.allCases where instructionSet.isAvailable {
      let verification = try sample.verify(
        sample.native(), options: EngineOptions(instructionSet: instructionSet), seed: seed)
      #expect(verification.verdict == .exact, "\(verification.reasons)")
      let direct = try FastEngine(sample.native(), options: EngineOptions(savesMemory: true))
      for (verdict, layer) in zip(verification.layers, sample.network.layers) where layer.hasWeights {
        #expect(verdict.local.usedPart <= 1)
        #expect(verdict.local.usedPart >= 1 / statedFactor(layer, direct), "\(layer.name) \(verdict.local)")
      }
    }
  }

  @Test(arguments: [Precision.fp16, .bf16, .int8], [UInt64(4), 5, 6, 7])
  func otherPrecisionsAreWithinTheirBounds(_ precision: Precision, seed: UInt64) throws {
    let sample = try Sample(Architecture.allCases[Int(seed) % 6], seed: seed)
    for savesMemory in [false, true] {
      let verification = try sample.verify(
        sample.native().applying(.quantize(to: precision)), options: EngineOptions(savesMemory: savesMemory),
        seed: seed
      )
      #expect(verification.verdict == .equivalent, "\(verification.reasons)")
      for (verdict, layer) in zip(verification.layers, sample.network.layers) where layer.hasWeights {
        // Half a step of each weight against steps of random signs.
        let factor = 4 * Double(layer.reductionLength).squareRoot()
        #expect(verdict.local.usedPart >= 1 / factor, "\(layer.name) \(verdict.local)")
        #expect(verdict.accumulated.usedPart >= 1 / factor, "\(layer.name) \(verdict.accumulated)")
      }
    }
  }

  @Test func prunedModelsAreWithinTheirBounds() throws {
    let sample = try Sample(seed: 8)
    let pruned = try sample.native().applying([.prune(fraction: 0.6), .quantize(to: .int8)])
    let verification = try sample.verify(pruned)
    #expect(verification.faults.isEmpty && verification.layers.allSatisfy(\.passes), "\(verification.faults)")
  }

  /// Wide enough for Winograd's method, whose bound is its own.
  @Test(arguments: [UInt64(1), 2])
  func winogradIsWithinItsBound(seed: UInt64) throws {
    let sample = try Sample(.a, seed: seed, side: 64, widths: [32, 32, 32, 32, 32], dense: [5])
    let verification = try sample.verify(sample.native(), seed: seed)
    #expect(verification.verdict == .exact, "\(verification.reasons)")
    let engine = try FastEngine(sample.native())
    let winograd = sample.network.layers.filter {
      if case .winograd = engine.rounding(of: $0) { true } else { false }
    }
    #expect(winograd.count >= 3)
    for layer in winograd {
      let error = try #require(verification.layers.first { $0.layer == layer.name }?.engine)
      #expect(error.comparedCount > 0 && error.usedPart > 0 && error.usedPart <= 1, "\(error)")
    }
  }

  /// A tile of Winograd's method reaches beyond the rows that a sample judges, and rounds what it finds there.
  @Test func samplesOfWinogradKnowTheirTiles() throws {
    let sample = try Sample(.a, seed: 3, side: 64, widths: [32, 32, 32, 32, 32], dense: [5])
    var random = SeededGenerator(seed: 3)
    for period in [5, 7, 11] {
      let values = (0..<64 * 64 * 3).map { index in
        Float.random(in: -1...1, using: &random) * (index / (64 * 3) % period == 0 ? 1e6 : 1e-2)
      }
      let input = try FeatureMap(
        count: 1, shape: FeatureShape(extent: Extent(side: 64), channels: 3), values: values)
      let verification = try Verification(
        of: sample.native(), against: sample.source(), inputs: [input], budget: 1 << 16)
      #expect(verification.verdict == .exact, "\(verification.reasons)")
      #expect(verification.layers.contains { $0.engine != nil })
    }
  }

  @Test(arguments: zip([4, 5, 6, 7], [176.0, 537, 1565, 7370]))
  func winogradsAmplificationIsThatOfItsMatrices(tile: Int, expected: Double) throws {
    // The numbers were computed apart from this code, with the points of each tile in rational arithmetic.
    guard case .winograd(let depth, let seen) = SumRounding.winograd(tile: tile, inputChannels: 200) else {
      Issue.record("Winograd's method has a rounding of its own")
      return
    }
    #expect((seen - expected).magnitude < 1 && depth > 130)
  }

  /// A layer judged by a sample gives the values that it gives as a whole, with any geometry.
  @Test(arguments: 0..<30) func samplesAreParts(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let side = Extent(height: .random(in: 9...40, using: &random), width: .random(in: 5...9, using: &random))
    var convolution = Convolution(
      kernel: Extent(side: .random(in: 1...3, using: &random)), inputChannels: 3, outputChannels: 70)
    convolution.stride = Extent(side: .random(in: 1...2, using: &random))
    convolution.padding = Extent(side: .random(in: 0...1, using: &random))
    let layer = Layer(name: "conv1_1", operation: .convolution(convolution))
    let model = try random.model(of: layer, inputChannels: 3)
    let input = try random.map(2, FeatureShape(extent: side, channels: 3))
    let output = try ReferenceEngine(model).evaluate(layer, on: input)
    let sample = LayerSample(
      layer, input: input.shape, output: output.shape, window: nil, budget: 2_000, seed: seed)
    #expect(sample.channels.count < 70 || sample.bands.count == 3)
    var options = EngineOptions()
    options.kind = .reference
    let part = try LayerTensors(of: sample, in: model).engine(layer, sample, options)
    var rows = 0
    for band in sample.bands {
      let seen = try part.evaluate(on: sample.input(input, band))
      #expect(sample.outputs(ofBand: seen, band) == sample.outputs(output, band))
      rows += band.output.count
    }
    #expect(rows <= output.shape.extent.height && rows > 0)
    #expect(sample.bands[0].output.lowerBound == 0)
    #expect(sample.bands.last?.output.upperBound == output.shape.extent.height)
  }

  /// Layers without weights: whatever lies within the difference stays within the bound.
  @Test(arguments: 0..<12) func differencesAreCarriedSoundly(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let shape = FeatureShape(extent: Extent(height: 7, width: 6), channels: 9)
    var pooling = Pooling(rounding: seed % 2 == 0 ? .floor : .ceiling)
    pooling.method = seed % 3 == 0 ? .average : .maximum
    pooling.kernel = Extent(side: 3)
    let region: LocalResponseNormalization.Region = seed % 2 == 0 ? .acrossChannels : .withinChannel
    let operations: [Layer.Operation] = [
      .pooling(pooling), .pooling(Pooling(global: seed % 2 == 0 ? .average : .maximum)), .softmax,
      .normalization(.init(size: 5, scale: 0.02, beta: 0.75, k: 1, region: region)),
    ]
    for operation in operations {
      let layer = Layer(name: "layer", operation: operation)
      let model = try random.model(of: layer, inputChannels: 9)
      let input = try random.map(2, shape, times: 8)
      let size = Float([1e-6, 0.01, 0.5, 3][Int(seed) % 4])
      let other = try FeatureMap(
        count: 2, shape: shape,
        values: input.values.map { $0 + Float.random(in: -size...size, using: &random) })
      let difference = try input.distance(from: other)
      let bounds = try PlainLayerBound(layer: layer, options: EngineOptions()).bounds(
        input: input, difference: difference, otherIsForeign: false)
      let seen = try FastEngine(model).evaluate(layer, on: input)
      let expected = try ReferenceEngine(model).evaluate(layer, on: other)
      let error = BoundedError(seen: seen, expected: expected, bounds: bounds)
      #expect(error.passes, "\(operation) \(error)")
      #expect(error.usedPart > 0.01, "\(operation) \(error)")
    }
  }

  @Test func whatNoBoundExplainsIsNotExplained() {
    #expect(!BoundedError(seen: [], expected: [], bounds: []).passes)
    #expect(BoundedError(seen: [1], expected: [1], bounds: [0]).passes)
    #expect(!BoundedError(seen: [1], expected: [2], bounds: [0]).passes)
    #expect(!BoundedError(seen: [1], expected: [2], bounds: [.nan]).passes)
    #expect(!BoundedError(seen: [1], expected: [2], bounds: [.infinity]).passes)
    #expect(!BoundedError(seen: [.nan], expected: [.nan], bounds: [1]).passes)
    #expect(!BoundedError(seen: [.infinity], expected: [.infinity], bounds: [1]).passes)
    #expect(BoundedError(seen: [1.5], expected: [2], bounds: [0.5]).passes)
    #expect(!BoundedError(seen: [1.5], expected: [2.0001], bounds: [0.5]).passes)
  }

  @Test func aVerdictDoesNotDependOnTheMachine() throws {
    let sample = try Sample(seed: 9)
    let wrong = try sample.native { name, values in if name == "conv4_2/weight" { values[11] += 0.4 } }
    for model in [wrong, try sample.native().applying(.quantize(to: .int8))] {
      var seen: Set<String> = []
      for instructionSet in InstructionSet.allCases where instructionSet.isAvailable {
        for threads in [1, 2, 5] {
          let verification = try sample.verify(
            model, options: EngineOptions(threadCount: threads, instructionSet: instructionSet))
          seen.insert("\(verification.verdict) \(verification.culprit ?? "") \(verification.certifiedCount)")
        }
      }
      #expect(seen.count == 1, "\(seen)")
    }
  }

  @Test func aLeadThatTheBoundCoversIsNotCertified() throws {
    let sample = try Sample(seed: 10)
    // Two classes of the same weights: their scores are equal, and whichever comes first is no certainty.
    func twin(_ name: String, _ values: inout [Float]) {
      guard name.hasPrefix("fc8") else { return }
      for start in stride(from: 0, to: values.count, by: 10) {
        for other in 1..<10 { values[start + other] = values[start] }
      }
    }
    let source = try sample.native(twin)
    let verification = try Verification(
      of: sample.native(twin), against: source, inputs: [sample.inputs()], options: EngineOptions())
    #expect(verification.verdict == .exact && verification.closeness.sameDecisionCount == 3)
    #expect(verification.certifiedCount == 0)
  }
}

extension SeededGenerator {
  fileprivate mutating func map(_ count: Int, _ shape: FeatureShape, times scale: Float = 1) throws
    -> FeatureMap
  {
    let values = (0..<count * shape.count).map { _ in Float.random(in: -scale...scale, using: &self) }
    return try FeatureMap(count: count, shape: shape, values: values)
  }

  /// A model of one layer.
  fileprivate mutating func model(of layer: Layer, inputChannels: Int) throws -> Model {
    let tensors = layer.tensorRequirements.map { needed in
      Tensor(
        name: needed.name, role: needed.role, shape: needed.shape,
        values: MemoryValues(
          (0..<needed.shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &self) }))
    }
    return try Model(
      network: Network(
        architecture: .d, inputChannels: inputChannels, inputExtent: nil, layers: [layer]),
      tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "", sourceByteCount: 0, format: "", generation: ""))
  }
}
