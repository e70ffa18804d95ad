import Testing
import VGGBytes
import VGGCaffe
import VGGModel
import VGGSources
import VGGTensors

@testable import CaffeTestSupport

/// BatchNorm and Scale layers, worked into the convolutions and dense layers before them.
@Suite struct BatchNormTests {
  /// A BatchNorm layer behind another one, in place.
  static func batchNorm(
    _ name: String, behind layer: String, blobs: [[Float]], epsilon: Float? = nil,
    usesGlobalStatistics: Bool? = nil
  ) -> TestLayer {
    var result = TestLayer(name: name, kind: .other("BatchNorm"), bottom: layer, top: layer)
    result.blobs = blobs.map { .blob([$0.count], $0) }
    result.extra.message(
      139,
      Message {
        if let usesGlobalStatistics { $0.varint(1, usesGlobalStatistics ? 1 : 0) }
        if let epsilon { $0.float(3, epsilon) }
      })
    return result
  }

  static func scale(_ name: String, behind layer: String, blobs: [[Float]], hasBias: Bool? = nil) -> TestLayer
  {
    var result = TestLayer(name: name, kind: .other("Scale"), bottom: layer, top: layer)
    result.blobs = blobs.map { .blob([$0.count], $0) }
    if hasBias ?? (blobs.count > 1) { result.extra.message(142, Message { $0.varint(4, 1) }) }
    return result
  }

  static func net(_ layers: [TestLayer], behind name: String = "conv3_1") -> TestNet {
    var net = TestNet()
    let index = net.layers.firstIndex { $0.name == name } ?? 0
    net.layers.insert(contentsOf: layers, at: index + 1)
    return net
  }

  static let mean: [Float] = [0.5, -1, 2, 0.25]
  static let variance: [Float] = [1, 0.5, 2, 4]
  static let gamma: [Float] = [1, -2, 0.5, 3]
  static let beta: [Float] = [0, 1, -1, 0.5]

