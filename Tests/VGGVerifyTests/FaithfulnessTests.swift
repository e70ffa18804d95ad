import TestSupport
import Testing
import VGGBytes
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGVerify

/// What a model says of itself is a claim: tensors must be what the declared passes make of the source's.
@Suite struct FaithfulnessTests {
  /// Chains of passes, applied by the code that applies them, are what the verifier's own rules give, bit for bit.
  @Test(arguments: [
    [Pass.quantize(to: .int8, keeping: [])], [.quantize(to: .fp16, keeping: ["conv1_1", "fc8"])],
    [.prune(fraction: 0.3)], [.prune(fraction: 0)], [.prune(fraction: 1)],
    [.quantize(to: .int8, keeping: []), .prune(fraction: 0.5)],
    [.prune(fraction: 0.5), .quantize(to: .int8, keeping: ["fc6"])],
    [.quantize(to: .bf16, keeping: []), .prune(fraction: 0.1), .quantize(to: .int8, keeping: [])],
    [.quantize(to: .int8, keeping: []), .quantize(to: .fp32, keeping: [])],
    [.quantize(to: .int8, keeping: []), .dropDense],
    [.quantize(.init(.int8, scaleRule: .largestMagnitude))],
    [.quantize(.init(.int8, scaleRule: .percentile(70)))],
    [.quantize(.init(.int8, int8Scales: .tensor))],
    [.prune(fraction: 0.6), .quantize(.init(.int8, scaleRule: .percentile(90), int8Scales: .tensor))],
    [.quantize(.init(.int4, keeping: ["fc7"]))],
    [.quantize(.init(.int4, scaleRule: .percentile(95), groupLength: .of32, hasZeroPoints: true))],
    [.quantize(.init(.int4, groupLength: .of128, hasZeroPoints: true, includesConvolutions: true))],
    [.prune(fraction: 0.5), .quantize(.init(.int4, groupLength: .of32, includesConvolutions: true))],
    [.quantize(.init(.int4, groupLength: .of32, hasZeroPoints: true)), .prune(fraction: 0.4)],
    [
      .quantize(to: .int8), .quantize(.init(.int4, scaleRule: .largestMagnitude, includesConvolutions: true)),
    ],
  ])
  func repeatedPassesGiveTheSameBits(_ passes: [Pass]) throws {
    for seed in 1...3 as ClosedRange<UInt64> {
      let sample = try Sample(Architecture.allCases[Int(seed)], seed: seed)
      // Equal magnitudes, zeros of both signs and subnormal numbers among the weights.
      func strange(_ name: String, _ values: inout [Float]) {
        guard name.hasSuffix("weight") else { return }
        for index in values.indices where index % 7 < 3 {
          values[index] = [0.0, -0.0, 0x1p-140][index % 7 % 3] as Float
        }
        for index in values.indices where index % 5 == 0 { values[index] = index % 2 == 0 ? 0.25 : -0.25 }
      }
      let source = try sample.native(strange)
      let model = try source.applying(passes)
      #expect(model.provenance.passes == passes)
      let verification = try Verification(
        of: model, against: source, inputs: [sample.inputs().prefix(1)], depth: .outputs)
      #expect(verification.faults == [], "\(passes)")
      #expect(verification.weights.count == model.tensors.count)
    }
  }

  /// Read back in the source's order, of each value in a matrix whose sides are no multiples of anything.
  @Test(arguments: [[9, 7], [70, 37], [259, 35], [1, 5]])
  func eachWrongValueIsFoundInTurnedTensors(_ shape: [Int]) throws {
    let values = (0..<shape[0] * shape[1]).map(Float.init)
    let bytes = ByteRegion(copying: values.flatMap { withUnsafeBytes(of: $0) { Array($0) } })
    let source = SourceTensor(name: "w", shape: shape, format: .float32, bytes: bytes, layout: .outIn)
    let original = Tensor(name: "fc6/weight", role: .weight, source: source)
    var seen = try original.values.array()
    func check() throws -> WeightCheck {
      let tensor = Tensor(
        name: original.name, role: .weight, shape: original.shape, values: MemoryValues(seen))
      return try WeightCheck(of: tensor, against: DeclaredTensor(original))
    }
    #expect(try check().isUnchanged)
    for index in stride(from: 0, to: seen.count, by: max(1, seen.count / 97)) {
      let right = seen[index]
      seen[index] = -1
      let found = try check()
      #expect(found.wrongCount == 1 && found.firstWrong?.index == index && found.isComplete)
      seen[index] = right
    }
  }

