import TestSupport
import Testing
import VGGCompress
import VGGEngine
import VGGModel
import VGGVerify

/// A small network as an importer finds it in a Caffe file, and the native model of it.
private struct Sample {
  var network: Network
  var sources: [String: SourceTensor] = [:]

  init(_ architecture: Architecture = .d, seed: UInt64 = 1) throws {
    network = try Network(
      architecture, inputExtent: Extent(side: 64), widths: [4, 5, 6, 7, 8], denseWidths: [12, 11, 10])
    var generator = SeededGenerator(seed: seed)
    var isFirstDense = true
    for requirement in network.tensorRequirements {
      let shape = requirement.shape
      let fanIn = Float(shape.dropLast().reduce(1, *))
      let values = (0..<shape.reduce(1, *)).map { _ in
        Float.random(in: -1...1, using: &generator) / fanIn.squareRoot() * 2
      }
      let layout: SourceLayout
      let sourceShape: [Int]
      switch shape.count {
      case 4: (layout, sourceShape) = (.oihw, [shape[3], shape[2], shape[0], shape[1]])
      case 2 where isFirstDense:
        (layout, sourceShape) = (.outInFromCHW(channels: 8, extent: Extent(side: 2)), [shape[1], shape[0]])
        isFirstDense = false
      case 2: (layout, sourceShape) = (.outIn, [shape[1], shape[0]])
      default: (layout, sourceShape) = (.vector, shape)
      }
      sources[requirement.name] = SourceTensor(
        name: "source of \(requirement.name)", shape: sourceShape, format: .float32,
        bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: layout)
    }
  }

  /// The source, imported afresh.
  func source() throws -> Model {
    try model { requirement, source in Tensor(name: requirement.name, role: requirement.role, source: source)
    }
  }

  /// The native model, with values that a test may have changed.
  func native(_ change: (String, inout [Float]) -> Void = { _, _ in }) throws -> Model {
    try model { requirement, source in
      var values = try source.canonicalValues.array()
      change(requirement.name, &values)
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape, values: MemoryValues(values)
      )
    }
  }

  private func model(_ tensor: (TensorRequirement, SourceTensor) throws -> Tensor) throws -> Model {
    let tensors = try network.tensorRequirements.map { requirement in
      try tensor(requirement, try #require(sources[requirement.name]))
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: .released(for: network.inputExtent),
      provenance: Provenance(sourceName: "s", sourceByteCount: 0, format: "test", generation: "test"))
  }

  func verify(
    _ model: Model, recorded: RecordedActivations? = nil, limits: Verification.Limits = .init(),
    _ engine: EngineKind = .reference
  ) throws -> Verification {
    let inputs = try VerificationInputs.generated(
      for: network, preprocessing: .released(for: network.inputExtent), seed: 7)
    return try Verification(
      of: model, against: source(), inputs: [inputs], recorded: recorded, limits: limits,
      options: EngineOptions(kind: engine))
  }
}

@Suite struct VerificationTests {
  @Test(arguments: Architecture.allCases)
  func anUnchangedModelIsExact(_ architecture: Architecture) throws {
    let sample = try Sample(architecture)
    let verification = try sample.verify(sample.native())
    #expect(verification.verdict == .exact)
    #expect(verification.reasons.isEmpty)
    #expect(verification.weights.count == sample.network.tensorRequirements.count)
    #expect(verification.layers.count == sample.network.layers.count)
    #expect(verification.classifiedCount == 3 && verification.sameClassCount == 3)
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
    #expect(verification.layers.first { $0.local.relativeError > 0 }?.local.layer == "conv3_2")
    // Layers behind it get wrong inputs, but do nothing wrong themselves.
    #expect(verification.layers.filter { $0.local.relativeError > 0 }.count == 1)
    #expect(verification.layers.filter { $0.accumulated.relativeError > 0 }.count > 5)
  }

  @Test(arguments: [Precision.fp16, .bf16, .int8])
  func lowerPrecisionIsEquivalent(_ precision: Precision) throws {
    let sample = try Sample()
    let verification = try sample.verify(sample.native().converted(to: precision))
    #expect(verification.verdict == .equivalent, "\(verification.reasons)")
    let requirements = Set(verification.weights.map(\.requirement))
    #expect(requirements == [.exact, precision == .int8 ? .quantized : .rounded])
    var strict = Verification.Limits()
    strict.accumulatedError = 1e-9
    #expect(try sample.verify(sample.native().converted(to: precision), limits: strict).verdict == .different)
  }

  @Test(arguments: [Precision.fp16, .bf16, .int8])
  func aWrongValueOfLowerPrecisionIsFound(_ precision: Precision) throws {
    let sample = try Sample()
    let wrong = try sample.native { name, values in
      if name == "fc7/weight" { values[17] += 0.3 }
    }
    let verification = try sample.verify(wrong.converted(to: precision))
    #expect(verification.verdict == .different)
    #expect(verification.weights.first { !$0.passes }?.tensor == "fc7/weight")
  }

