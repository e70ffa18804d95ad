import Testing
import VGGModel
import VGGTensors

/// What `summary` prints, against the paper and against sums done by hand.
@Suite struct LayerCostsTests {
  /// Parameters, multiply-accumulates of convolutions and dense layers, and all values of one forward pass at 224x224.
  @Test(arguments: [
    (Architecture.a, 132_863_336, 7_609_090_048, 9_117_136),
    (.aLRN, 132_863_336, 7_609_090_048, 12_328_400),
    (.b, 133_047_848, 11_308_466_176, 13_934_032),
    (.c, 133_638_952, 11_770_888_192, 15_238_608),
    (.d, 138_357_544, 15_470_264_320, 15_238_608),
    (.e, 143_667_240, 19_632_062_464, 16_543_184),
  ])
  func totalsAreThePapers(
    _ architecture: Architecture, parameters: Int, multiplyAccumulates: Int, activations: Int
  ) throws {
    let network = try Network(architecture)
    let costs = try network.costs(for: Extent(side: 224))
    #expect(costs.parameterCount == parameters)
    #expect(costs.parameterCount == network.parameterCount)
    #expect(costs.multiplyAccumulateCount == multiplyAccumulates)
    #expect(costs.activationCount == activations)
    #expect(costs.activationByteCount == 4 * activations)
    #expect(costs.layers.map(\.layer) == network.layers)
  }

  /// The fields of VGG-16 are those of the literature (pool5 212, fc6 404); conv5_3 sees 196 pixels in steps of 16.
  @Test(arguments: [
    ("conv1_1", 3, 1, 1_792, 86_704_128), ("conv1_2", 5, 1, 36_928, 1_849_688_064), ("pool1", 6, 2, 0, 0),
    ("conv3_3", 40, 4, 590_080, 1_849_688_064), ("conv5_3", 196, 16, 2_359_808, 462_422_016),
    ("pool5", 212, 32, 0, 0), ("fc6", 404, 32, 102_764_544, 102_760_448),
    ("fc8", 404, 32, 4_097_000, 4_096_000), ("prob", 404, 32, 0, 0),
  ])
  func layersOfVGG16(name: String, field: Int, stride: Int, parameters: Int, multiplyAccumulates: Int) throws
  {
    let costs = try Network(.d).costs(for: Extent(side: 224))
    let layer = try #require(costs.layers.first { $0.layer.name == name })
    #expect(layer.receptiveField == Extent(side: field))
    #expect(layer.receptiveFieldStride == Extent(side: stride))
    #expect(layer.parameterCount == parameters)
    #expect(layer.multiplyAccumulateCount == multiplyAccumulates)
  }

  @Test func valuesAndBytesOfOneLayer() throws {
    let costs = try Network(.d).costs(for: Extent(side: 224))
    let first = try #require(costs.layers.first)
    #expect(first.output == FeatureShape(extent: Extent(side: 224), channels: 64))
    #expect(first.activationCount == 3_211_264)
    #expect(first.activationByteCount == 12_845_056)
    #expect(costs.input == FeatureShape(extent: Extent(side: 224), channels: 3))
  }

  /// Dilation widens a field, strides multiply, and the two sides are counted each by itself.
  @Test func unequalSidesDilationAndNormalization() throws {
    var convolution = Convolution(kernel: Extent(height: 3, width: 5), inputChannels: 1, outputChannels: 2)
    convolution.dilation = Extent(height: 2, width: 1)
    convolution.stride = Extent(height: 1, width: 3)
    var pooling = Pooling()
    pooling.kernel = Extent(height: 3, width: 2)
    let normalization = LocalResponseNormalization(
      size: 3, scale: 1, beta: 0.75, k: 1, region: .withinChannel)
    let network = Network(
      architecture: .a, inputChannels: 1, inputExtent: nil,
      layers: [
        Layer(name: "c", operation: .convolution(convolution)),
        Layer(name: "p", operation: .pooling(pooling)),
        Layer(name: "n", operation: .normalization(normalization)),
      ])
    let costs = try network.costs(for: Extent(height: 20, width: 30))
    #expect(costs.layers.map(\.receptiveField.height) == [5, 7, 11])
    #expect(costs.layers.map(\.receptiveField.width) == [5, 8, 20])
    #expect(costs.layers.map(\.receptiveFieldStride.height) == [1, 2, 2])
    #expect(costs.layers.map(\.receptiveFieldStride.width) == [3, 6, 6])
    #expect(costs.layers[0].output == FeatureShape(extent: Extent(height: 18, width: 10), channels: 2))
    #expect(costs.multiplyAccumulateCount == 18 * 10 * 2 * 15)
  }

  @Test func picturesThatDoNotFitAndNumbersThatDoNotFit() throws {
    #expect(throws: ShapeError.self) { try Network(.d).costs(for: Extent(side: 256)) }
    var pooling = Pooling()
    pooling.stride = Extent(side: 1 << 40)
    let network = Network(
      architecture: .a, inputChannels: 1, inputExtent: nil,
      layers: ["p", "q"].map { Layer(name: $0, operation: .pooling(pooling)) })
    #expect(throws: ShapeError.self) { try network.costs(for: Extent(side: 2)) }
  }
}