  /// A pass that is declared and was not applied, was applied and is not declared, or was applied to other layers.
  @Test(arguments: [
    ([Pass.prune(fraction: 0.5)], [Pass]()), ([], [.prune(fraction: 0.5)]),
    ([.prune(fraction: 0.5)], [.prune(fraction: 0.4)]),
    ([.quantize(to: .int8, keeping: [])], [.quantize(to: .fp16, keeping: [])]),
    ([.quantize(to: .int8, keeping: ["fc8"])], [.quantize(to: .int8, keeping: [])]),
    (
      [.quantize(to: .int8, keeping: []), .prune(fraction: 0.5)],
      [.prune(fraction: 0.5), .quantize(to: .int8, keeping: [])]
    ),
    ([.dropDense], []), ([.unknown("improve")], []),
    ([.quantize(to: .int8)], [.quantize(.init(.int8, scaleRule: .percentile(97)))]),
    ([.quantize(to: .int8)], [.quantize(.init(.int8, int8Scales: .tensor))]),
    (
      [.quantize(.init(.int8, scaleRule: .percentile(90)))],
      [.quantize(.init(.int8, scaleRule: .percentile(80)))]
    ),
    ([.quantize(to: .int4)], [.quantize(.init(.int4, groupLength: .of32))]),
    ([.quantize(to: .int4)], [.quantize(.init(.int4, hasZeroPoints: true))]),
    ([.quantize(.init(.int4, hasZeroPoints: true))], [.quantize(to: .int4)]),
    ([.quantize(to: .int4)], [.quantize(.init(.int4, scaleRule: .largestMagnitude))]),
    ([.quantize(to: .int4)], [.quantize(to: .int8)]),
    ([.quantize(to: .int4)], [.quantize(.init(.int4, includesConvolutions: true))]),
  ])
  func falseClaimsAreFound(_ declared: [Pass], _ applied: [Pass]) throws {
    let sample = try Sample(seed: 5)
    var model = try sample.native().applying(applied)
    model.provenance.passes = declared
    let verification = try sample.verify(model)
    #expect(verification.verdict == .different, "\(declared), \(applied)")
    #expect(!verification.faults.isEmpty)
  }

