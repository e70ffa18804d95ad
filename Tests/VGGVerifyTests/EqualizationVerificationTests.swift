import Testing
import VGGBytes
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGVerify

/// Equalised models and corrected biases: what the passes make of the source is found to be so, and nothing else is.
@Suite struct EqualizationVerificationTests {
  /// A source, and a model that passes made of it.
  struct Case {
    let source: Model
    let model: Model
    let pictures: FeatureMap

    init(_ architecture: Architecture, _ passes: [Pass], seed: UInt64 = 5) throws {
      let sample = try Sample(architecture, seed: seed, side: 40)
      // Channels of very different ranges, so that there is something to equalise.
      let sources = try sample.source()
      source = try sources.mappingTensors { tensor in
        let outputs = tensor.shape[tensor.shape.count - 1]
        let values = try tensor.values.array().enumerated().map { index, value in
          value * [1, 0.02, 7, 0.3, 1.7][index % outputs % 5]
        }
        return Tensor(name: tensor.name, role: tensor.role, shape: tensor.shape, values: MemoryValues(values))
      }
      pictures = try sample.inputs()
      model = try source.applying(passes, in: PassContext(calibration: PictureBatches([pictures])))
    }

    func verification(
      of model: Model? = nil, depth: Verification.Depth = .layers, calibration: FeatureMap? = nil
    ) throws -> Verification {
      try Verification(
        of: model ?? self.model, against: source, inputs: [pictures],
        calibration: calibration.map { PictureBatches([$0]) } ?? .none, depth: depth)
    }

    /// The model with other values of a tensor of numbers.
    func changing(_ name: String, _ change: (inout [Float]) -> Void) throws -> Model {
      try model.mappingTensors { tensor in
        guard tensor.name == name, case .real(let values, let type) = tensor.content else { return tensor }
        var changed = try values.array()
        change(&changed)
        return tensor.replacing(.real(MemoryValues(changed), as: type))
      }
    }

    /// The model that says something else of a pass.
    func declaring(_ index: Int, _ pass: Pass) -> Model {
      var model = model
      model.provenance.passes[index] = pass
      return model
    }

    func factors(_ index: Int = 0) throws -> [ChannelEqualization.Layer] {
      guard case .equalize(let factors?) = model.provenance.passes[index] else { return [] }
      return factors.layers
    }

    func means(_ index: Int) throws -> InputMeans {
      guard case .correctBiases(let means?) = model.provenance.passes[index] else {
        return InputMeans([], roundingPassCount: 0)
      }
      return means
    }
  }

  static let corrected: [Pass] = [.equalize(nil), .quantize(to: .int8), .correctBiases(nil)]
  static let integers = corrected + [.quantizeActivations(ActivationSettings(rangeRule: .minMax))]

  @Test(arguments: [Architecture.a, .aLRN, .c, .d])
  func whatIsMadeOfTheSourceIsFaithful(_ architecture: Architecture) throws {
    let lists: [[Pass]] = [
      [.equalize(nil)], Self.corrected, Self.integers,
      [.prune(fraction: 0.3), .equalize(nil), .quantize(to: .int4), .correctBiases(nil)],
      [
        .equalize(nil), .quantize(.init(.int8, int8Scales: .tensor)), .correctBiases(nil),
        .prune(fraction: 0.1),
      ],
      [.quantize(to: .fp16), .equalize(nil), .quantize(to: .bf16), .correctBiases(nil)],
    ]
    for passes in lists {
      let sample = try Case(architecture, passes)
      let verification = try sample.verification()
      #expect(verification.faults.isEmpty, "\(passes): \(verification.faults)")
      #expect(verification.layers.allSatisfy(\.passes) && !verification.layers.isEmpty)
      #expect(verification.verdict != .exact && verification.judgesCloseness)
      // The same with the pictures: they say what is declared.
      let again = try sample.verification(depth: .weights, calibration: sample.pictures)
      #expect(again.faults.isEmpty && again.isRecalibrated, "\(passes): \(again.faults)")
    }
  }

