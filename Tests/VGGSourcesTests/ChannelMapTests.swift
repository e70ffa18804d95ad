import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// Normalisations behind an activation are worked into the next layer where that is exact, and refused elsewhere.
@Suite struct ChannelMapTests {
  private static func vector(_ values: [Float], _ name: String) -> SourceTensor {
    SourceTensor(
      name: name, shape: [values.count], format: .float32,
      bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: .vector)
  }

  /// A normalisation with these factors and summands.
  private static func behind(
    factors: [Float], summands: [Float], afterPooling: Bool = false
  ) -> FoundNetwork.WeightedLayer.OutputNormalization {
    FoundNetwork.WeightedLayer.OutputNormalization(
      BatchNormalization(
        name: "bn", gamma: vector(factors, "bn/gamma"), beta: vector(summands, "bn/beta"), mean: nil,
        spread: nil, epsilon: 0), isBehindPooling: afterPooling)
  }

  private static func pooling(_ method: Pooling.Method, padding: Int = 0) -> Pooling {
    var pooling = Pooling()
    pooling.method = method
    pooling.padding = Extent(side: padding)
    return pooling
  }

  private static func ramp(_ count: Int, from start: Float = 1) -> [Float] {
    (0..<count).map { start + Float($0) / 4 }
  }

  private static func refusal(_ found: FoundNetwork) throws -> FileError {
    let error = try #require(#expect(throws: FileError.self) { try FoundNetworkTests.model(found) })
    #expect(error.kind == .unsupported && error.place == "layer bn, behind \(found.convolutions[0].name)")
    return error
  }

