import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

/// What changes a model's weights before they are quantised, or its biases afterwards.
@Suite struct EqualizationTests {
  /// A model whose channels have ranges that differ by orders of magnitude.
  private static func model(_ network: Network, seed: UInt64 = 4) throws -> Model {
    var generator = SeededGenerator(seed: seed)
    let tensors = network.tensorRequirements.map { requirement in
      let outputs = requirement.shape[requirement.shape.count - 1]
      let fanIn = requirement.shape.dropLast().reduce(1, *)
      let factors = (0..<outputs).map { _ in Float.random(in: 0.01...4, using: &generator) }
      let values = (0..<requirement.shape.reduce(1, *)).map { index in
        Float.random(in: -0.5...1, using: &generator) * factors[index % outputs]
          / Float(max(1, fanIn)).squareRoot()
      }
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        values: MemoryValues(values))
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "test", sourceByteCount: 0, format: "test", generation: "test"))
  }

  private static func network(_ architecture: Architecture, pooling: Pooling.Method) throws -> Network {
    let network = try Network(
      architecture, inputExtent: Extent(side: 64), widths: [2, 3, 4, 5, 6], denseWidths: [20, 15, 10])
    return Network(
      architecture: architecture, inputChannels: 3, inputExtent: network.inputExtent,
      layers: network.layers.map { layer in
        guard case .pooling(var settings) = layer.operation else { return layer }
        settings.method = pooling
        return Layer(name: layer.name, operation: .pooling(settings))
      })
  }

  private static func pictures(_ count: Int) throws -> FeatureMap {
    var generator = SeededGenerator(seed: 8)
    let shape = FeatureShape(extent: Extent(side: 64), channels: 3)
    return try FeatureMap(
      count: count, shape: shape,
      values: (0..<count * shape.count).map { _ in Float.random(in: -100...150, using: &generator) })
  }

  private static func logits(_ model: Model, _ kind: EngineKind, _ pictures: FeatureMap) throws -> [Float] {
    guard case .classes(let logits, _) = try EngineOptions(kind: kind).engine(for: model).run(pictures) else {
      Issue.record("no classes")
      return []
    }
    return logits.values
  }

  @Test(arguments: EngineKind.allCases, [Architecture.a, .aLRN, .c, .d])
  func notABitOfTheOutputsChanges(_ kind: EngineKind, _ architecture: Architecture) throws {
    for pooling in [Pooling.Method.maximum, .average] {
      let model = try Self.model(Self.network(architecture, pooling: pooling))
      let equalized = try model.applying(.equalize(nil))
      guard case .equalize(let factors?)? = equalized.provenance.passes.last else {
        Issue.record("no factors are declared")
        continue
      }
      // The factors of conv1_1 do not go across the normalisation.
      if architecture == .aLRN { #expect(factors.exponents(of: "conv1_1") == nil) }
      #expect(factors.exponents(of: "fc8") == nil)
      #expect(factors.exponents(of: "conv5_2")?.count == 6)
      // What is declared is enough to do it again.
      let again = try model.applying(.equalize(factors))
      for (one, other) in zip(again.tensors, equalized.tensors) {
        #expect(try one.values.array() == other.values.array())
      }
      let pictures = try Self.pictures(2)
      let (before, after) = (
        try Self.logits(model, kind, pictures), try Self.logits(equalized, kind, pictures)
      )
      #expect(before == after && before.contains { $0 != 0 })
      #expect(Set(before).count > 10)
    }
  }

  @Test func rangesBecomeSimilar() throws {
    let model = try Self.model(Self.network(.d, pooling: .maximum))
    let equalized = try model.applying(.equalize(nil))
    var differing = 0
    // Behind pool5 a channel belongs to all its places in the flattened map, the rows of fc6.
    for (first, second) in [
      ("conv1_1", "conv1_2"), ("conv2_2", "conv3_1"), ("conv5_3", "fc6"), ("fc7", "fc8"),
    ] {
      for (index, candidate) in [model, equalized].enumerated() {
        let (one, two) = (
          try #require(candidate.tensor("\(first)/weight")),
          try #require(candidate.tensor("\(second)/weight"))
        )
        let channels = one.shape[one.shape.count - 1]
        let outputs = two.shape[two.shape.count - 1]
        var (ranges, next) = ([Float](repeating: 0, count: channels), [Float](repeating: 0, count: channels))
        for (place, value) in try one.values.array().enumerated() {
          ranges[place % channels] = max(ranges[place % channels], value.magnitude)
        }
        for (place, value) in try two.values.array().enumerated() {
          next[place / outputs % channels] = max(next[place / outputs % channels], value.magnitude)
        }
        let ratios = zip(ranges, next).map { max($0 / $1, $1 / $0) }
        if index == 0 {
          differing += ratios.count { $0 > 2 }
        } else {
          #expect(ratios.allSatisfy { $0 <= 2 }, "\(first): \(ratios)")
        }
      }
    }
    #expect(differing > 5)
    // There is nothing left to do.
    #expect(try CrossLayerEqualization(of: equalized).factors.layers.isEmpty)
  }

  /// What it is for: channels that differ by orders of magnitude, and one scale for all of them.
  @Test(arguments: [UInt64(1), 2, 3]) func itHelpsWhereChannelsDiffer(_ seed: UInt64) throws {
    let plain = try Self.model(Self.network(.d, pooling: .maximum), seed: seed)
    var generator = SeededGenerator(seed: seed)
    // Factors that equalisation should take back.
    let factors = plain.network.channelPairs.map { pair in
      ChannelEqualization.Layer(
        pair.first, exponents: (0..<pair.channelCount).map { _ in Int.random(in: -6...6, using: &generator) })
    }
    let model = try plain.applying(.equalize(ChannelEqualization(factors)))
    let pictures = try Self.pictures(2)
    let rounding = Pass.quantize(.init(.int8, int8Scales: .tensor))
    func distance(_ passes: [Pass]) throws -> Double {
      let (seen, right) = (
        try Self.logits(model.applying(passes), .reference, pictures).map(Double.init),
        try Self.logits(model, .reference, pictures).map(Double.init)
      )
      func product(_ one: [Double], _ other: [Double]) -> Double {
        zip(one, other).reduce(0) { $0 + $1.0 * $1.1 }
      }
      return 1 - product(seen, right) / (product(seen, seen) * product(right, right)).squareRoot()
    }
    let (without, with) = (try distance([rounding]), try distance([.equalize(nil), rounding]))
    #expect(with < without / 10, "\(with) against \(without)")
  }

  @Test func channelsOfZerosStay() throws {
    let model = try Self.model(Self.network(.a, pooling: .maximum)).mappingTensors { tensor in
      guard tensor.name == "conv3_1/weight" else { return tensor }
      let values = try tensor.values.array().enumerated().map { $0.offset % 4 == 1 ? 0 : $0.element }
      return tensor.replacing(values: MemoryValues(values))
    }
    let equalization = try CrossLayerEqualization(of: model)
    #expect(try #require(equalization.factors.exponents(of: "conv3_2")).contains { $0 != 0 })
    #expect(equalization.factors.exponents(of: "conv3_1")?[1] ?? 0 == 0)
  }

  @Test func biasesTakeOffWhatRoundingAdds() throws {
    let model = try Self.model(Self.network(.a, pooling: .maximum))
    let pictures = try Self.pictures(6)
    let calibration = try Calibration(of: model, on: PictureBatches([pictures]))
    // Rounded down, so that the error has a mean.
    let rounded = try model.mappingTensors { tensor in
      guard tensor.name == "fc8/weight" else { return tensor }
      return tensor.replacing(
        values: MemoryValues(try tensor.values.array().map { ($0 * 8).rounded(.down) / 8 }))
    }
    let correction = try BiasCorrection(of: rounded, from: model, by: calibration)
    #expect(Array(correction.corrections.keys) == ["fc8"])
    #expect(correction.means.layers.map(\.name) == ["fc8"])
    #expect(correction.means.layers.first?.means == calibration.layer("fc7")?.channelMeans)
    let corrected = try correction.apply(to: rounded, in: PassContext())
    func means(_ model: Model) throws -> [Double] {
      let logits = try Self.logits(model, .reference, pictures)
      return (0..<10).map { output in
        (0..<6).reduce(0) { $0 + Double(logits[$1 * 10 + output]) } / 6
      }
    }
    let (right, wrong, mended) = (try means(model), try means(rounded), try means(corrected))
    for output in 0..<10 {
      let gained = (wrong[output] - right[output]).magnitude
      #expect(gained > 1e-3 && (mended[output] - right[output]).magnitude < gained * 1e-3)
    }
    #expect(
      try corrected.tensor("fc7/bias")?.values.array() == model.tensor("fc7/bias")?.values.array())
    #expect(try BiasCorrection(of: model, from: model, by: calibration).corrections.isEmpty)
  }

  /// The passes as a command asks for them: each declares what it found, and the same comes of it once more.
  @Test(arguments: [Precision.fp16, .int8, .int4])
  func passesFindWhatTheyDeclare(_ precision: Precision) throws {
    let model = try Self.model(Self.network(.d, pooling: .average))
    let context = PassContext(calibration: PictureBatches([try Self.pictures(3)]))
    let passes: [Pass] = [.equalize(nil), .quantize(to: precision), .correctBiases(nil)]
    let result = try model.applying(passes, in: context)
    let declared = result.provenance.passes
    guard declared.count == 3, case .equalize(.some) = declared[0],
      case .correctBiases(let means?) = declared[2]
    else {
      Issue.record("\(declared)")
      return
    }
    #expect(means.roundingPassCount == 1 && means.layers.last?.name == "fc8")
    // Without pictures now.
    let again = try model.applying(declared)
    #expect(again.provenance == result.provenance)
    for (one, other) in zip(again.tensors, result.tensors) {
      #expect(try one.values.array() == other.values.array() && one.elementType == other.elementType)
    }
    #expect(result.tensor("fc8/bias")?.elementType == .real(.float32))
  }

  /// Means are those of the equalised model before rounding, and do not depend on the source's order of axes.
  @Test func correctionsAreOfTheEqualisedModel() throws {
    let model = try Self.model(Self.network(.a, pooling: .maximum))
    let pictures = PictureBatches([try Self.pictures(2)])
    let result = try model.applying(
      [.equalize(nil), .quantize(to: .int8), .correctBiases(nil)], in: PassContext(calibration: pictures))
    guard case .correctBiases(let means?)? = result.provenance.passes.last else {
      Issue.record("no means")
      return
    }
    let equalized = try model.applying(.equalize(nil))
    let calibration = try Calibration(of: equalized, on: pictures)
    for layer in means.layers {
      let index = try #require(model.network.layers.firstIndex { $0.name == layer.name })
      #expect(layer.means == calibration.layers[index].channelMeans)
    }
  }

  @Test(arguments: [
    (["int8", "equalize"], "equalize.codes"), (["correct"], "bias.unrounded"),
    (["fp32", "correct"], "bias.exact"), (["integers", "equalize"], "equalize.codes"),
    (["integers", "correct"], "bias.integers"), (["equalize", "drop"], "prune.equalized"),
    (["other"], "equalize.factors"),
  ])
  func whatMakesNoSenseIsRefused(_ names: [String], _ code: String) throws {
    let model = try Self.model(Self.network(.a, pooling: .maximum))
    let context = PassContext(calibration: PictureBatches([try Self.pictures(2)]))
    let known: [String: [Pass]] = [
      "int8": [.quantize(to: .int8)], "fp32": [.quantize(to: .fp32)], "equalize": [.equalize(nil)],
      "correct": [.correctBiases(nil)], "drop": [.dropDense],
      "integers": [.quantize(to: .int8), .quantizeActivations(ActivationSettings(rangeRule: .minMax))],
      "other": [.equalize(ChannelEqualization([.init("conv1_1", exponents: [1, 2, 3])]))],
    ]
    let error = try #require(throws: FileError.self) {
      try model.applying(names.flatMap { known[$0] ?? [] }, in: context)
    }
    #expect(error.kind == .unsupported && error.code == code)
  }

  /// The dense layers may go first.
  @Test func featuresAreEqualisedByThemselves() throws {
    let model = try Self.model(Self.network(.a, pooling: .maximum)).applying([.dropDense, .equalize(nil)])
    guard case .equalize(let factors?)? = model.provenance.passes.last else {
      Issue.record("no factors")
      return
    }
    #expect(factors.exponents(of: "conv5_1") != nil && factors.exponents(of: "conv5_2") == nil)
  }

  @Test func otherNetworksAreRefused() throws {
    let model = try Self.model(Self.network(.a, pooling: .maximum))
    let other = try Self.model(Self.network(.d, pooling: .maximum))
    let calibration = try Calibration(of: model, on: PictureBatches([Self.pictures(1)]))
    let error = try #require(throws: FileError.self) {
      try BiasCorrection(of: other, from: model, by: calibration)
    }
    #expect(error.code == "bias.network")
  }
}