  /// The function is the source's, bit for bit, and each layer is in units of its own.
  @Test func equalisedFloatsAreTheSourcesFunction() throws {
    let sample = try Case(.d, [.equalize(nil)])
    let verification = try sample.verification()
    #expect(verification.verdict == .equivalent && verification.closeness.outputDistance == 0)
    #expect(verification.layers.allSatisfy { $0.accumulated.largestError == 0 })
    #expect(verification.weights.contains { $0.requirement == .computed && !$0.isUnchanged })
  }

  @Test(arguments: [
    "first", "second", "bias", "bit", "exponent", "limit", "normalisation", "none", "undeclared",
  ])
  func wrongFactorsAreFound(_ fault: String) throws {
    let sample = try Case(fault == "normalisation" ? .aLRN : .d, [.equalize(nil)])
    var factors = try sample.factors()
    var model = sample.model
    // Of fc6, which reads a flattened map.
    let place = try #require(factors.firstIndex { $0.name == "conv5_2" || $0.name == "conv5_3" })
    let channels = factors[place].exponents.count
    func changed(_ change: (inout [Int]) -> Void) -> Model {
      var exponents = factors[place].exponents
      change(&exponents)
      factors[place] = .init(factors[place].name, exponents: exponents)
      return sample.declaring(0, .equalize(ChannelEqualization(factors)))
    }
    switch fault {
    case "first":  // a factor in only one of the two layers
      model = try sample.changing("\(factors[place].name)/weight") { values in
        for index in values.indices where index % channels == 1 { values[index] *= 2 }
      }
    case "second":
      model = try sample.changing("fc6/weight") { values in
        for index in values.indices where index / 12 % channels == 1 { values[index] *= 0.5 }
      }
    case "bias": model = try sample.changing("\(factors[place].name)/bias") { $0[1] *= 2 }
    case "bit":
      model = try sample.changing("conv2_1/bias") { $0[0] = Float(bitPattern: $0[0].bitPattern ^ 1) }
    case "exponent": model = changed { $0[1] += 1 }
    case "limit": model = changed { $0[1] = 25 }
    case "normalisation":
      factors.insert(.init("conv1_1", exponents: [1, 0, 0, 0]), at: 0)
      model = sample.declaring(0, .equalize(ChannelEqualization(factors)))
      // As a program that knew no better would have written it.
      model = try model.mappingTensors { tensor in
        let scale: (Int) -> Float
        switch tensor.name {
        case "conv1_1/weight", "conv1_1/bias": scale = { $0 % 4 == 0 ? 0.5 : 1 }
        case "conv2_1/weight": scale = { $0 / 5 % 4 == 0 ? 2 : 1 }
        default: return tensor
        }
        return tensor.replacing(
          values: MemoryValues(try tensor.values.array().enumerated().map { $1 * scale($0) }))
      }
    case "none": model = sample.declaring(0, .equalize(nil))
    default: model.provenance.passes = []
    }
    for depth in [Verification.Depth.layers, .outputs, .weights] {
      #expect(try sample.verification(of: model, depth: depth).verdict == .different, "\(fault) \(depth)")
    }
  }

  @Test(arguments: ["bias", "mean", "means", "layer", "count", "no pass"], [false, true])
  func wrongCorrectionsAreFound(_ fault: String, _ isInteger: Bool) throws {
    let sample = try Case(.a, isInteger ? Self.integers : Self.corrected)
    let means = try sample.means(2)
    var model = sample.model
    func declaring(_ layers: [InputMeans.Layer], _ count: Int = 1) -> Model {
      sample.declaring(2, .correctBiases(InputMeans(layers, roundingPassCount: count)))
    }
    func changing(_ name: String, _ change: (inout [Double]) -> Void) -> [InputMeans.Layer] {
      means.layers.map { layer in
        guard layer.name == name else { return layer }
        var changed = layer.means
        change(&changed)
        return .init(name, means: changed)
      }
    }
    switch fault {
    case "bias":
      model = try sample.changing("conv2_1/bias") { $0[1] = Float(bitPattern: $0[1].bitPattern ^ 1) }
      if isInteger {
        model = sample.model.mappingTensors { tensor in
          guard tensor.name == "conv2_1/bias", case .bias(let bias) = tensor.content else { return tensor }
          var codes = bias.codes
          codes[1] ^= 1
          return tensor.replacing(.bias(BiasCodes(codes, scales: bias.scales)))
        }
      }
    case "mean": model = declaring(changing("conv2_1") { $0[0] += 0.5 + $0[0].magnitude })
    case "means": model = declaring(changing("fc6") { $0.removeLast() })
    case "layer": model = declaring(means.layers.dropLast())
    case "count": model = declaring(means.layers, 2)
    default: model.provenance.passes.remove(at: 2)
    }
    for depth in [Verification.Depth.layers, .outputs, .weights] {
      let verification = try sample.verification(of: model, depth: depth)
      #expect(verification.verdict == .different, "\(fault) \(depth): \(verification.verdict)")
    }
  }

