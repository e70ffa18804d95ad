import TestSupport
import Testing
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors
import VGGVerify

@Suite struct VerificationTests {
  @Test(arguments: Architecture.allCases)
  func anUnchangedModelIsExact(_ architecture: Architecture) throws {
    let sample = try Sample(architecture)
    let verification = try sample.verify(sample.native())
    #expect(verification.verdict == .exact)
    #expect(verification.reasons.isEmpty)
    #expect(verification.weights.count == sample.network.tensorRequirements.count)
    #expect(verification.layers.count == sample.network.layers.count)
    #expect(verification.certificates.count == 3 && verification.certifiedCount == 3)
    #expect(verification.diagnosis == nil && verification.closeness.outputDistance == 0)
  }

  @Test func oneFlippedBitInAnyTensorIsFound() throws {
    let sample = try Sample()
    var generator = SeededGenerator(seed: 3)
    for requirement in sample.network.tensorRequirements {
      let bit = UInt32.random(in: 0..<32, using: &generator)
      let model = try sample.native { name, values in
        guard name == requirement.name else { return }
        let index = Int.random(in: values.indices, using: &generator)
        values[index] = Float(bitPattern: values[index].bitPattern ^ (1 << bit))
      }
      let verification = try sample.verify(model)
      #expect(verification.verdict == .different)
      #expect(verification.reasons.first?.hasPrefix("\(requirement.name): 1 of") == true)
    }
  }

  @Test func aTransposedKernelIsFoundAndItsLayerNamed() throws {
    let sample = try Sample()
    let model = try sample.native { name, values in
      guard name == "conv3_2/weight" else { return }
      let original = values  // 3 x 3 x 6 x 6
      for row in 0..<3 {
        for column in 0..<3 {
          for rest in 0..<36 {
            values[(row * 3 + column) * 36 + rest] = original[(column * 3 + row) * 36 + rest]
          }
        }
      }
    }
    let verification = try sample.verify(model)
    #expect(verification.verdict == .different)
    #expect(verification.culprit == "conv3_2")
    // Layers behind it get wrong inputs, but do nothing wrong themselves.
    #expect(verification.layers.filter { !$0.local.passes }.map(\.layer) == ["conv3_2"])
    #expect(verification.layers.filter { $0.accumulated.relativeError > 0.01 }.count > 5)
  }

  @Test(arguments: [Precision.fp16, .bf16, .int8])
  func lowerPrecisionIsEquivalent(_ precision: Precision) throws {
    let sample = try Sample()
    let verification = try sample.verify(sample.native().applying(.quantize(to: precision)))
    #expect(verification.verdict == .equivalent, "\(verification.reasons)")
    #expect(verification.layers.allSatisfy(\.passes) && verification.closeness.outputDistance > 0)
    let requirements = Set(verification.weights.map(\.requirement))
    #expect(requirements == [.exact, precision == .int8 ? .quantized : .rounded])
    var strict = Verification.Limits()
    strict.accumulatedError = 1e-9
    let converted = try sample.native().applying(.quantize(to: precision))
    #expect(try sample.verify(converted, limits: strict).verdict == .faithfulButNotClose)
    strict = Verification.Limits()
    strict.outputDistance = 1e-12
    #expect(try sample.verify(converted, limits: strict).verdict == .faithfulButNotClose)
  }

  @Test(arguments: [Precision.fp16, .bf16, .int8])
  func aWrongValueOfLowerPrecisionIsFound(_ precision: Precision) throws {
    let sample = try Sample()
    let wrong = try sample.native { name, values in
      if name == "fc7/weight" { values[17] += 0.01 }
    }
    let verification = try sample.verify(wrong.applying(.quantize(to: precision)))
    #expect(verification.verdict == .different)
    #expect(verification.weights.first { !$0.passes }?.tensor == "fc7/weight")
  }

  @Test func prunedWeightsAreCounted() throws {
    let sample = try Sample()
    let verification = try sample.verify(sample.native().applying(.prune(fraction: 0.25)))
    #expect(verification.faults.isEmpty, "\(verification.faults)")
    let pruned = verification.weights.map(\.prunedCount).reduce(0, +)
    #expect(pruned == 96 + 33 + 27)  // A quarter of 32 x 12, of 12 x 11 and of 11 x 10, rounded down.
  }

  @Test func aMissingTensorIsADifference() throws {
    let sample = try Sample()
    let features = try sample.native().applying(.dropDense)
    // It says that it has no head, and is what it says, but classifies no more.
    let declared = try sample.verify(features)
    #expect(declared.verdict == .faithfulButNotClose && declared.losesNothingButItsHead)
    var silent = features
    silent.provenance.passes = []
    let verification = try sample.verify(silent)
    #expect(verification.verdict == .different)
    #expect(verification.missingTensors.contains("fc6/weight"))
  }

  @Test func networksOfOtherWidthsAreDifferent() throws {
    let sample = try Sample()
    let other = try Network(
      .d, inputExtent: Extent(side: 64), widths: [4, 5, 6, 7, 9], denseWidths: [12, 11, 10])
    let model = try Model(
      network: other,
      tensors: other.tensorRequirements.map { requirement in
        Tensor(
          name: requirement.name, role: requirement.role, shape: requirement.shape,
          values: MemoryValues(Array(repeating: 0, count: requirement.shape.reduce(1, *))))
      }, preprocessing: nil,
      provenance: Provenance(sourceName: "s", sourceByteCount: 0, format: "test", generation: "test"))
    let verification = try sample.verify(model)
    #expect(verification.verdict == .different && verification.layers.isEmpty)
  }

  @Test func anotherPoolingRuleIsSeen() throws {
    let sample = try Sample()
    let layers = sample.network.layers.map { layer in
      var pooling = Pooling()
      pooling.kernel = Extent(side: 1)
      pooling.stride = Extent(side: 1)
      return layer.name == "pool3" ? Layer(name: "pool3", operation: .pooling(pooling)) : layer
    }
    let model = try sample.native()
    let changed = try Model(
      network: Network(architecture: .d, inputChannels: 3, inputExtent: Extent(side: 64), layers: layers),
      tensors: model.tensors, preprocessing: nil, provenance: model.provenance)
    let verification = try sample.verify(changed)
    #expect(verification.verdict == .different)
    #expect(verification.reasons.contains("pool3: pools in another way than the source's"))
  }

  @Test func notANumberIsADifference() throws {
    let sample = try Sample()
    let model = try sample.native { name, values in
      if name == "conv5_3/bias" { values[0] = .nan }
    }
    let verification = try sample.verify(model)
    #expect(verification.verdict == .different)
    #expect(verification.reasons.contains { $0.hasPrefix("conv5_3: differs") && $0.contains("nan") })
  }
}