  /// In `FoundNetworkTests.found` each weight and bias is 0.5.
  @Test func denseLayersTakeInAnyMap() throws {
    var found = FoundNetworkTests.found(.d)
    found.dense[1].bias = nil
    let (factors, summands) = (Self.ramp(7, from: -1), Self.ramp(7, from: -0.5))
    found.dense[0].outputNormalization = Self.behind(factors: factors, summands: summands)
    let model = try FoundNetworkTests.model(found)
    let weight = try #require(model.tensor("fc7/weight")).values.array()
    let bias = try #require(model.tensor("fc7/bias")).values.array()
    for (index, value) in weight.enumerated() { #expect(value == 0.5 * factors[index / 8]) }
    #expect(bias == Array(repeating: 0.5 * summands.reduce(0, +), count: 8))
    #expect(model.provenance.folded.map(\.name) == ["t", "bn/gamma", "bn/beta"])
    #expect(model.provenance.folded.allSatisfy { $0.layer == "fc7" })
    #expect(model.foldedSources.map(\.name) == model.provenance.folded.map(\.name))
  }

  /// Each pixel of the flattened map takes the factor of its channel, in whatever order the source flattens.
  @Test(arguments: [FlattenOrder.hwc, .chw], [Pooling.Method.maximum, .average])
  func flattenedMapsAreTakenInBehindPoolings(_ order: FlattenOrder, _ method: Pooling.Method) throws {
    var found = FoundNetworkTests.found(.b)
    found.flattenOrder = order
    found.poolings = .unknown(Self.pooling(method))
    let factors = Self.ramp(6, from: method == .maximum ? 0 : -1)
    let summands = Self.ramp(6, from: -0.25)
    found.convolutions[9].outputNormalization = Self.behind(factors: factors, summands: summands)
    let model = try FoundNetworkTests.model(found)
    let weight = try #require(model.tensor("fc6/weight")).values.array()
    for (index, value) in weight.enumerated() { #expect(value == 0.5 * factors[index / 7 % 6]) }
    let bias = try #require(model.tensor("fc6/bias")).values.array()
    #expect(bias == Array(repeating: 0.5 + 4 * 0.5 * summands.reduce(0, +), count: 7))
  }

  @Test func unpaddedConvolutionsTakeInAnyMap() throws {
    var found = FoundNetworkTests.found(.c)
    let (factors, summands) = (Self.ramp(4, from: -1), Self.ramp(4))
    found.convolutions[5].outputNormalization = Self.behind(factors: factors, summands: summands)
    // One in front of the activation of the same layer is worked in after it.
    found.convolutions[6].batchNormalization = BatchNormalization(
      name: "own", gamma: Self.vector([2, 2, 2, 2], "own/gamma"), beta: nil,
      mean: Self.vector([1, 1, 1, 1], "own/mean"), spread: nil, epsilon: 0)
    let model = try FoundNetworkTests.model(found)
    let weight = try #require(model.tensor("conv3_3/weight")).values.array()
    for (index, value) in weight.enumerated() { #expect(value == factors[index / 4 % 4]) }
    let bias = try #require(model.tensor("conv3_3/bias")).values.array()
    #expect(bias == Array(repeating: (0.5 + 0.5 * summands.reduce(0, +) - 1) * 2, count: 4))
    #expect(model.provenance.folded.count == 2 + 2 + 2)
  }

  @Test func paddedConvolutionsTakeInFactorsOnly() throws {
    var found = FoundNetworkTests.found(.b)
    found.convolutions[0].outputNormalization = Self.behind(factors: [-1, 3], summands: [0, -0.0])
    let weight = try #require(FoundNetworkTests.model(found).tensor("conv1_2/weight")).values.array()
    for (index, value) in weight.enumerated() { #expect(value == [-0.5, 1.5][index / 2 % 2]) }
    found.convolutions[0].outputNormalization = Self.behind(factors: [1, 1], summands: [0, 1e-30])
    #expect(try Self.refusal(found).seen?.contains("padding of block1_conv2") == true)
  }

  @Test func whatKeepsNotTheOrderStopsAtAMaximum() throws {
    var found = FoundNetworkTests.found(.a)
    found.convolutions[0].outputNormalization = Self.behind(factors: [1, -1], summands: [0, 0])
    #expect(try Self.refusal(found).seen == "factor -1.0 for channel 1, and the maximum in pool1")
    found.convolutions[0].outputNormalization = Self.behind(
      factors: [1, -1], summands: [0, 0], afterPooling: true)
    let weight = try #require(FoundNetworkTests.model(found).tensor("conv2_1/weight")).values.array()
    #expect(weight.prefix(6) == [0.5, 0.5, 0.5, -0.5, -0.5, -0.5])
    found.poolings = .unknown(Self.pooling(.average))
    found.convolutions[0].outputNormalization = Self.behind(factors: [1, -1], summands: [0, 0])
    #expect(try FoundNetworkTests.model(found).tensor("conv2_1/weight")?.values.array() == weight)
    found.poolings = .unknown(Self.pooling(.average, padding: 1))
    #expect(try Self.refusal(found).seen == "padding 1x1 in pool1")
  }

  @Test func localNormalisationStopsAnyMap() throws {
    var found = FoundNetworkTests.found(.aLRN)
    found.convolutions[0].outputNormalization = Self.behind(factors: [1, 1], summands: [0, 0])
    #expect(try Self.refusal(found).seen == "norm1 behind it")
  }

  @Test(arguments: [[Int](), [7]])
  func whatHasNoNextLayerIsRefused(_ dense: [Int]) throws {
    var found = FoundNetworkTests.found(.a, dense: dense)
    let behind = Self.behind(factors: Self.ramp(dense.first ?? 6), summands: Self.ramp(dense.first ?? 6))
    if dense.isEmpty {
      found.convolutions[7].outputNormalization = behind
    } else {
      found.dense[0].outputNormalization = behind
    }
    let error = try #require(#expect(throws: FileError.self) { try FoundNetworkTests.model(found) })
    #expect(error.seen == "no layer with weights behind it")
  }

  @Test func mapsOfSinglePixelsAreRefused() throws {
    var found = FoundNetworkTests.found(.a)
    found.convolutions[7].outputNormalization = Self.behind(
      factors: Self.ramp(24), summands: Self.ramp(24), afterPooling: true)
    let error = try #require(#expect(throws: FileError.self) { try FoundNetworkTests.model(found) })
    #expect(error.kind == .unsupported && error.seen == "24 numbers")
  }

  @Test func whatIsNotFiniteIsRefused() throws {
    var found = FoundNetworkTests.found(.a)
    found.dense[0].outputNormalization = Self.behind(
      factors: [.infinity] + Self.ramp(6), summands: Self.ramp(7))
    let error = try #require(#expect(throws: FileError.self) { try FoundNetworkTests.model(found) })
    #expect(error.code == "model.nonfinite" && error.place == "tensor bn/gamma, element 0")
  }
}
