import TestSupport
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// Layers by themselves, with no network around them.
@Suite struct LayerEngineTests {
  private static let options = [
    EngineOptions(kind: .reference), EngineOptions(savesMemory: true),
    EngineOptions(extent: FastEngineTests.extent),
  ]

  /// The bits and the rounding are those of a network that has no other layer; in double precision, of any network.
  @Test(arguments: options) func layersAreWhatTheyAreInANetwork(_ options: EngineOptions) throws {
    let model = try FastEngineTests.model(.aLRN)
    var input = try FastEngineTests.input(1)
    _ = try ReferenceEngine(model).run(input) { layer, expected in
      var options = options
      if options.extent != nil { options.extent = input.shape.extent }
      let tensors = model.tensors.filter { [layer.weightName, layer.biasName].contains($0.name) }
      let network = Network(
        architecture: .a, inputChannels: input.shape.channels, inputExtent: nil, layers: [layer])
      let engine = try options.engine(for: Model(network: network, tensors: tensors))
      let alone = try LayerEngine(
        WeightedLayer(
          layer, weight: model.tensor(layer.weightName)?.values,
          bias: model.tensor(layer.biasName)?.values.array()),
        options: options)
      let bits = try alone.evaluate(on: input).bits
      #expect(try bits == engine.evaluate(layer, on: input).bits, "\(layer.name)")
      if options.kind == .reference { #expect(bits == expected.bits, "\(layer.name)") }
      #expect(alone.layer == layer && alone.rounding == engine.rounding(of: layer))
      input = expected
    }
  }

  /// With a window a dense layer slides over a map; each position is what the layer makes of what lies there.
  @Test(arguments: options, [false, true]) func denseLayersSlide(_ options: EngineOptions, decodes: Bool)
    throws
  {
    var random = SeededGenerator(seed: 9)
    let dense = Dense(inputs: 2 * 3 * 5, outputs: 7, activation: .relu)
    let layer = Layer(name: "fc6", operation: .dense(dense))
    let weight = MemoryValues(random.numbers(dense.inputs * dense.outputs))
    let engine = try LayerEngine(
      WeightedLayer(
        layer, weight: decodes ? HiddenValues(values: weight) : weight, bias: random.numbers(7),
        window: Extent(height: 2, width: 3)),
      options: options)
    let input = try random.map(2, Extent(height: 4, width: 4), channels: 5)
    let output = try engine.evaluate(on: input)
    #expect(output.shape == FeatureShape(extent: Extent(height: 3, width: 2), channels: 7))
    for (index, picture) in input.pictures.enumerated() {
      for y in 0..<3 {
        for x in 0..<2 {
          let values = (0..<30).map { Float(picture.value(y + $0 / 15, x + $0 / 5 % 3, $0 % 5)) }
          let window = try FeatureMap(
            count: 1, shape: FeatureShape(extent: Extent(height: 2, width: 3), channels: 5), values: values)
          let expected = try engine.evaluate(on: window).bits
          #expect(
            Array(output.bits[((index * 3 + y) * 2 + x) * 7..<((index * 3 + y) * 2 + x + 1) * 7]) == expected)
        }
      }
    }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let layer = Layer(name: "fc8", operation: .dense(Dense(inputs: 3, outputs: 2, activation: .none)))
    for (weights, biases) in [(5, 2), (6, 1), (7, 2)] {
      #expect(throws: EngineError.self) {
        try WeightedLayer(
          layer, weight: MemoryValues(Array(repeating: 1, count: weights)),
          bias: Array(repeating: 1, count: biases))
      }
    }
    #expect(throws: EngineError.self) { try WeightedLayer(layer) }
    let engine = try LayerEngine(
      WeightedLayer(layer, weight: MemoryValues([1, 2, 3, 4, 5, 6]), bias: [0, 0]))
    let wrong = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Extent(side: 1), channels: 2), values: [1, 2])
    #expect(throws: EngineError.self) { try engine.evaluate(on: wrong) }
    let none = try FeatureMap(count: 0, shape: FeatureShape(extent: Extent(side: 1), channels: 3), values: [])
    #expect(try engine.evaluate(on: none).shape.channels == 2)
  }
}
