import TestSupport
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// The engines against formulas: whole networks layer by layer, and single layers of any geometry.
@Suite struct EngineArithmeticTests {
  @Test(arguments: Architecture.allCases, [Pooling.Rounding.floor, .ceiling])
  func wholeNetworks(_ architecture: Architecture, rounding: Pooling.Rounding) throws {
    var random = SeededGenerator(seed: 1)
    let extent = Extent(height: 37, width: 45)
    let model = try random.model(.small(architecture, extent, rounding: rounding))
    let input = try random.map(2, extent, channels: 3)
    let engine = try ReferenceEngine(model)
    let oracle = Oracle(model: model)
    var pictures = input.pictures
    var names: [String] = []
    _ = try engine.run(input) { layer, seen in
      names.append(layer.name)
      pictures = try pictures.map { try oracle.output(of: layer, $0) }
      expectClose(seen, pictures, "\(layer.name)")
      // Nothing must have died on the way, or the layers behind it would be compared for nothing.
      #expect(seen.values.contains { $0 != 0 })
    }
    #expect(names == model.network.layers.map(\.name))
  }

  /// Kernels, strides, paddings and dilations with unequal sides, without bias and ReLU too.
  @Test(arguments: 0..<24) func convolutions(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    func extent(_ range: ClosedRange<Int>) -> Extent {
      Extent(height: .random(in: range, using: &random), width: .random(in: range, using: &random))
    }
    let channels = Int.random(in: 1...9, using: &random)
    var convolution = Convolution(
      kernel: extent(1...4), inputChannels: channels, outputChannels: .random(in: 1...40, using: &random))
    convolution.stride = extent(1...3)
    convolution.padding = extent(0...3)
    convolution.dilation = extent(1...3)
    convolution.hasBias = Bool.random(using: &random)
    convolution.activation = Bool.random(using: &random) ? .relu : .none
    try expectFormula(.convolution(convolution), extent(10...16), channels: channels, &random)
  }

  @Test(arguments: [Pooling.Method.maximum, .average], [Pooling.Rounding.floor, .ceiling])
  func poolings(_ method: Pooling.Method, _ rounding: Pooling.Rounding) throws {
    var random = SeededGenerator(seed: 3)
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1), (4, 3, 2)] {
      var pooling = Pooling(rounding: rounding)
      pooling.method = method
      pooling.kernel = Extent(height: kernel, width: kernel + 1)
      pooling.stride = Extent(height: stride, width: stride)
      pooling.padding = Extent(side: padding)
      for height in 5...8 {
        try expectFormula(.pooling(pooling), Extent(height: height, width: 11), channels: 5, &random)
      }
    }
  }

  @Test(arguments: [LocalResponseNormalization.Region.acrossChannels, .withinChannel], [1, 3, 5])
  func normalizations(_ region: LocalResponseNormalization.Region, size: Int) throws {
    var random = SeededGenerator(seed: 4)
    let normalization = LocalResponseNormalization(size: size, scale: 1e-3, beta: 0.75, k: 2, region: region)
    try expectFormula(.normalization(normalization), Extent(height: 5, width: 7), channels: 9, &random)
  }

  /// The paper's dense layers have a few thousand columns, fine-tuned ones a few; batches exceed the kernel's block.
  @Test(arguments: [(1, 1, 1), (70, 300, 3), (33, 65, 27), (257, 7, 50)])
  func denseLayers(inputs: Int, outputs: Int, count: Int) throws {
    var random = SeededGenerator(seed: 5)
    for activation in [Activation.none, .relu] {
      let dense = Dense(inputs: inputs, outputs: outputs, activation: activation)
      try expectFormula(.dense(dense), Extent(side: 1), channels: inputs, count: count, &random)
    }
  }

  @Test func softmaxOfLargeLogits() throws {
    var random = SeededGenerator(seed: 6)
    try expectFormula(.softmax, Extent(side: 1), channels: 1000, count: 3, &random)
    let engine = try ReferenceEngine(random.model(.single(.softmax, inputChannels: 3)))
    let logits = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: 1), channels: 3), values: [1e30, 1e30, -1e30])
    #expect(try engine.evaluate(engine.network.layers[0], on: logits).values == [0.5, 0.5, 0])
  }

  @Test func sigmoidOfAnyLogits() throws {
    var random = SeededGenerator(seed: 6)
    try expectFormula(.sigmoid, Extent(height: 2, width: 3), channels: 37, count: 3, &random)
    let engine = try ReferenceEngine(random.model(.single(.sigmoid, inputChannels: 3)))
    let logits = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: 1), channels: 3), values: [1e30, 0, -1e30])
    #expect(try engine.evaluate(engine.network.layers[0], on: logits).values == [1, 0.5, 0])
  }

  private func expectFormula(
    _ operation: Layer.Operation, _ extent: Extent, channels: Int, count: Int = 2,
    _ random: inout SeededGenerator
  ) throws {
    let model = try random.model(.single(operation, inputChannels: channels))
    let layer = model.network.layers[0]
    let input = try random.map(count, extent, channels: channels)
    let oracle = Oracle(model: model)
    let expected = try input.pictures.map { try oracle.output(of: layer, $0) }
    expectClose(try ReferenceEngine(model).evaluate(layer, on: input), expected, "\(operation)")
    for savesMemory in [false, true] {
      let engine = try FastEngine(model, options: EngineOptions(savesMemory: savesMemory))
      expectClose(try engine.evaluate(layer, on: input), expected, "\(operation)", tolerance: 3e-6)
    }
  }

  /// Both round a sum in double precision to float, so they may differ by a rounding or two of the largest value.
  private func expectClose(_ seen: FeatureMap, _ expected: [Picture], _ what: String, tolerance: Float = 1e-6)
  {
    #expect(seen.count == expected.count && seen.pictures.map(\.shape) == expected.map(\.shape), "\(what)")
    for (seen, expected) in zip(seen.pictures, expected) {
      let largest = expected.values.map(\.magnitude).max() ?? 0
      let error = zip(seen.values, expected.values).map { ($0 - $1).magnitude }.max() ?? 0
      #expect(error <= largest * tolerance, "\(what)")
    }
  }
}
