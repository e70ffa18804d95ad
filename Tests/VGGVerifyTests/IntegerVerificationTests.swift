import Testing
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGVerify

/// Models that compute in integers: what is made of the source is found to be so, and nothing else is.
@Suite struct IntegerVerificationTests {
  private struct Case {
    let source: Model
    let model: Model
    let pictures: FeatureMap

    init(
      _ architecture: Architecture, _ settings: ActivationSettings = ActivationSettings(rangeRule: .minMax)
    ) throws {
      let sample = try Sample(architecture, seed: 5, side: 40)
      (source, pictures) = (try sample.source(), try sample.inputs())
      let int8 = try sample.native().applying(.quantize(to: .int8))
      model = try int8.applying(
        .quantizeActivations(settings), in: PassContext(calibration: PictureBatches([pictures])))
    }

    func verification(of model: Model, depth: Verification.Depth = .layers) throws -> Verification {
      try Verification(of: model, against: source, inputs: [pictures], depth: depth)
    }

    /// The model with other codes of a tensor's.
    func changing(_ name: String, _ change: (Tensor.Content) throws -> Tensor.Content) rethrows -> Model {
      try model.mappingTensors { tensor in
        tensor.name == name ? tensor.replacing(try change(tensor.content), storage: tensor.storage) : tensor
      }
    }

    /// The model with another arithmetic, biases in its units.
    func computing(_ change: (inout IntegerArithmetic) -> Void) throws -> Model {
      var arithmetic = try #require(model.integerArithmetic)
      change(&arithmetic)
      var tensors = model.tensors
      for (index, layer) in model.network.layers.enumerated() {
        guard let bias = tensors.firstIndex(where: { $0.name == layer.biasName }),
          case .bias(let codes) = tensors[bias].content,
          let scales = model.tensor(layer.weightName)?.quantization?.scales
        else { continue }
        let input = arithmetic.input(ofLayer: index).scale
        let units = codes.codes.indices.map { input * scales[$0] }
        tensors[bias] = tensors[bias].replacing(.bias(BiasCodes(codes.codes, scales: units)))
      }
      return try Model(
        network: model.network, tensors: tensors, preprocessing: model.preprocessing, labels: model.labels,
        integerArithmetic: arithmetic, provenance: model.provenance)
    }
  }

  @Test(arguments: [Architecture.a, .aLRN, .c], IntegerArithmetic.Rounding.allCases)
  func whatIsMadeOfTheSourceIsFaithful(
    _ architecture: Architecture, _ rounding: IntegerArithmetic.Rounding
  ) throws {
    let sample = try Case(architecture, ActivationSettings(rounding: rounding, rangeRule: .minMax))
    let verification = try sample.verification(of: sample.model)
    #expect(verification.faults.isEmpty, "\(verification.faults)")
    #expect(verification.computesInIntegers && verification.layers.count == sample.model.network.layers.count)
    #expect(verification.judgesCloseness)
  }

  /// A bias that is less than half a unit has the code 0, whatever its sign, and that stands for +0.
  @Test func biasesOfNoUnitsAreZero() throws {
    let sample = try Sample(.a, seed: 5, side: 40)
    let source = try sample.native { name, values in
      if name == "conv2_1/bias" { (values[0], values[1], values[2]) = (-1e-12, 1e-12, -0.0) }
    }
    let pictures = try sample.inputs()
    let context = PassContext(calibration: PictureBatches([pictures]))
    let model = try source.applying(.quantize(to: .int8)).applying(
      .quantizeActivations(ActivationSettings(rangeRule: .minMax)), in: context)
    let bias = try #require(model.tensor("conv2_1/bias"))
    #expect(try bias.values.array().prefix(3).map(\.bitPattern) == [0, 0, 0])
    let verification = try Verification(of: model, against: source, inputs: [pictures])
    #expect(verification.faults.isEmpty, "\(verification.faults)")
  }

