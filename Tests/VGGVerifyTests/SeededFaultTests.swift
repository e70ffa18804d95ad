import Testing
import VGGCompress
import VGGEngine
import VGGModel
import VGGTensors

@testable import VGGVerify

/// Mistakes planted on purpose: every one is found, in every precision that can hold it, and its layer is named.
@Suite struct SeededFaultTests {
  private func trials(
    _ architecture: Architecture, _ settings: QuantizationSettings, seed: UInt64
  ) throws -> [FaultTrial] {
    // With 72 pixels a pooling has a row to round.
    let sample = try Sample(architecture, seed: seed, side: 72)
    let (model, inputs) = (
      try sample.native().applying(.quantize(settings)), [try sample.inputs().prefix(1)]
    )
    return try SeededFault.all(for: sample.network, seed: seed).compactMap { fault in
      try FaultTrial(fault, in: model, source: sample.source(), inputs: inputs)
    }
  }

  @Test(
    arguments: zip(
      [Architecture.c, .aLRN, .d, .a, .a, .b, .e],
      [
        QuantizationSettings(.fp32), .init(.int8), .init(.int8, scaleRule: .largestMagnitude), .init(.bf16),
        .init(.int8, scaleRule: .percentile(99), int8Scales: .tensor), .init(.int4, groupLength: .of32),
        .init(.int4, groupLength: .of32, hasZeroPoints: true, includesConvolutions: true),
      ]))
  func allAreFoundAndTheirLayersNamed(
    _ architecture: Architecture, _ settings: QuantizationSettings
  ) throws {
    let trials = try trials(architecture, settings, seed: 3)
    for trial in trials {
      let fault = trial.fault
      #expect(trial.wasCaught, "\(fault)")
      #expect(trial.namesLayer, "\(fault): \(trial.namedLayer ?? "none")")
      if fault.kind.hasDiagnosis {
        #expect(
          trial.diagnosis?.layers.first == fault.layer, "\(fault): \(String(describing: trial.diagnosis))")
      } else if fault.kind != .swappedChannels {
        #expect(trial.diagnosis == nil, "\(fault): \(String(describing: trial.diagnosis))")
      }
    }
    var kinds = Set(SeededFault.Kind.allCases)
    if architecture != .aLRN { kinds.subtract([.normalizationK, .normalizationAlpha]) }
    // Floats have no scales of their own, and random ones no zeros.
    let hasCodes = settings.precision == .int8 || settings.precision == .int4
    if !hasCodes { kinds.subtract([.exchangedScales, .wrongPruning]) }
    if settings.int8Scales == .tensor { kinds.remove(.exchangedScales) }
    if settings.precision != .int4 {
      kinds.subtract([.wrongGroupScale, .groupOrder, .exchangedNibbles])
    }
    // The dense layers have one group each, and its order cannot be wrong.
    if !settings.includesConvolutions { kinds.remove(.groupOrder) }
    if !settings.hasZeroPoints { kinds.subtract([.wrongZeroPoint, .missingZeroPoints]) }
    // No two layers of these have one shape, with widths that all differ.
    if architecture != .d, architecture != .e { kinds.remove(.exchangedLayers) }
    #expect(Set(trials.map(\.fault.kind)) == kinds)
    let bits = trials.filter { $0.fault.kind == .flippedBit }
    #expect(bits.count >= architecture.weightLayerCount)
  }

  /// What is stored sparse has zeros that must stand where the source's smallest weights are.
  @Test(arguments: [Precision.fp32, .int8]) func allAreFoundInSparseTensors(_ precision: Precision) throws {
    let sample = try Sample(.a, seed: 8)
    let model = try sample.native().applying([.quantize(to: precision), .prune(fraction: 0.4)])
    let inputs = [try sample.inputs().prefix(1)]
    let dense = try SeededFault.all(for: sample.network, seed: 8).filter { $0.layer.hasPrefix("fc") }
      .compactMap { try FaultTrial($0, in: model, source: sample.source(), inputs: inputs) }
    for trial in dense {
      #expect(trial.wasCaught && trial.namesLayer, "\(trial.fault): \(trial.namedLayer ?? "none")")
    }
    let kinds = Set(dense.map(\.fault.kind))
    #expect(
      kinds.isSuperset(of: [
        .wrongPruning, .zeroedWeight, .wrongZeroRow, .wrongScale, .wrongScales, .saturated,
      ]))
    #expect(kinds.contains(.exchangedScales) == (precision == .int8))
  }

  /// Networks of full size are judged by samples of their outputs; what these do not show, the weights do.
  @Test(arguments: [Precision.fp32, .int8]) func allAreFoundBySamplesOfTheOutputs(_ precision: Precision)
    throws
  {
    let sample = try Sample(.a, seed: 6, side: 72, dense: [80])
    let (model, inputs) = (
      try sample.native().applying(.quantize(to: precision)), [try sample.inputs().prefix(1)]
    )
    let budget = 1 << 12
    let sound = try [Verification.standardBudget, budget].map {
      try Verification(of: model, against: sample.source(), inputs: inputs, budget: $0)
    }
    #expect(sound.allSatisfy { $0.verdict != .different })
    let counts = sound.map { $0.layers.reduce(into: 0) { $0 += $1.local.comparedCount } }
    #expect(counts[1] < counts[0])

    let trials = try SeededFault.all(for: sample.network, seed: 6).compactMap { fault in
      try FaultTrial(fault, in: model, source: sample.source(), inputs: inputs, budget: budget)
    }
    #expect(trials.count > SeededFault.Kind.allCases.count)
    for trial in trials {
      #expect(trial.wasCaught && trial.namesLayer, "\(trial.fault): \(trial.namedLayer ?? "none")")
    }
  }

  @Test func aMistakeOfAllKernelsIsExplainedOnce() throws {
    let sample = try Sample(seed: 4)
    var model = try sample.native()
    for layer in sample.network.layers {
      if case .convolution = layer.operation {
        model = try #require(try LayerChange.rotatedKernels.applied(to: layer, of: model))
      }
    }
    let verification = try sample.verify(model)
    let diagnosis = try #require(verification.diagnosis)
    #expect(diagnosis.change == .rotatedKernels && diagnosis.layers.count == 13)
    #expect(diagnosis.layers.first == "conv1_1")
  }

  @Test func changesUndoThemselves() throws {
    let sample = try Sample(seed: 5, side: 72)
    let model = try sample.native()
    let inverses: [(String, LayerChange, LayerChange)] = [
      ("conv2_1", .rotatedKernels, .rotatedKernels), ("conv2_2", .transposedKernels, .transposedKernels),
      ("conv1_1", .reversedInputChannels, .reversedInputChannels),
      ("fc6", .flattenedByChannel(channels: 8), .flattenedByPixel(channels: 8)),
      ("fc7", .shiftedBias(by: 1), .shiftedBias(by: -1)),
      ("conv5_2", .exchanged(with: "conv5_3"), .exchanged(with: "conv5_3")),
      (
        "fc8", .permutedOutputs([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]),
        .permutedOutputs([9, 0, 1, 2, 3, 4, 5, 6, 7, 8])
      ),
    ]
    for (name, change, inverse) in inverses {
      let layer = try #require(sample.network.layers.first { $0.name == name })
      let changed = try #require(try change.applied(to: layer, of: model))
      let back = try #require(try inverse.applied(to: layer, of: changed))
      let tensor = "\(name)/\(name == "fc7" ? "bias" : "weight")"
      let (before, between, after) = (
        try model.tensor(tensor)?.values.array(), try changed.tensor(tensor)?.values.array(),
        try back.tensor(tensor)?.values.array()
      )
      #expect(before == after && before != between, "\(change)")
    }
    let conv = try #require(sample.network.layers.first)
    #expect(try LayerChange.transposedDense.applied(to: conv, of: model) == nil)
  }
}
