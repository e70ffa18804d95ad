import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGVerify

/// Ranges that are found again with the pictures of the calibration: by a second statement of the rules.
@Suite struct RecalibrationTests {
  static let rules: [ActivationRangeRule] = [
    .minMax, .standardPercentile, .percentile(97), .meanSquaredError, .entropy,
  ]

  /// Values of several kinds, in a map of so many channels.
  private static func map(_ kind: String, seed: UInt64, channels: Int) throws -> FeatureMap {
    var generator = SeededGenerator(seed: seed)
    let shape = FeatureShape(extent: Extent(height: 61, width: 47), channels: channels)
    let values = (0..<2 * shape.count).map { index -> Float in
      let uniform = Float.random(in: -1...1, using: &generator)
      switch kind {
      case "relu": return max(0, uniform * 3)
      case "heavy": return uniform * uniform * uniform * uniform * uniform * 900 - 2
      case "tiny": return uniform * 0x1p-100
      case "wide": return Float(sign: .plus, exponent: index % 90 - 80, significand: 1 + uniform.magnitude)
      case "subnormal": return index % 3 == 0 ? uniform * 0x1p-130 : uniform * 0x1p-110
      case "zero": return index % 2 == 0 ? 0 : -0.0
      default: return -uniform.magnitude
      }
    }
    return try FeatureMap(count: 2, shape: shape, values: values)
  }

  /// Both statements of the rules agree, to the last bit.
  @Test(arguments: ["relu", "heavy", "tiny", "wide", "subnormal", "zero", "negative"], [1, 5, 130])
  func rangesAndMeansAreThoseOfTheCalibration(_ kind: String, _ channels: Int) throws {
    var histogram = ActivationHistogram()
    var recounted = RecountedActivations(channelCount: channels)
    for seed in [1, 2, 3] as [UInt64] {
      let map = try Self.map(kind, seed: seed, channels: channels)
      let counted = try #require(map.withValues { ActivationHistogram($0) })
      histogram.add(counted)
      let isFinite = recounted.add(map)
      #expect(isFinite)
    }
    #expect(histogram.count == recounted.count && histogram.zeroCount == recounted.zeroCount)
    for rule in Self.rules {
      let (expected, seen) = (histogram.range(by: rule), DeclaredRange(of: recounted, by: rule))
      #expect(expected.low == seen.low && expected.high == seen.high, "\(kind) \(rule)")
      #expect(ActivationQuantization(covering: expected) == seen.codes, "\(kind) \(rule)")
    }
  }

  struct Case {
    let source: Model
    let model: Model
    let pictures: FeatureMap

    init(_ architecture: Architecture, _ settings: ActivationSettings, scale: Float = 1) throws {
      let sample = try Sample(architecture, seed: 5, side: 40)
      (source, pictures) = (try sample.source(), try sample.inputs())
      let calibration = try FeatureMap(
        count: pictures.count, shape: pictures.shape, values: pictures.values.map { $0 * scale })
      model = try source.applying(
        [.quantize(to: .int8), .quantizeActivations(settings)],
        in: PassContext(calibration: PictureBatches([calibration])))
    }

    func verification(_ options: EngineOptions = EngineOptions()) throws -> Verification {
      try Verification(
        of: model, against: source, inputs: [pictures], calibration: PictureBatches([pictures]),
        depth: .weights,
        options: options)
    }
  }

  @Test(arguments: rules, [Architecture.aLRN, .d])
  func theSamePicturesGiveTheSameRanges(_ rule: ActivationRangeRule, _ architecture: Architecture) throws {
    let verification = try Case(architecture, ActivationSettings(rangeRule: rule)).verification()
    #expect(verification.faults.isEmpty && verification.isRecalibrated, "\(verification.faults)")
  }

  /// Ranges that are not those of the pictures: only these tell, for the model is made as it says.
  @Test(arguments: [0.97, 2] as [Float]) func rangesOfOtherPicturesAreFound(_ scale: Float) throws {
    let sample = try Case(.a, ActivationSettings(rangeRule: .minMax), scale: scale)
    let believed = try Verification(
      of: sample.model, against: sample.source, inputs: [sample.pictures], depth: .weights)
    #expect(believed.faults.isEmpty && !believed.isRecalibrated)
    let verification = try sample.verification()
    #expect(verification.verdict == .different)
    #expect(verification.faults.contains { $0.contains("but must have") }, "\(verification.faults)")
  }

  /// A range that another rule gives than the declared one.
  @Test func rangesOfAnotherRuleAreFound() throws {
    var sample = try Case(.a, ActivationSettings(rangeRule: .percentile(95)))
    #expect(try sample.verification().faults.isEmpty)
    var model = sample.model
    model.provenance.passes[1] = .quantizeActivations(ActivationSettings(rangeRule: .minMax))
    sample = sample.judging(model)
    #expect(try sample.verification().verdict == .different)
  }

  /// One forged scale, and biases in its units: by one unit in the last place.
  @Test(arguments: ["conv2_1", "fc7", "input"]) func aForgedScaleIsFound(_ name: String) throws {
    let sample = try Case(.a, ActivationSettings(rangeRule: .minMax))
    var arithmetic = try #require(sample.model.integerArithmetic)
    let layers = sample.model.network.layers
    let place = layers.firstIndex { $0.name == name }
    if let place {
      arithmetic.outputs[place].scale = arithmetic.outputs[place].scale.nextUp
      if case .pooling = layers[place + 1].operation {
        arithmetic.outputs[place + 1] = arithmetic.outputs[place]
      }
    } else {
      arithmetic.input.zeroPoint += 1
    }
    var tensors = sample.model.tensors
    for (index, layer) in layers.enumerated() {
      guard let bias = tensors.firstIndex(where: { $0.name == layer.biasName }),
        case .bias(let codes) = tensors[bias].content,
        let weight = sample.model.tensor(layer.weightName)?.quantization
      else { continue }
      let original = try #require(sample.source.tensor(layer.biasName)).values.array()
      let units = codes.codes.indices.map { arithmetic.input(ofLayer: index).scale * weight.scales[$0] }
      let counted = zip(original, units).map { Int32((Double($0) / Double($1)).rounded(.toNearestOrEven)) }
      tensors[bias] = tensors[bias].replacing(.bias(BiasCodes(counted, scales: units)))
    }
    let forged = sample.judging(
      try Model(
        network: sample.model.network, tensors: tensors, preprocessing: sample.model.preprocessing,
        integerArithmetic: arithmetic, provenance: sample.model.provenance))
    let believed = try Verification(
      of: forged.model, against: forged.source, inputs: [forged.pictures], depth: .weights)
    #expect(believed.faults.isEmpty, "\(believed.faults)")
    #expect(try forged.verification().verdict == .different)
  }

  @Test func picturesThatGiveNothingAreRefused() throws {
    let sample = try Case(.a, ActivationSettings(rangeRule: .minMax))
    let bad = try FeatureMap(
      count: 1, shape: sample.pictures.shape,
      values: [Float](repeating: .nan, count: sample.pictures.shape.count))
    #expect(throws: VerificationError.self) {
      try Verification(
        of: sample.model, against: sample.source, inputs: [sample.pictures],
        calibration: PictureBatches([bad]))
    }
  }
}

extension RecalibrationTests.Case {
  fileprivate func judging(_ model: Model) -> Self { Self(source: source, model: model, pictures: pictures) }

  private init(source: Model, model: Model, pictures: FeatureMap) {
    (self.source, self.model, self.pictures) = (source, model, pictures)
  }
}