  @Test(arguments: ["bias", "large bias", "weight", "scale", "unit", "rounding", "no pass", "input"])
  func nothingElseIs(_ fault: String) throws {
    let sample = try Case(.a)
    var model = sample.model
    switch fault {
    case "bias", "large bias":
      // The lowest bit of a code that float32 cannot tell from its neighbour counts as well.
      model = sample.changing("conv2_1/bias") { content in
        guard case .bias(let bias) = content else { return content }
        var codes = bias.codes
        codes[1] = fault == "bias" ? codes[1] ^ 1 : codes[1] &+ 1 << 26
        return .bias(BiasCodes(codes, scales: bias.scales))
      }
    case "weight":
      model = try sample.changing("conv2_1/weight") { content in
        guard case .codes(let codes, let quantization) = content else { return content }
        var changed = try codes.array()
        changed[7] ^= 1
        return .codes(MemoryCodes(changed), quantization)
      }
    case "scale":
      model = sample.changing("conv2_1/weight") { content in
        guard case .codes(let codes, var quantization) = content else { return content }
        quantization.scales[0] = quantization.scales[0].nextUp
        return .codes(codes, quantization)
      }
    case "unit":
      model = sample.changing("conv2_1/bias") { content in
        guard case .bias(let bias) = content else { return content }
        return .bias(BiasCodes(bias.codes, scales: bias.scales.map { $0 * 2 }))
      }
    case "rounding": model = try sample.computing { $0.rounding = .tflm }
    case "no pass": model.provenance.passes.removeLast()
    default:
      // Codes of the biases stay, which then stand for other values.
      model = try sample.computing { $0.input.scale *= 1.5 }
    }
    for depth in [Verification.Depth.layers, .outputs] {
      let verification = try sample.verification(of: model, depth: depth)
      #expect(verification.verdict == .different, "\(fault) \(depth): \(verification.verdict)")
    }
  }

  /// Ranges are claims, which the outputs must bear out.
  @Test func rangesThatRuinTheFunctionAreNotClose() throws {
    let sample = try Case(.a)
    let index = try #require(sample.model.network.layers.firstIndex { $0.name == "fc7" })
    var arithmetic = try #require(sample.model.integerArithmetic)
    arithmetic.outputs[index].scale *= 64
    let biases = try sample.source.tensor("fc8/bias")?.values.array() ?? []
    let scales = try #require(sample.model.tensor("fc8/weight")?.quantization?.scales)
    let units = biases.indices.map { arithmetic.outputs[index].scale * scales[$0] }
    let codes = zip(biases, units).map { Int32((Double($0) / Double($1)).rounded(.toNearestOrEven)) }
    let tensors = sample.model.tensors.map { tensor in
      tensor.name == "fc8/bias" ? tensor.replacing(.bias(BiasCodes(codes, scales: units))) : tensor
    }
    let model = try Model(
      network: sample.model.network, tensors: tensors, preprocessing: sample.model.preprocessing,
      labels: sample.model.labels, integerArithmetic: arithmetic, provenance: sample.model.provenance)
    let verification = try sample.verification(of: model)
    #expect(verification.verdict == .faithfulButNotClose, "\(verification.verdict) \(verification.faults)")
  }

  @Test func whatCannotBeMadeIsRefused() throws {
    let sample = try Sample(.a, seed: 5, side: 40)
    let context = PassContext(calibration: PictureBatches([try sample.inputs()]))
    let pass = Pass.quantizeActivations(ActivationSettings())
    for settings in [QuantizationSettings(.fp16), .init(.int4), .init(.int8, keeping: ["fc8"])] {
      let model = try sample.native().applying(.quantize(settings))
      let error = #expect(throws: (any Error).self) { try model.applying(pass, in: context) }
      #expect("\(String(describing: error))".contains("int8"))
    }
    let int8 = try sample.native().applying(.quantize(to: .int8))
    #expect(throws: (any Error).self) { try int8.applying(pass) }
    let integers = try int8.applying(pass, in: context)
    #expect(throws: (any Error).self) { try integers.applying(pass, in: context) }
    #expect(throws: (any Error).self) { try integers.applying(.quantize(to: .fp16)) }
    let features = try integers.applying(.dropDense)
    #expect(features.integerArithmetic?.outputs.count == features.network.layers.count)
  }
}