  @Test func scalesFollowFromTheSource() throws {
    let sample = try Sample(seed: 6)
    let model = try sample.native().applying(.quantize(to: .int8))
    let fc7 = try #require(sample.network.layers.first { $0.name == "fc7" })
    for change in [
      LayerChange.scaled(channel: 3, by: 400), .scaled(channel: nil, by: 0.02), .exchangedScales(1, 2),
      // One unit in the last place of one scale.
      .scaled(channel: 3, by: Float(1).nextUp),
    ] {
      let wrong = try #require(try change.applied(to: fc7, of: model))
      let verification = try sample.verify(wrong)
      #expect(verification.verdict == .different && verification.culprit == "fc7", "\(change)")
      #expect(
        verification.faults.contains { $0.hasPrefix("fc7/weight: ") && $0.contains("scales do not follow") },
        "\(change): \(verification.faults)")
    }
  }

  /// One unit in the last place of one scale, one step of one zero point, one code: nothing of it is let through.
  @Test func scalesAndZeroPointsOfGroupsFollowFromTheSource() throws {
    let sample = try Sample(seed: 6)
    let model = try sample.native().applying(
      .quantize(.init(.int4, groupLength: .of32, hasZeroPoints: true, includesConvolutions: true)))
    for (name, change, words) in [
      ("fc7", LayerChange.scaledGroup(7, by: Float(1).nextUp), "1 of 11 scales do not follow"),
      ("conv3_2", .scaledGroup(11, by: Float(1).nextUp), "1 of 12 scales do not follow"),
      ("fc7", .shiftedZeroPoint(3), "1 of 11 zero points do not follow"),
      ("conv5_1", .shiftedZeroPoint(0), "zero points do not follow"),
      ("fc6", .missingZeroPoints, "has 0 zero points, but the passes make it 12"),
      ("conv4_2", .transposedGroups, "scales do not follow"),
      ("fc8", .exchangedNibbles, "values"), ("conv2_1", .flippedBit(.weight, index: 5, bit: 0), "1 of 180"),
    ] as [(String, LayerChange, String)] {
      let layer = try #require(sample.network.layers.first { $0.name == name })
      let wrong = try #require(try change.applied(to: layer, of: model))
      let verification = try sample.verify(wrong)
      #expect(verification.verdict == .different && verification.culprit == name, "\(change)")
      #expect(
        verification.faults.contains { $0.hasPrefix("\(name)/weight: ") && $0.contains(words) },
        "\(change): \(verification.faults)")
    }
  }

  /// Passes that came after those of the model it is compared with are repeated with that one.
  @Test func aModelIsJudgedAgainstTheOneItWasMadeOf() throws {
    let sample = try Sample(seed: 7)
    let int8 = try sample.native().applying(.quantize(to: .int8))
    let pruned = try int8.applying(.prune(fraction: 0.2))
    let inputs = [try sample.inputs()]
    let verification = try Verification(of: pruned, against: int8, inputs: inputs)
    #expect(verification.faults == [] && verification.passes == [.prune(fraction: 0.2)])
    // The other way round it was made of something else.
    let reversed = try Verification(of: int8, against: pruned, inputs: inputs)
    #expect(reversed.verdict == .different && reversed.differences.contains { $0.subject == .passes })
  }

  /// A comparison that leaves values out proves nothing of them.
  @Test func valuesThatWereNotComparedAreNotRight() throws {
    /// Values of which only the first ones are lent to loops over all of them.
    struct HalfLent: TensorValues {
      let base: any TensorValues
      var count: Int { base.count }
      func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
        try base.read(range, into: destination)
      }
      func forEachBlock(
        of tile: Tile, rowLength: Int, _ body: (Block, UnsafeBufferPointer<Float>) throws(FileError) -> Void
      ) throws(FileError) {
        let half = Tile(rows: tile.rows.prefix((tile.rows.count + 1) / 2), columns: tile.columns)
        try base.forEachBlock(of: half, rowLength: rowLength, body)
      }
    }
    let sample = try Sample(seed: 8)
    let model = try sample.native()
    let source = model.mappingTensors { tensor in
      tensor.name == "fc7/weight" ? tensor.replacing(values: HalfLent(base: tensor.values)) : tensor
    }
    let verification = try Verification(of: model, against: source, inputs: [sample.inputs()])
    #expect(verification.verdict == .different && !verification.isUnchanged)
    #expect(verification.faults.contains { $0.hasPrefix("fc7/weight: only ") }, "\(verification.faults)")
  }
}

/// What differs besides weights is said.
@Suite struct DifferenceTests {
  private func verdict(
    _ sample: Sample, _ change: (inout Model) -> Void
  ) throws -> (verdict: Verification.Verdict, reasons: [String], notes: [String]) {
    var model = try sample.native()
    change(&model)
    let verification = try sample.verify(model)
    return (verification.verdict, verification.reasons, verification.notes)
  }

  @Test func preprocessingIsCompared() throws {
    let sample = try Sample(seed: 1)
    for (change, word) in [
      ({ $0.preprocessing?.channelOrder = .rgb }, "channel order rgb, the source's bgr"),
      ({ $0.preprocessing?.mean[1] += 1 }, "mean"), ({ $0.preprocessing?.scale[2] = 0.5 }, "scale"),
      ({ $0.preprocessing?.resize = .stretch }, "resizing stretch"), ({ $0.preprocessing = nil }, "unknown"),
    ] as [((inout Model) -> Void, String)] {
      let (verdict, reasons, _) = try verdict(sample, change)
      #expect(verdict == .different && reasons.first?.contains(word) == true, "\(reasons)")
    }
  }

  @Test func labelsAreComparedWhereTheSourceHasSome() throws {
    let sample = try Sample(seed: 1)
    #expect(try verdict(sample) { $0.labels = ["a"] }.verdict == .exact)
    var source = try sample.source()
    source.labels = (0..<10).map { "class \($0)" }
    var model = try sample.native()
    for labels in [[], ["class 0"], source.labels.reversed()] {
      model.labels = labels
      let verification = try Verification(of: model, against: source, inputs: [sample.inputs()])
      #expect(verification.verdict == .different && verification.faults.count == 1)
    }
    model.labels = source.labels
    #expect(try Verification(of: model, against: source, inputs: [sample.inputs()]).verdict == .exact)
  }

