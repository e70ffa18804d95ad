import TestSupport
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// What holds for every engine: results do not depend on how the work is done; what does not fit is refused.
@Suite struct EngineTests {
  static let extent = Extent(height: 37, width: 45)

  static func model(_ architecture: Architecture = .aLRN, seed: UInt64 = 7, dense: [Int] = [130, 8, 5]) throws
    -> Model
  {
    var random = SeededGenerator(seed: seed)
    return try random.model(.small(architecture, extent, dense: dense))
  }

  static func input(_ count: Int, extent: Extent = extent, seed: UInt64 = 8) throws -> FeatureMap {
    var random = SeededGenerator(seed: seed)
    return try random.map(count, extent, channels: 3)
  }

  static func probabilities(_ output: EngineOutput) throws -> FeatureMap {
    guard case .classes(_, let probabilities) = output else {
      Issue.record("a network with a top has classes")
      throw EngineError.memory(byteCount: 0)
    }
    return probabilities
  }

  static func options(threads: Int = 1, _ instructionSet: InstructionSet = .best) -> EngineOptions {
    EngineOptions(threadCount: threads, instructionSet: instructionSet)
  }

  // Results do not depend on how the work is done.

  @Test(arguments: [2, 3, 7, 64]) func threadsDoNotMatter(threadCount: Int) throws {
    let (model, input) = (try Self.model(), try Self.input(3))
    let expected = try ReferenceEngine(model, options: Self.options()).outputs(input)
    let seen = try ReferenceEngine(model, options: Self.options(threads: threadCount)).outputs(input)
    #expect(seen.map(\.bits) == expected.map(\.bits))
  }

  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable))
  func instructionSetsDoNotMatter(_ instructionSet: InstructionSet) throws {
    let (model, input) = (try Self.model(), try Self.input(2))
    let expected = try ReferenceEngine(model, options: Self.options(.portable)).outputs(input)
    let seen = try ReferenceEngine(model, options: Self.options(instructionSet)).outputs(input)
    #expect(seen.map(\.bits) == expected.map(\.bits))
  }

  /// Dense layers are decoded in blocks of rows: one row, several with a rest, all.
  @Test(arguments: [1, 1000, 1 << 24], [1, 2]) func decodingDoesNotMatter(blockLength: Int, threads: Int)
    throws
  {
    let (model, input) = (try Self.model(), try Self.input(3))
    let expected = try ReferenceEngine(model).outputs(input)
    let seen = try ReferenceEngine(
      model.hidingMemory(), options: Self.options(threads: threads), decodedBlockLength: blockLength
    ).outputs(input)
    #expect(seen.map(\.bits) == expected.map(\.bits))
  }

  @Test func batchesArePicturesSideBySide() throws {
    let (engine, input) = (try ReferenceEngine(Self.model()), try Self.input(5))
    let together = try Self.probabilities(engine.run(input))
    let order = [3, 0, 4, 1, 2]
    #expect(try Self.probabilities(engine.run(input.picking(order))).bits == together.picking(order).bits)
    for index in 0..<5 {
      #expect(
        try Self.probabilities(engine.run(input.picking([index]))).bits == together.picking([index]).bits)
    }
    #expect(try Self.probabilities(engine.run(input.picking([]))).count == 0)
  }

  // What is put out.

  @Test func classesAreTheLastDenseLayerAndItsSoftmax() throws {
    let (engine, input) = (try ReferenceEngine(Self.model()), try Self.input(2))
    let outputs = try engine.outputs(input)
    guard case .classes(let logits, let probabilities) = try engine.run(input) else {
      Issue.record("a network with a top has classes")
      return
    }
    #expect(logits.bits == outputs[outputs.count - 2].bits)
    #expect(probabilities.bits == outputs[outputs.count - 1].bits)
    for picture in probabilities.pictures { #expect(abs(picture.values.reduce(0, +) - 1) < 1e-6) }
  }

  @Test(arguments: [Extent(height: 32, width: 97), Extent(side: 33), extent])
  func withoutATopEveryExtentHasFeatures(_ extent: Extent) throws {
    let engine = try ReferenceEngine(Self.model(.d, dense: []))
    guard case .features(let features) = try engine.run(Self.input(1, extent: extent)) else {
      Issue.record("a network without a top has features")
      return
    }
    let side = { (length: Int) in length / 32 }
    #expect(
      features.shape
        == FeatureShape(extent: Extent(height: side(extent.height), width: side(extent.width)), channels: 7))
  }

  /// The mean and the maximum of each channel, for the network's own extent and others.
  @Test(arguments: [Pooling.Method.average, .maximum], [Extent(side: 96), Extent(height: 64, width: 160)])
  func poolingsOverTheWholeMap(_ method: Pooling.Method, _ extent: Extent) throws {
    let features = try Network(.a, inputExtent: Extent(side: 96), widths: [3, 5, 4, 6, 7], denseWidths: [])
    let network = Network(
      architecture: .a, inputChannels: 3, inputExtent: Extent(side: 96),
      layers: features.layers + [Layer(name: "pool6", operation: .pooling(Pooling(global: method)))]
        + (Head([Dense(inputs: 7, outputs: 5, activation: .none)], activation: .softmax)?.layers ?? []))
    var random = SeededGenerator(seed: 7)
    let model = try random.model(network)
    for engine in [try ReferenceEngine(model) as any Engine, try FastEngine(model)] {
      let outputs = try engine.outputs(Self.input(2, extent: extent))
      let (maps, pooled) = (outputs[outputs.count - 4], outputs[outputs.count - 3])
      #expect(pooled.shape == FeatureShape(extent: Extent(side: 1), channels: 7))
      for (map, means) in zip(maps.pictures, pooled.pictures) {
        for channel in 0..<7 {
          let values = stride(from: channel, to: map.values.count, by: 7).map { Double(map.values[$0]) }
          let wanted =
            method == .average ? values.reduce(0, +) / Double(values.count) : try #require(values.max())
          #expect(abs(Double(means.values[channel]) - wanted) <= 1e-6 * abs(wanted))
        }
      }
      #expect(outputs.last?.shape == FeatureShape(extent: Extent(side: 1), channels: 5))
    }
  }

  /// What a tap keeps must stay although the memory of what it does not keep is used again.
  @Test func keptMapsStay() throws {
    let (engine, input) = (try ReferenceEngine(Self.model(.d)), try Self.input(2))
    let inputBits = input.bits
    var atOnce: [[UInt32]] = []
    let kept = try engine.outputs(input)
    var someKept: [Int: FeatureMap] = [:]
    _ = try engine.run(input) { _, map in
      if atOnce.count % 3 == 1 { someKept[atOnce.count] = map }
      atOnce.append(map.bits)
    }
    #expect(kept.map(\.bits) == atOnce)
    for (index, map) in someKept { #expect(map.bits == atOnce[index]) }
    #expect(input.bits == inputBits)
  }

  @Test func layersTakeTurnsInTheSameMemory() throws {
    let engine = try ReferenceEngine(Self.model(.e))
    var addresses: Set<UnsafePointer<Float>?> = []
    _ = try engine.run(Self.input(2)) { layer, map in
      let isAligned = map.withValues { UInt(bitPattern: $0.baseAddress) % 64 == 0 }
      #expect(isAligned)
      if layer.name.hasPrefix("conv1") || layer.name.hasPrefix("conv2") || layer.name.hasPrefix("conv3") {
        addresses.insert(map.withValues { $0.baseAddress })
      }
    }
    #expect(addresses.count == 2)
  }

  @Test func oneLayerAlone() throws {
    let (engine, input) = (try ReferenceEngine(Self.model(.c)), try Self.input(2))
    var current = input
    for (layer, expected) in zip(engine.network.layers, try engine.outputs(input)) {
      current = try engine.evaluate(layer, on: current)
      #expect(current.bits == expected.bits)
    }
  }

  @Test func valuesThatAreNotFinite() throws {
    let engine = try ReferenceEngine(Self.model())
    var values = try Self.input(1).values
    values[100] = .nan
    values[2000] = .infinity
    let input = try FeatureMap(
      count: 1, shape: FeatureShape(extent: Self.extent, channels: 3), values: values)
    #expect(try Self.probabilities(engine.run(input)).values.contains { $0.isNaN })
  }

  // What does not fit is refused.

  @Test func wrongExtentsNameTheRightOne() throws {
    let side = Extent(side: 64)
    var random = SeededGenerator(seed: 9)
    let engine = try ReferenceEngine(random.model(.small(.a, side)))
    // Larger ones have a map of scores, but no side may be smaller than what fc6 was made for.
    let narrow = Extent(height: 40, width: 70)
    let error = #expect(throws: EngineError.self) { try engine.run(Self.input(1, extent: narrow)) }
    guard case .shape(let shape, fitting: let fitting) = error else {
      Issue.record("not a matter of shapes")
      return
    }
    #expect(shape.layer == "fc6")
    #expect(fitting == side)
    #expect(error?.description == "fc6: takes 28 values, but gets 1x2x7 = 14; an input of 64x64 fits")
    #expect(throws: EngineError.self) { try engine.run(Self.input(1, extent: Extent(side: 8))) }
  }

  @Test func wrongChannelsValuesAndLayers() throws {
    let engine = try ReferenceEngine(Self.model())
    var random = SeededGenerator(seed: 9)
    let gray = try random.map(1, Self.extent, channels: 1)
    #expect(throws: EngineError.self) { try engine.run(gray) }
    #expect(throws: EngineError.self) { try engine.evaluate(engine.network.layers[0], on: gray) }
    let foreign = Layer(name: "conv9_9", operation: .softmax)
    #expect(throws: EngineError.self) { try engine.evaluate(foreign, on: gray) }
    let shape = FeatureShape(extent: Extent(side: 2), channels: 3)
    #expect(throws: EngineError.self) { try FeatureMap(count: 1, shape: shape, values: [1, 2, 3]) }
    #expect(throws: EngineError.self) { try FeatureMap(count: -1, shape: shape, values: []) }
    #expect(throws: EngineError.self) { try FeatureMap(count: .max, shape: shape, values: []) }
  }

  @Test(arguments: ["conv3_1/weight", "fc6/weight", "fc8/bias"])
  func weightsThatCannotBeRead(name: String) throws {
    let model = try Self.model().mappingTensors { tensor in
      tensor.name == name
        ? tensor.replacing(values: BrokenValues(count: tensor.count)) : tensor
    }
    let error = #expect(throws: EngineError.self) { try ReferenceEngine(model).run(Self.input(1)) }
    guard case .weights(BrokenValues.error) = error else {
      Issue.record("\(error.map(String.init(describing:)) ?? "")")
      return
    }
  }

  @Test func tapsMayStopARun() throws {
    struct Enough: Error {}
    let engine = try ReferenceEngine(Self.model())
    var count = 0
    let error = #expect(throws: EngineError.self) {
      try engine.run(Self.input(1)) { _, _ in
        count += 1
        if count == 4 { throw Enough() }
      }
    }
    guard case .tap(let reason) = error else {
      Issue.record("not the tap")
      return
    }
    #expect(reason is Enough)
    #expect(count == 4)
  }

  @Test(arguments: InstructionSet.allCases.filter { !$0.isAvailable })
  func instructionSetsThatAreNotThere(_ instructionSet: InstructionSet) throws {
    let error = #expect(throws: EngineError.self) {
      try ReferenceEngine(Self.model(), options: Self.options(instructionSet))
    }
    #expect(
      error?.description.contains("this machine has no \(instructionSet.rawValue); it has portable") == true)
  }
}
