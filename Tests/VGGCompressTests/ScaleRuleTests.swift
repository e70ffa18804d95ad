import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGModel
import VGGTensors

/// Scales, zero points and codes that follow from weights by the rules of `schemas/FORMAT.md`, section 5.1.
@Suite struct ScaleRuleTests {
  typealias Settings = QuantizationSettings

  private static let rules: [Settings.ScaleRule] = [
    .largestMagnitude, .leastSquaredError, .percentile(99), .percentile(60),
  ]

  /// The model with other values of one tensor.
  private func model(_ name: String, _ value: @escaping (Int) -> Float) throws -> Model {
    try CompressTests.model().mappingTensors { tensor in
      tensor.name == name ? tensor.replacing(values: MemoryValues((0..<tensor.count).map(value))) : tensor
    }
  }

  private func quantization(_ model: Model, _ name: String) throws -> Quantization {
    try #require(model.tensor(name)?.quantization)
  }

  /// The sum of the squared differences between a tensor's values before and after.
  private func error(_ before: Model, _ after: Model, _ name: String) throws -> Double {
    try TensorDistortion(from: #require(before.tensor(name)), to: #require(after.tensor(name))).errorEnergy
  }

  @Test func int4IsForDenseLayersUnlessMoreIsAskedFor() throws {
    let model = try CompressTests.model()
    for (settings, convolution) in [
      (Settings(.int4), CodeType.int8), (Settings(.int4, includesConvolutions: true), .int4),
    ] {
      let small = try model.applying(.quantize(settings))
      for tensor in small.tensors where tensor.role == .weight {
        let quantization = try #require(tensor.quantization)
        let isInt4 = tensor.layout == .inOut || convolution == .int4
        #expect(quantization.type == (isInt4 ? .int4 : .int8), "\(tensor.name)")
        #expect(quantization.grouping == (isInt4 ? .inputGroups(length: 64) : .outputChannel))
        #expect(quantization.zeroPoints.isEmpty)
      }
    }
  }

  @Test(arguments: [Settings.GroupLength.of32, .of64, .of128])
  func groupsAreRowsOfTheInput(_ length: Settings.GroupLength) throws {
    // 40 inputs: one group, or one and a rest.
    let small = try CompressTests.model().applying(
      .quantize(Settings(.int4, scaleRule: .largestMagnitude, groupLength: length)))
    let values = try CompressTests.values(CompressTests.model(), "fc7/weight")
    let scales = try quantization(small, "fc7/weight").scales
    #expect(scales.count == (length == .of32 ? 60 : 30))
    for group in 0..<scales.count / 30 {
      for channel in 0..<30 {
        let rows = group * length.rawValue..<min(40, (group + 1) * length.rawValue)
        let largest = rows.map { values[$0 * 30 + channel].magnitude }.max() ?? 0
        #expect(scales[group * 30 + channel] == largest / 7)
      }
    }
  }

  @Test(arguments: [CodeType.int8, .int4]) func theLargestMagnitudeGetsTheLargestCode(_ type: CodeType) throws
  {
    let settings = Settings(
      type == .int8 ? .int8 : .int4, scaleRule: .largestMagnitude, int8Scales: .tensor)
    let model = try CompressTests.model()
    let small = try model.applying(.quantize(settings))
    let name = type == .int8 ? "conv4_2/weight" : "fc8/weight"
    let largest = try CompressTests.values(model, name).map(\.magnitude).max() ?? 0
    let quantization = try quantization(small, name)
    #expect(quantization.scales.max() == largest / (type == .int8 ? 127 : 7))
    if type == .int8 { #expect(quantization.grouping == .tensor && quantization.scales.count == 1) }
  }

  /// Scales are of the set that the rule allows, and lose no more than the largest ones would.
  @Test(arguments: [Settings(.int8), Settings(.int8, int8Scales: .tensor), Settings(.int4)])
  func theErrorIsLeast(_ settings: Settings) throws {
    // A few values in each channel far above the others.
    let model = try CompressTests.model().mappingTensors { (tensor) throws(FileError) in
      guard tensor.role == .weight else { return tensor }
      let values = try tensor.values.array()
      return tensor.replacing(
        values: MemoryValues(values.enumerated().map { $0.offset % 23 == 0 ? $0.element : $0.element / 4 }))
    }
    var plain = settings
    plain.scaleRule = .largestMagnitude
    let (best, largest) = (
      try model.applying(.quantize(settings)), try model.applying(.quantize(plain))
    )
    var smaller = 0
    for name in ["conv3_3/weight", "fc6/weight", "fc7/weight"] {
      #expect(try error(model, best, name) <= error(model, largest, name) * 1.0001)
      for (scale, upper) in zip(
        try quantization(best, name).scales, try quantization(largest, name).scales)
      {
        let part = (scale / upper * 64).rounded()
        #expect((20...64).contains(part) && scale == upper * (part / 64))
        smaller += part < 64 ? 1 : 0
      }
    }
    // Eight bits are fine enough for so few values to reach the largest.
    #expect((smaller > 0) == (settings.precision == .int4))
  }

  @Test func percentilesCutOffWhatIsAbove() throws {
    // Magnitudes 1 to 40 in each channel of fc7, zeros apart.
    let model = try model("fc7/weight") { index in
      let row = Float(index / 30 + 1)
      return index % 30 == 5 ? (index / 30 < 20 ? 0 : row) : index % 2 == 0 ? row : -row
    }
    for (percentile, place) in [(100.0, 40), (50, 20), (51, 21), (0.1, 1), (97.5, 39)] {
      let small = try model.applying(.quantize(Settings(.int8, scaleRule: .percentile(percentile))))
      let scales = try quantization(small, "fc7/weight").scales
      #expect(scales[0] == Float(place) / 127 && scales[1] == scales[0], "\(percentile)")
      // Channel 5 has 20 values other than zero, 21 to 40.
      let own = max(1, Int((percentile * 20 / 100).rounded(.up)))
      #expect(scales[5] == Float(20 + own) / 127, "\(percentile)")
      let whole = try model.applying(
        .quantize(Settings(.int8, scaleRule: .percentile(percentile), int8Scales: .tensor)))
      let magnitudes = try CompressTests.values(model, "fc7/weight").map(\.magnitude).filter { $0 > 0 }
        .sorted()
      let rank = max(1, Int((percentile * Double(magnitudes.count) / 100).rounded(.up)))
      #expect(try quantization(whole, "fc7/weight").scales == [magnitudes[rank - 1] / 127])
    }
  }

  @Test func zeroPointsLetARangeBeOneSided() throws {
    let model = try model("fc8/weight") { Float($0 / 10 % 15 + 1) * ($0 % 10 < 5 ? 1 : -1) }
    let small = try model.applying(
      .quantize(Settings(.int4, scaleRule: .largestMagnitude, groupLength: .of32, hasZeroPoints: true)))
    let quantization = try quantization(small, "fc8/weight")
    #expect(
      quantization.scales.allSatisfy { $0 == 1 } && quantization.zeroPointCount == quantization.scaleCount)
    #expect(quantization.zeroPoints == (0..<10).map { $0 < 5 ? -8 : 7 })
    // 0 to 15 are sixteen codes.
    #expect(try error(model, small, "fc8/weight") == 0)
  }

  /// The same scales and codes, however the values lie in their source and however many threads there are.
  @Test(arguments: rules) func piecesAndThreadsDoNotMatter(_ rule: Settings.ScaleRule) throws {
    let (inputs, outputs) = (700, 150)
    var generator = SeededGenerator(seed: 3)
    let stored = (0..<inputs * outputs).map { _ in
      Float.random(in: -1...1, using: &generator) * Float.random(in: 0...1, using: &generator)
    }
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, inputs], denseWidths: [outputs])
    func model(_ values: any TensorValues) throws -> Model {
      let tensors = network.tensorRequirements.map { requirement in
        let count = requirement.shape.reduce(1, *)
        return Tensor(
          name: requirement.name, role: requirement.role, shape: requirement.shape,
          values: requirement.name == "fc8/weight" ? values : MemoryValues(Array(repeating: 1, count: count)))
      }
      return try Model(
        network: network, tensors: tensors, preprocessing: nil,
        provenance: Provenance(sourceName: "test", sourceByteCount: 0, format: "test", generation: "test"))
    }
    let turned = SourceTensor(
      name: "w", shape: [outputs, inputs], format: .float32,
      bytes: ByteRegion(copying: stored.withUnsafeBytes { Array($0) }), layout: .outIn
    ).canonicalValues
    let models = try [model(turned), model(MemoryValues(turned.array()))]
    for settings in [
      Settings(.int8, scaleRule: rule), Settings(.int8, scaleRule: rule, int8Scales: .tensor),
      Settings(.int4, scaleRule: rule),
      Settings(.int4, scaleRule: rule, groupLength: .of32, hasZeroPoints: true),
    ] {
      let results = try models.flatMap { model in
        try [1, 3].map { count in
          try Workers.$current.withValue(Workers(count: count)) {
            try #require(model.applying(.quantize(settings)).tensor("fc8/weight"))
          }
        }
      }
      if settings.int8Scales == .tensor, rule == .leastSquaredError {
        // Of so many values it pays to cut off the largest.
        let largest = stored.map(\.magnitude).max() ?? 0
        #expect(try #require(results[0].quantization).scales[0] < largest / 127)
      }
      for result in results.dropFirst() {
        #expect(result.quantization == results[0].quantization)
        #expect(try result.values.array() == results[0].values.array())
      }
    }
  }

  @Test(arguments: rules, [false, true])
  func zerosAndTinyValuesHaveAScale(_ rule: Settings.ScaleRule, _ hasZeroPoints: Bool) throws {
    for value in [0, -0.0, Float.leastNonzeroMagnitude, 0x1p-126, -0x1.8p-125] {
      let model = try model("fc7/weight") { _ in value }
      for settings in [
        Settings(.int8, scaleRule: rule), Settings(.int8, scaleRule: rule, int8Scales: .tensor),
        Settings(.int4, scaleRule: rule, hasZeroPoints: hasZeroPoints),
      ] {
        let small = try model.applying(.quantize(settings))
        let scales = try quantization(small, "fc7/weight").scales
        #expect(scales.allSatisfy { $0 >= .leastNormalMagnitude && $0.isFinite })
        #expect(try CompressTests.values(small, "fc7/weight").allSatisfy { $0.magnitude <= value.magnitude })
      }
    }
  }

  @Test(arguments: rules, [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteIsRefused(_ rule: Settings.ScaleRule, _ value: Float) throws {
    let model = try model("fc7/weight") { $0 == 30 * 17 + 4 ? value : 1 }
    for settings in [
      Settings(.int8, scaleRule: rule), Settings(.int8, scaleRule: rule, int8Scales: .tensor),
      Settings(.int4, scaleRule: rule), Settings(.int4, scaleRule: rule, hasZeroPoints: true),
    ] {
      let error = #expect(throws: FileError.self) { try model.applying(.quantize(settings)) }
      #expect(error?.code == "quantize.nonfinite" && error?.seen == (value.isNaN ? "nan" : "inf"))
      let place = settings.int8Scales == .tensor ? "tensor fc7/weight" : "tensor fc7/weight, output channel 4"
      #expect(error?.place == place)
    }
  }

  @Test func theLargestFiniteValuesAreCovered() throws {
    let most = Float.greatestFiniteMagnitude
    let model = try model("fc7/weight") { $0 % 2 == 0 ? most : -most }
    for rule in Self.rules {
      let small = try model.applying(
        .quantize(Settings(.int4, scaleRule: rule, groupLength: .of32, hasZeroPoints: true)))
      #expect(try quantization(small, "fc7/weight").scales.allSatisfy(\.isFinite))
    }
  }
}