  /// With 64 pixels nothing is rounded, with 72 it is.
  @Test(arguments: [64, 72]) func poolingsThatRoundOtherwiseAreNeverExact(_ side: Int) throws {
    let sample = try Sample(seed: 1, side: side)
    let result = try verdict(sample) { model in
      model.network = Network(
        architecture: .d, inputChannels: 3, inputExtent: Extent(side: side),
        layers: model.network.layers.map { layer in
          guard case .pooling(var pooling) = layer.operation else { return layer }
          pooling.rounding = .ceiling
          return Layer(name: layer.name, operation: .pooling(pooling))
        })
    }
    #expect(result.verdict == (side == 64 ? .equivalent : .different))
    #expect(result.notes.count == (side == 64 ? 1 : 0))
    #expect((result.notes + result.reasons).contains { $0.contains("rounds up, the source's down") })
  }

  @Test func anotherNetworkIsOneDifference() throws {
    let model = try Sample(.b, seed: 1).native()
    let verification = try Sample(.d, seed: 1).verify(model)
    #expect(verification.verdict == .different)
    #expect(verification.reasons == ["the source is VGG-16 (D), the model is VGG-13 (B)"])
  }
}

/// Models that are of no use any more, whatever they say of themselves.
@Suite struct RuinedModelTests {
  @Test(arguments: Architecture.allCases) func allAreRefused(_ architecture: Architecture) throws {
    let sample = try Sample(architecture, seed: 9)
    let source = try sample.source()
    let ruined = try RuinedModel.all(of: source)
    #expect(ruined.count >= 18)
    for model in ruined {
      let trial = try RuinTrial(model, source: source, inputs: [sample.inputs()])
      #expect(trial.wasRefused, "\(model.name): \(trial.verdict)")
    }
  }

  /// One output is a number, and a direction says nothing of it.
  @Test(arguments: [HeadActivation.sigmoid, .linear]) func oneOutputIsJudgedByItsValue(
    _ activation: HeadActivation
  ) throws {
    let sample = try Sample(.a, seed: 4, dense: [12, 1])
    func headed(_ model: Model) throws -> Model {
      let dense = try #require(model.network.head).dense
      var model = model
      model.network = Network(
        architecture: .a, inputChannels: 3, inputExtent: Extent(side: 64),
        layers: model.network.withoutDense.layers + (try #require(Head(dense, activation: activation))).layers
      )
      return model
    }
    let source = try headed(sample.source())
    let inputs = [try sample.inputs()]
    let int8 = try Verification(
      of: headed(sample.native().applying(.quantize(to: .int8))), against: source, inputs: inputs)
    #expect(int8.verdict == .equivalent, "\(int8.reasons)")
    let pruned = try Verification(
      of: headed(sample.native().applying(.prune(fraction: 0.95))), against: source, inputs: inputs)
    #expect(pruned.verdict == .faithfulButNotClose && pruned.closeness.outputDistance > 0.02)
    #expect(pruned.closeness.decisionCount == (activation == .sigmoid ? 3 : 0))
  }

  /// A stated limit is what counts for the exit status, but a class that changed is never called equivalent.
  @Test func aChangedClassIsNeverEquivalent() throws {
    var limits = Verification.Limits()
    limits.outputDistance = 2
    limits.sameClassFraction = 0
    // Biases alone may well give the same class to all three pictures.
    let judged = try (1...8 as ClosedRange<UInt64>).map { seed in
      let sample = try Sample(seed: seed)
      let model = try sample.native().applying(.prune(fraction: 1))
      return (stated: try sample.verify(model, limits: limits), standard: try sample.verify(model))
    }.filter { $0.stated.closeness.sameDecisionCount < 3 }
    #expect(!judged.isEmpty)
    for (stated, standard) in judged {
      #expect(stated.verdict == .faithfulButNotClose && stated.meetsStatedLimits)
      #expect(standard.verdict == .faithfulButNotClose && !standard.meetsStatedLimits)
    }
  }
}