  /// A model whose means are forged, and its biases to match: it is what it says, so that only the pictures tell.
  @Test func forgedMeansAreFoundWithThePictures() throws {
    let sample = try Case(.a, Self.corrected)
    let means = try sample.means(2)
    let forged = InputMeans(
      means.layers.map { .init($0.name, means: $0.means.map { $0 * 1.25 }) }, roundingPassCount: 1)
    let model = try sample.source.applying(
      [sample.model.provenance.passes[0], sample.model.provenance.passes[1], .correctBiases(forged)])
    #expect(try sample.verification(of: model, depth: .weights).faults.isEmpty)
    let verification = try sample.verification(of: model, depth: .weights, calibration: sample.pictures)
    #expect(verification.verdict == .different)
    #expect(
      verification.faults.contains { $0.contains("are not those of the pictures") }, "\(verification.faults)")
    // The last bit of one of them counts.
    var layers = means.layers
    layers[1] = .init(
      layers[1].name, means: layers[1].means.enumerated().map { $0 == 2 ? $1.nextUp : $1 })
    let nearly = sample.declaring(2, .correctBiases(InputMeans(layers, roundingPassCount: 1)))
    #expect(
      try sample.verification(of: nearly, depth: .weights, calibration: sample.pictures).verdict == .different
    )
  }

  @Test func withoutCalibrationNothingIsLost() throws {
    // Against the model in between.
    let sample = try Case(.a, [.equalize(nil)])
    let rounded = try sample.model.applying(
      [.quantize(to: .int8), .correctBiases(nil)],
      in: PassContext(calibration: PictureBatches([sample.pictures])))
    let verification = try Verification(of: rounded, against: sample.model, inputs: [sample.pictures])
    #expect(verification.faults.isEmpty && verification.passes.count == 2, "\(verification.faults)")
    #expect(try sample.verification(of: rounded).faults.isEmpty)
  }

  /// Recorded activations are in the source's units.
  @Test(arguments: [[Pass.equalize(nil)], corrected]) func recordingsJudgeEqualisedModels(_ passes: [Pass])
    throws
  {
    let sample = try Case(.d, passes)
    func array(_ name: String, _ map: FeatureMap) -> RecordedActivations.Array {
      let (extent, channels) = (map.shape.extent, map.shape.channels)
      let isVector = name.hasPrefix("fc") || name == "prob"
      return .init(
        name: name,
        shape: isVector ? [map.count, channels] : [map.count, extent.height, extent.width, channels],
        values: map.values)
    }
    var arrays = [array("input", sample.pictures)]
    _ = try EngineOptions(kind: .reference).engine(for: sample.source).run(sample.pictures) { layer, map in
      arrays.append(array(layer.name, map))
    }
    let recording = try RecordedActivations(arrays, of: sample.source.network, file: "recording")
    let verification = try Verification(
      of: sample.model, against: sample.source, inputs: [sample.pictures], recording: recording)
    #expect(
      verification.faults.isEmpty && verification.recorded.count == arrays.count - 1, "\(verification.faults)"
    )
    #expect(verification.recorded.contains { $0.error.comparedCount > 0 })
  }
}
