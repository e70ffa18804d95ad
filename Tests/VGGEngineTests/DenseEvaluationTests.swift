import TestSupport
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// Pictures larger than the network's own: dense layers slide as convolutions do.
@Suite struct DenseEvaluationTests {
  static let larger = Extent(height: 101, width: 163)

  /// The same network with its dense layers written as convolutions.
  private func convolutional(_ model: Model, window: Extent) throws -> Model {
    var extent = window
    var layers: [Layer] = []
    for layer in model.network.layers {
      guard case .dense(let dense) = layer.operation else {
        layers.append(layer)
        continue
      }
      var convolution = Convolution(
        kernel: extent, inputChannels: dense.inputs / (extent.height * extent.width),
        outputChannels: dense.outputs)
      convolution.padding = Extent(side: 0)
      convolution.activation = dense.activation
      layers.append(Layer(name: layer.name, operation: .convolution(convolution)))
      extent = Extent(side: 1)
    }
    let network = Network(
      architecture: model.network.architecture, inputChannels: 3, inputExtent: nil, layers: layers)
    return try Model(
      network: network,
      tensors: network.tensorRequirements.map { needed in
        Tensor(
          name: needed.name, role: needed.role, shape: needed.shape,
          values: try #require(model.tensor(needed.name)).values)
      })
  }

  @Test func scoreMapsAreThoseOfConvolutions() throws {
    let model = try FastEngineTests.model(.b, extent: Extent(height: 70, width: 96))
    let window = Extent(height: 2, width: 3)
    let input = try FastEngineTests.input(2, extent: Self.larger)
    let reference = try ReferenceEngine(model)
    let expected = try ReferenceEngine(convolutional(model, window: window)).outputs(input)
    let maps = try reference.outputs(input)
    #expect(maps.last?.shape == FeatureShape(extent: Extent(height: 2, width: 3), channels: 11))
    #expect(maps.map(\.bits) == expected.map(\.bits))

    let engine = try FastEngine(model)
    for (seen, expected) in zip(try engine.outputs(input), expected) {
      let largest = expected.values.map(\.magnitude).max() ?? 0
      #expect(seen.shape == expected.shape)
      #expect(zip(seen.values, expected.values).allSatisfy { ($0 - $1).magnitude <= 3e-5 * largest })
    }
    for output in [try reference.run(input), try engine.run(input)] {
      guard case .classes(let logits, _) = output,
        case .classes(let means, let probabilities) = try output.spatialAverage()
      else {
        Issue.record("a network with a top has classes")
        return
      }
      #expect(means.count == 2 && means.shape == FeatureShape(extent: Extent(side: 1), channels: 11))
      for (picture, mean) in zip(logits.pictures, means.pictures) {
        for index in 0..<11 {
          let sum = (0..<6).reduce(0.0) { $0 + picture.value($1 / 3, $1 % 3, index) }
          #expect((Double(mean.values[index]) - sum / 6).magnitude < 1e-4)
        }
      }
      for picture in probabilities.pictures { #expect((picture.values.reduce(0, +) - 1).magnitude < 1e-5) }
    }
  }

  /// Without memory for decoded weights, and on a picture of the network's own extent.
  @Test func waysOfRunningDoNotMatter() throws {
    let model = try FastEngineTests.model(.a, extent: Extent(side: 64))
    let input = try FastEngineTests.input(2, extent: Self.larger)
    let outputs = try FastEngine(model).outputs(input)
    let frugal = try FastEngine(
      model.hidingMemory(), options: EngineOptions(threadCount: 3, savesMemory: true))
    let layer = try #require(model.network.layers.first { $0.name == "fc6" })
    let pooled = outputs[outputs.count - 5]
    #expect(try frugal.evaluate(layer, on: pooled).bits == outputs[outputs.count - 4].bits)
    let own = try FastEngine(model).run(FastEngineTests.input(1, extent: Extent(side: 64)))
    guard case .classes(let logits, _) = own, case .classes(let means, _) = try own.spatialAverage() else {
      Issue.record("a network with a top has classes")
      return
    }
    #expect(logits.bits == means.bits)
  }
}