  /// What conv3_1 must be: the textbook's formula, channel by channel.
  static func expect(
    _ net: TestNet, divisor: Double, epsilon: Double, gamma: [Float]? = nil, beta: [Float]? = nil,
    mean: [Float] = mean, variance: [Float] = variance, place: NormalizationPlace? = nil
  ) throws {
    var options = ImportOptions()
    options.normalizationPlace = place
    let model = try net.model(options: options)
    let weight = try #require(model.tensor("conv3_1/weight")).values.array()
    let bias = try #require(model.tensor("conv3_1/bias")).values.array()
    let oldWeight = try #require(net.values["conv3_1/0"])  // [4, 3, 3, 3]
    let oldBias = try #require(net.values["conv3_1/1"])
    for channel in 0..<4 {
      let share = divisor == 0 ? 0 : 1 / divisor
      let deviation = (Double(variance[channel]) * share + epsilon).squareRoot()
      let factor = Double(gamma?[channel] ?? 1) / deviation
      let shifted =
        (Double(oldBias[channel]) - Double(mean[channel]) * share) * factor + Double(beta?[channel] ?? 0)
      #expect(abs(Double(bias[channel]) - shifted) <= 1e-6 * max(1, abs(shifted)))
      for (input, row, column) in [(0, 0, 0), (2, 1, 2), (1, 2, 0)] {
        let old = Double(oldWeight[((channel * 3 + input) * 3 + row) * 3 + column])
        #expect(weight[((row * 3 + column) * 3 + input) * 4 + channel] == Float(old * factor))
      }
    }
    #expect(
      model.provenance.folded.map(\.name).prefix(2) == ["conv3_1/0", "conv3_1/1"]
        && model.provenance.folded.allSatisfy { $0.layer == "conv3_1" })
  }

  @Test func statisticsAreDividedByTheThirdBlob() throws {
    for divisor in [Float(1), 999.98, 0] {
      let layer = Self.batchNorm(
        "bn", behind: "conv3_1", blobs: [Self.mean, Self.variance, [divisor]], epsilon: 0.001)
      try Self.expect(Self.net([layer]), divisor: Double(divisor), epsilon: Double(Float(0.001)))
    }
  }

  @Test func scaleBelongsToTheBatchNormalisation() throws {
    let normalization = Self.batchNorm("bn", behind: "conv3_1", blobs: [Self.mean, Self.variance, [2]])
    for beta in [[Float]?.some(Self.beta), nil] {
      let scale = Self.scale("scale", behind: "conv3_1", blobs: [Self.gamma] + (beta.map { [$0] } ?? []))
      try Self.expect(
        Self.net([normalization, scale]), divisor: 2, epsilon: Double(Float(1e-5)), gamma: Self.gamma,
        beta: beta)
    }
  }

  @Test func scaleStandsOnItsOwnToo() throws {
    let scale = Self.scale("scale", behind: "conv3_1", blobs: [Self.gamma, Self.beta])
    try Self.expect(
      Self.net([scale]), divisor: 1, epsilon: 0, gamma: Self.gamma, beta: Self.beta, mean: [0, 0, 0, 0],
      variance: [1, 1, 1, 1])
  }

  /// Blobs as the first versions of the format had them, tops of their own, and no bias in the convolution.
  @Test func otherShapesAndTops() throws {
    var normalization = Self.batchNorm("bn", behind: "conv3_1", blobs: [Self.mean, Self.variance, [2]])
    normalization.blobs = [
      .oldBlob([1, 4, 1, 1], Self.mean), .oldBlob([4], Self.variance), .oldBlob([1], [2]),
    ]
    normalization.top = "conv3_1/bn"
    var net = Self.net([normalization])
    net.change("relu3_1") { ($0.bottom, $0.top) = ("conv3_1/bn", "conv3_1/bn") }
    net.change("conv3_2") { $0.bottom = "conv3_1/bn" }
    try Self.expect(net, divisor: 2, epsilon: Double(Float(1e-5)))
    net.change("conv3_1") {
      $0.blobs.removeLast()
      $0.extraSettings.varint(2, 0)
    }
    let bias = try #require(net.model().tensor("conv3_1/bias")).values.array()
    #expect(bias.count == 4 && bias[0] == Float(-0.25 / (0.5 + Double(Float(1e-5))).squareRoot()))
  }

  @Test func denseLayersAreNormalisedToo() throws {
    let count = TestNet.denseWidths[0]
    let ones = Array(repeating: Float(1), count: count)
    let layer = Self.batchNorm("bn6", behind: "fc6", blobs: [ones, ones, [1]], epsilon: 3)
    let net = Self.net([layer], behind: "fc6")
    let bias = try #require(net.model().tensor("fc6/bias")).values.array()
    let old = try #require(net.values["fc6/1"])
    #expect(zip(bias, old).allSatisfy { $0 == Float((Double($1) - 1) / 2) })
  }

  /// Behind the pooling only factors: they are worked into conv4_1, whose padding stays zero.
  @Test func factorsBehindAPoolingAreWorkedIntoTheNextConvolution() throws {
    let net = Self.net([Self.scale("s", behind: "pool3", blobs: [Self.gamma])], behind: "pool3")
    let model = try net.model()
    let weight = try #require(model.tensor("conv4_1/weight"))
    let plain = try #require(TestNet().model().tensor("conv4_1/weight"))
    let (values, old) = (try weight.values.array(), try plain.values.array())
    let outputs = weight.shape[3]
    for index in values.indices {
      #expect(values[index] == old[index] * Self.gamma[index / outputs % 4])
    }
    #expect(model.provenance.folded.map(\.layer).allSatisfy { $0 == "conv4_1" })
    #expect(model.provenance.decisions.contains { $0.choice == "behind the activations" })
  }

  @Test func filesWithOnlyWeights() throws {
    var net = Self.net([
      Self.batchNorm("bn", behind: "conv3_1", blobs: [Self.mean, Self.variance, [2]]),
      Self.scale("scale", behind: "conv3_1", blobs: [Self.gamma, Self.beta]),
    ])
    net.layers.removeAll { $0.blobs.isEmpty }
    let error = #expect(throws: FileError.self) { try net.model() }
    #expect(error?.code == "caffe.normalization.order")
    #expect(error?.advice?.contains("--bn-after-activation") == true)
    try Self.expect(
      net, divisor: 2, epsilon: Double(Float(1e-5)), gamma: Self.gamma, beta: Self.beta,
      place: .beforeActivation)
  }

  @Test func statisticsOfABatchAreSaid() throws {
    for (uses, isSaid) in [(Bool?.none, false), (true, false), (false, true)] {
      let layer = Self.batchNorm(
        "bn", behind: "conv3_1", blobs: [Self.mean, Self.variance, [2]], usesGlobalStatistics: uses)
      let decisions = try Self.net([layer]).model().provenance.decisions
      #expect(decisions.contains { $0.subject == "batch-statistics" } == isSaid)
    }
  }

  @Test func epsilonOfThePrototxtIsCompared() throws {
    let net = Self.net([
      Self.batchNorm("bn", behind: "conv3_1", blobs: [Self.mean, Self.variance, [2]], epsilon: 0.25)
    ])
    func text(_ epsilon: String) -> String {
      PrototxtTests.text(
        replacing: "layer { name: \"relu3_1\"",
        with:
          "layer { name: \"bn\" type: \"BatchNorm\" bottom: \"conv3_1\" top: \"conv3_1\" batch_norm_param { eps: \(epsilon) use_global_stats: true } } layer { name: \"relu3_1\""
      )
    }
    #expect(
      try GenerationTests.values(net.model(prototxt: text("0.25"))) == GenerationTests.values(net.model()))
    let error = #expect(throws: FileError.self) { try net.model(prototxt: text("0.5")) }
    #expect(error?.code == "caffe.prototxt.contradiction")
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: String
    var layers: @Sendable () -> [TestLayer]
    var behind = "conv3_1"
  }

  static let refusals = [
    Refusal(testDescription: "four blobs of a fork", code: "caffe.blobs") {
      [batchNorm("bn", behind: "conv3_1", blobs: [mean, variance, gamma, beta])]
    },
    Refusal(testDescription: "five blobs of a fork", code: "caffe.blobs") {
      [batchNorm("bn", behind: "conv3_1", blobs: [mean, variance, [1], gamma, beta])]
    },
    Refusal(testDescription: "no blobs", code: "caffe.noweights") {
      [batchNorm("bn", behind: "conv3_1", blobs: [])]
    },
    Refusal(testDescription: "another width", code: "caffe.blob.shape") {
      [batchNorm("bn", behind: "conv3_1", blobs: [[1, 2, 3], variance, [1]])]
    },
    Refusal(testDescription: "two divisors", code: "caffe.blob.shape") {
      [batchNorm("bn", behind: "conv3_1", blobs: [mean, variance, [1, 1]])]
    },
    Refusal(testDescription: "a negative variance", code: "model.normalization") {
      [batchNorm("bn", behind: "conv3_1", blobs: [mean, [-1, 1, 1, 1], [1]])]
    },
    Refusal(testDescription: "a negative epsilon", code: "caffe.layer.settings") {
      [batchNorm("bn", behind: "conv3_1", blobs: [mean, variance, [1]], epsilon: -1)]
    },
    Refusal(testDescription: "NaN", code: "model.nonfinite") {
      [batchNorm("bn", behind: "conv3_1", blobs: [[.nan, 0, 0, 0], variance, [1]])]
    },
    Refusal(testDescription: "two normalisations", code: "caffe.structure") {
      ["bn", "bn2"].map { batchNorm($0, behind: "conv3_1", blobs: [mean, variance, [1]]) }
    },
    Refusal(testDescription: "two scales", code: "caffe.structure") {
      ["s", "s2"].map { scale($0, behind: "conv3_1", blobs: [gamma]) }
    },
    Refusal(testDescription: "a scale in front", code: "caffe.structure") {
      [
        scale("s", behind: "conv3_1", blobs: [gamma]),
        batchNorm("bn", behind: "conv3_1", blobs: [mean, variance, [1]]),
      ]
    },
    Refusal(
      testDescription: "behind the ReLU", code: "model.normalization.order",
      layers: {
        [batchNorm("bn", behind: "conv3_1", blobs: [mean, variance, [1]])]
      }, behind: "relu3_1"),
    Refusal(
      testDescription: "a scale and a shift behind the pooling", code: "model.normalization.order",
      layers: {
        [scale("s", behind: "pool3", blobs: [gamma, beta])]
      }, behind: "pool3"),
    Refusal(
      testDescription: "a negative scale in front of the pooling", code: "model.normalization.order",
      layers: {
        [scale("s", behind: "conv3_2", blobs: [gamma])]
      }, behind: "relu3_2"),
    Refusal(testDescription: "a scale without its bias", code: "caffe.blobs") {
      [scale("s", behind: "conv3_1", blobs: [gamma], hasBias: true)]
    },
    Refusal(testDescription: "a scale of another axis", code: "caffe.layer.settings") {
      var layer = scale("s", behind: "conv3_1", blobs: [gamma])
      layer.extra.message(142, Message { $0.varint(1, 2) })
      return [layer]
    },
    Refusal(testDescription: "BN of SegNet", code: "model.known") {
      [TestLayer(name: "bn", kind: .other("BN"), bottom: "conv3_1", top: "conv3_1")]
    },
  ]

  @Test(arguments: refusals)
  func isRefused(_ refusal: Refusal) {
    let error = #expect(throws: FileError.self) {
      try Self.net(refusal.layers(), behind: refusal.behind).model()
    }
    #expect(error?.code == refusal.code)
    #expect(error?.place?.contains("layer") == true || error?.place?.contains("tensor") == true)
  }
}