  @Test func prunedWeightsAreCounted() throws {
    let sample = try Sample()
    let verification = try sample.verify(sample.native().pruningDense(fraction: 0.25), limits: loose)
    #expect(verification.verdict == .equivalent, "\(verification.reasons)")
    let pruned = verification.weights.map(\.prunedCount).reduce(0, +)
    #expect(pruned == 96 + 33 + 27)  // A quarter of 32 x 12, of 12 x 11 and of 11 x 10, rounded down.
  }

  private var loose: Verification.Limits {
    var limits = Verification.Limits()
    limits.sameClassFraction = 0
    return limits
  }

  @Test func aMissingTensorIsADifference() throws {
    let sample = try Sample()
    let features = try sample.native().droppingDense()
    #expect(try sample.verify(features).verdict == .exact)  // It says that it has no head.
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
    #expect(verification.reasons.contains("pool3: gives another shape than the source's layer"))
  }

  @Test func notANumberIsADifference() throws {
    let sample = try Sample()
    let model = try sample.native { name, values in
      if name == "conv5_3/bias" { values[0] = .nan }
    }
    let verification = try sample.verify(model)
    #expect(verification.verdict == .different)
    #expect(verification.reasons.contains { $0.hasPrefix("conv5_3: differs") })
  }
}

@Suite struct RecordedActivationsTests {
  /// What the engine computes, as another program would record it.
  private func recording(_ sample: Sample, channelsFirst: Bool) throws -> [RecordedActivations.Array] {
    let input = try VerificationInputs.generated(for: sample.network, preprocessing: nil, seed: 1)
    func array(_ name: String, _ map: FeatureMap) -> RecordedActivations.Array {
      let (height, width, channels) = (map.shape.extent.height, map.shape.extent.width, map.shape.channels)
      let values = map.values
      if height * width == 1 { return .init(name: name, shape: [map.count, channels], values: values) }
      guard channelsFirst else {
        return .init(name: name, shape: [map.count, height, width, channels], values: values)
      }
      var reordered: [Float] = []
      for picture in 0..<map.count {
        for channel in 0..<channels {
          for pixel in 0..<height * width {
            reordered.append(values[(picture * height * width + pixel) * channels + channel])
          }
        }
      }
      return .init(name: name, shape: [map.count, channels, height, width], values: reordered)
    }
    var arrays = [array("input", input)]
    _ = try ReferenceEngine(sample.source()).run(input) { layer, map in
      let name = channelsFirst ? layer.name : kerasName(layer.name)
      arrays.append(array(name, map))
    }
    return arrays
  }

  private func kerasName(_ name: String) -> String {
    let names = ["fc6": "fc1", "fc7": "fc2", "fc8": "logits", "prob": "predictions"]
    if let known = names[name] { return known }
    if name.hasPrefix("pool") { return "block\(name.dropFirst(4))_pool" }
    return "block" + name.dropFirst(4).replacing("_", with: "_conv")
  }

  @Test(arguments: [false, true])
  func recordingsOfOtherProgramsAreUnderstood(_ channelsFirst: Bool) throws {
    let sample = try Sample()
    let recorded = try RecordedActivations(
      recording(sample, channelsFirst: channelsFirst), of: sample.network, file: "r.npz")
    let verification = try sample.verify(sample.native(), recorded: recorded)
    #expect(verification.verdict == .exact, "\(verification.reasons)")
    #expect(verification.reference.count == sample.network.layers.count)
    #expect(verification.reference.allSatisfy { $0.largestError == 0 })
    let fast = try sample.verify(sample.native(), recorded: recorded, .fast)
    #expect(fast.verdict == .exact && fast.reference.allSatisfy { $0.isWithin(1e-5) }, "\(fast.reasons)")
  }

  @Test func aWrongRecordingIsADifference() throws {
    let sample = try Sample()
    var arrays = try recording(sample, channelsFirst: false)
    let index = try #require(arrays.firstIndex { $0.name == "block4_conv2" })
    arrays[index].values[5] += 1000
    let recorded = try RecordedActivations(arrays, of: sample.network, file: "r.npz")
    let verification = try sample.verify(sample.native(), recorded: recorded)
    #expect(verification.verdict == .different)
    #expect(verification.reasons.first?.hasPrefix("conv4_2: differs from the recorded") == true)
  }

  @Test func arraysThatCannotBeComparedAreErrors() throws {
    let sample = try Sample()
    let arrays = try recording(sample, channelsFirst: false)
    func code(_ arrays: [RecordedActivations.Array]) -> String? {
      #expect(throws: FileError.self) { try RecordedActivations(arrays, of: sample.network, file: "r.npz") }?
        .place
    }
    #expect(code(Array(arrays.dropFirst())) == "array input")
    #expect(code([arrays[0]]) == "array input")
    #expect(
      code(arrays + [.init(name: "fc9", shape: [3, 10], values: Array(repeating: 0, count: 30))])
        == "array fc9")
    var wrong = arrays
    wrong[1].shape[3] = 9
    #expect(code(wrong) == "array \(wrong[1].name)")
  }
}
