import TestSupport
import Testing
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGVerify

/// Codes that pictures decided about: what can be known of them without the pictures is proven, and no more is claimed.
@Suite struct CompensatedCodesTests {
  private static func pass(
    _ hasZeroPoints: Bool = false, _ rounding: QuantizationSettings.CodeRounding? = nil
  )
    -> Pass
  {
    .quantize(
      QuantizationSettings(
        .int4, groupLength: .of32, hasZeroPoints: hasZeroPoints, codeRounding: rounding ?? .compensated(nil)))
  }

  private static func model(_ sample: Sample, _ hasZeroPoints: Bool = false) throws -> Model {
    try sample.native().applying(
      pass(hasZeroPoints), in: PassContext(calibration: PictureBatches([sample.inputs()])))
  }

  /// The model with a code of `fc6/weight` changed.
  private static func changing(_ model: Model, _ change: (inout [Int8]) -> Void) throws -> Model {
    guard case .codes(let stored, let quantization)? = model.tensor("fc6/weight")?.content else {
      return model
    }
    var codes = try stored.array()
    change(&codes)
    return model.mappingTensors {
      $0.name == "fc6/weight" ? $0.replacing(.codes(MemoryCodes(codes), quantization)) : $0
    }
  }

  @Test(arguments: [false, true]) func theyAreFaithful(hasZeroPoints: Bool) throws {
    for seed in 1...3 as ClosedRange<UInt64> {
      let sample = try Sample(Architecture.allCases[Int(seed)], seed: seed)
      let model = try Self.model(sample, hasZeroPoints)
      let verification = try sample.verify(model)
      #expect(verification.faults == [])
      let chosen = verification.weights.filter { $0.requirement == .quantizedByChoice }.map(\.tensor)
      #expect(chosen == ["fc6/weight", "fc7/weight", "fc8/weight"])
      // They are no nearest codes, and are not called so.
      var claimed = model
      claimed.provenance.passes = [Self.pass(hasZeroPoints, .nearest)]
      #expect(try sample.verify(claimed).verdict == .different)
    }
  }

  /// Of all codes two are possible, or one: any other one is found, wherever it is.
  @Test(arguments: [false, true]) func anyOtherCodeIsFound(hasZeroPoints: Bool) throws {
    let sample = try Sample(seed: 4)
    let model = try Self.model(sample, hasZeroPoints)
    let source = try #require(try sample.native().tensor("fc6/weight"))
    let (values, outputs) = (try source.values.array(), source.shape[1])
    let quantization = try #require(model.tensor("fc6/weight")?.quantization)
    let range = hasZeroPoints ? -8...7 : -7...7 as ClosedRange<Int8>
    var (foundCount, allowedCount) = (0, 0)
    for index in stride(from: 0, to: values.count, by: 11) {
      let (scale, zeroPoint) = quantization.parameters(ofElement: index, rowLength: outputs)
      for code in range {
        let isAllowed = (Float(Int(code) - Int(zeroPoint)) * scale - values[index]).magnitude < scale
        let isEnd = code == range.lowerBound || code == range.upperBound
        // What lies beyond the codes has the last one, however far it is.
        guard isAllowed || !isEnd else { continue }
        let changed = try Self.changing(model) { $0[index] = code }
        let declared = try DeclaredModel(
          sample.native(), passes: model.provenance.passes, judged: changed)
        let expected = try #require(declared.tensors.first { $0.original.name == "fc6/weight" })
        let check = try WeightCheck(of: #require(changed.tensor("fc6/weight")), against: expected)
        #expect(check.passes == isAllowed && check.wrongCount == (isAllowed ? 0 : 1), "\(index): \(code)")
        if isAllowed { allowedCount += 1 } else { foundCount += 1 }
      }
    }
    #expect(foundCount > 4 * allowedCount && allowedCount > 10)
  }

  /// Scales and zero points do follow from the source.
  @Test func otherScalesAreFound() throws {
    let sample = try Sample(seed: 5)
    let model = try Self.model(sample, true)
    for change in [
      { $0.scales[3] = $0.scales[3].nextUp }, { $0.zeroPoints[2] ^= 1 },
    ] as [(inout Quantization) -> Void] {
      let changed = model.mappingTensors { tensor in
        guard tensor.name == "fc7/weight", case .codes(let codes, var quantization) = tensor.content else {
          return tensor
        }
        change(&quantization)
        return tensor.replacing(.codes(codes, quantization))
      }
      let verification = try sample.verify(changed)
      #expect(verification.verdict == .different && verification.culprit == "fc7")
    }
  }

  /// Choices that are all bad are faithful, which is all that can be known, but the outputs tell.
  @Test func badChoicesAreNotClose() throws {
    let sample = try Sample(seed: 6)
    let model = try Self.model(sample)
    let source = try #require(try sample.native().tensor("fc6/weight"))
    let (values, outputs) = (try source.values.array(), source.shape[1])
    let quantization = try #require(model.tensor("fc6/weight")?.quantization)
    let worst = try Self.changing(model) { codes in
      for index in codes.indices {
        let (scale, _) = quantization.parameters(ofElement: index, rowLength: outputs)
        codes[index] = Int8(max(-7, min(7, (values[index] / scale).rounded(.up))))
      }
    }
    let (good, bad) = (try sample.verify(model), try sample.verify(worst))
    #expect(bad.faults == [] && good.faults == [])
    #expect(bad.closeness.outputDistance > 5 * good.closeness.outputDistance)
    var limits = Verification.Limits()
    limits.outputDistance = 2 * good.closeness.outputDistance
    #expect(try sample.verify(model, limits: limits).verdict == .equivalent)
    #expect(try sample.verify(worst, limits: limits).verdict == .faithfulButNotClose)
  }

  /// Of the mistakes that are planted none is one of the choices.
  @Test func plantedMistakesAreFound() throws {
    let sample = try Sample(seed: 8)
    let source = try sample.native()
    let model = try Self.model(sample, true)
    let faults = (9..<11).flatMap { SeededFault.all(for: model.network, seed: $0) }
    for fault in faults where fault.layer.hasPrefix("fc") {
      guard let trial = try FaultTrial(fault, in: model, source: source, inputs: [sample.inputs()]) else {
        continue
      }
      #expect(trial.wasCaught, "\(fault)")
    }
  }

  /// What was chosen is not known any more behind another pass; against the model in between, each of the two is proven.
  @Test func laterPassesAreProvenOneByOne() throws {
    let sample = try Sample(seed: 7)
    let model = try Self.model(sample)
    for pass in [Pass.prune(fraction: 0.3), .quantize(to: .fp16)] {
      let later = try model.applying(pass)
      let verification = try sample.verify(later)
      #expect(verification.verdict == .different)
      #expect(verification.faults.contains { $0.contains("a pass that cannot be repeated") })
      let step = try Verification(of: later, against: model, inputs: [sample.inputs()])
      #expect(step.faults == [], "\(pass)")
    }
    let features = try model.applying(.dropDense)
    #expect(try sample.verify(features).faults == [])
  }
}
