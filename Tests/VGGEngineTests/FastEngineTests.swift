import Foundation
import TestSupport
import Testing
import VGGEngine
import VGGModel
import VGGTensors

/// The fast engine against the reference engine, and against itself where nothing may change a bit.
@Suite struct FastEngineTests {
  /// Channels that are no multiple of a vector, and enough of them for Winograd's method.
  static let widths = [17, 33, 40, 50, 70]
  static let extent = Extent(height: 37, width: 51)

  static func model(
    _ architecture: Architecture = .aLRN, dense: [Int] = [130, 37, 11], extent: Extent = extent
  ) throws -> Model {
    var random = SeededGenerator(seed: 3)
    return try random.model(
      Network(architecture, inputExtent: extent, widths: widths, denseWidths: dense))
  }

  static func input(_ count: Int, extent: Extent = extent) throws -> FeatureMap {
    var random = SeededGenerator(seed: 4)
    return try random.map(count, extent, channels: 3)
  }

  static func options(
    threads: Int = 2, _ instructionSet: InstructionSet = .best, savesMemory: Bool = false
  ) -> EngineOptions {
    EngineOptions(threadCount: threads, instructionSet: instructionSet, savesMemory: savesMemory)
  }

  /// Each layer alone, on the reference engine's input, in units of the derived bound of `RoundingBound`.
  ///
  /// Bounds assume that all roundings conspire; what is seen is far less, and more than a small part of it is a mistake.
  @Test(arguments: InstructionSet.allCases.filter(\.isAvailable), Architecture.allCases)
  func layersAreWithinTheirBound(_ instructionSet: InstructionSet, _ architecture: Architecture) throws {
    let model = try Self.model(architecture)
    let bounds = try RoundingBound(model)
    for savesMemory in [false, true] {
      let fast = try FastEngine(model, options: Self.options(instructionSet, savesMemory: savesMemory))
      var input = try Self.input(2)
      _ = try ReferenceEngine(model).run(input) { layer, expected in
        let seen = try fast.evaluate(layer, on: input)
        let part = try bounds.largestError(of: seen, expected, layer, input, usesWinograd: !savesMemory)
        #expect(part.error <= part.allowed, "\(layer.name) \(part)")
        input = expected
      }
    }
  }

  @Test(arguments: [
    "keras/vgg_a_digits.h5", "keras/vgg_b.h5", "keras/vgg_c.h5", "keras/vgg_d_digits.h5", "keras/vgg_e.h5",
    "caffe/vgg_a_lrn.caffemodel", "caffe/vgg_b_ceil_100.caffemodel", "caffe/vgg_d_digits.caffemodel",
  ])
  func filesGiveTheSameScores(_ name: String) throws {
    let model = try fixtureModel(name)
    let extent = model.network.inputExtent ?? Extent(side: 32)
    var random = SeededGenerator(seed: 5)
    let input = try random.map(3, extent, channels: model.network.inputChannels)
    let expected = try ReferenceEngine(model).outputs(input).suffix(2).map(\.values)
    for savesMemory in [false, true] {
      let engine = try FastEngine(model, options: Self.options(savesMemory: savesMemory))
      let seen = try engine.outputs(input).suffix(2).map(\.values)
      for (seen, expected) in zip(seen, expected) {
        let largest = expected.map(\.magnitude).max() ?? 0
        #expect(zip(seen, expected).allSatisfy { ($0 - $1).magnitude <= largest * 3e-5 })
      }
    }
  }

  // Nothing changes a bit.

  @Test(arguments: [2, 3, 7, 16], [false, true]) func threadsDoNotMatter(threadCount: Int, savesMemory: Bool)
    throws
  {
    let (model, input) = (try Self.model(), try Self.input(3))
    let expected = try FastEngine(model, options: Self.options(threads: 1, savesMemory: savesMemory))
    let engine = try FastEngine(model, options: Self.options(threads: threadCount, savesMemory: savesMemory))
    for _ in 0..<3 {
      #expect(try engine.outputs(input).map(\.bits) == expected.outputs(input).map(\.bits))
      #expect(try engine.run(input).bits == expected.run(input).bits)
    }
  }

  @Test(arguments: [Architecture.b, .aLRN, .c]) func batchesArePicturesSideBySide(
    _ architecture: Architecture
  ) throws {
    let (engine, input) = (try FastEngine(Self.model(architecture)), try Self.input(5))
    let together = try EngineTests.probabilities(engine.run(input))
    for index in 0..<5 {
      let alone = try EngineTests.probabilities(engine.run(input.picking([index])))
      #expect(try alone.bits == together.picking([index]).bits)
    }
    #expect(try EngineTests.probabilities(engine.run(input.picking([]))).count == 0)
  }

  /// With a tap, without one, and layer by layer; also where early layers take one picture at a time.
  @Test(arguments: [Extent(height: 37, width: 51), Extent(height: 260, width: 250)])
  func waysOfRunningDoNotMatter(_ extent: Extent) throws {
    let model = try Self.model(.d, dense: [], extent: extent)
    let (engine, input) = (try FastEngine(model), try Self.input(extent.height > 100 ? 2 : 3, extent: extent))
    let outputs = try engine.outputs(input)
    guard case .features(let features) = try engine.run(input) else {
      Issue.record("a network without a top has features")
      return
    }
    #expect(features.bits == outputs.last?.bits)
    var current = input
    for (layer, expected) in zip(model.network.layers, outputs) where extent.height < 100 {
      current = try engine.evaluate(layer, on: current)
      #expect(current.bits == expected.bits, "\(layer.name)")
    }
    var done: Set<String> = []
    _ = try engine.run(input, layerDone: { done.insert($0.name) })
    #expect(done == Set(model.network.layers.map(\.name)))
  }

  /// Prepared for another extent an engine computes the same, but for rounding; for its own one, the same bits.
  @Test(arguments: [32, 64, 224, 500]) func preparedExtentsOnlyChangeRounding(_ side: Int) throws {
    let (model, input) = (try Self.model(.d, dense: []), try Self.input(2))
    let expected = try ReferenceEngine(model).outputs(input).last?.values ?? []
    let largest = expected.map(\.magnitude).max() ?? 0
    var options = Self.options()
    options.extent = Extent(side: side)
    let seen = try FastEngine(model, options: options).outputs(input).last?.values ?? []
    #expect(zip(seen, expected).allSatisfy { ($0 - $1).magnitude <= largest * 3e-5 } && !seen.isEmpty)
    options.extent = Self.extent
    let (hinted, own) = (
      try FastEngine(model, options: options), try FastEngine(model, options: Self.options())
    )
    #expect(try hinted.run(input).bits == own.run(input).bits)
  }

  @Test(arguments: [false, true]) func decodingDoesNotMatter(savesMemory: Bool) throws {
    let model = try Self.model(dense: [700, 300, 5])
    for count in [1, 3] {
      let input = try Self.input(count)
      let expected = try FastEngine(model, options: Self.options(savesMemory: savesMemory)).outputs(input)
      for threads in [1, 2, 5] {
        let options = Self.options(threads: threads, savesMemory: savesMemory)
        let seen = try FastEngine(model.hidingMemory(), options: options).outputs(input)
        #expect(seen.map(\.bits) == expected.map(\.bits))
      }
    }
  }

  /// Several runs at the same time, and a run inside another one.
  @Test func runsMayTakePlaceAtTheSameTime() async throws {
    let (engine, input) = (try FastEngine(Self.model()), try Self.input(2))
    let expected = try engine.run(input).bits
    var equal = true
    try await withThrowingTaskGroup(of: [UInt32].self) { group in
      for _ in 0..<6 { group.addTask { try engine.run(input).bits } }
      for try await bits in group { equal = equal && bits == expected }
    }
    #expect(equal)
    let first = engine.network.layers[0]
    _ = try engine.run(input) { layer, output in
      guard layer == first else { return }
      let again = try engine.evaluate(layer, on: input)
      #expect(again.bits == output.bits)
    }
  }

  // What does not fit, and what cannot be read.

  @Test func whatDoesNotFitIsRefused() throws {
    let engine = try FastEngine(Self.model())
    #expect(throws: EngineError.self) { try engine.run(Self.input(1, extent: Extent(side: 31))) }
    let foreign = Layer(name: "conv9_9", operation: .softmax)
    #expect(throws: EngineError.self) { try engine.evaluate(foreign, on: Self.input(1)) }
    let broken = try Self.model().mappingTensors { tensor in
      tensor.name == "conv2_1/weight"
        ? tensor.replacing(values: BrokenValues(count: tensor.count)) : tensor
    }
    #expect(throws: EngineError.self) { try FastEngine(broken) }
    #expect(throws: EngineError.self) {
      try FastEngine(broken, options: Self.options(savesMemory: true)).run(Self.input(1))
    }
    #expect(throws: EngineError.self) {
      try engine.run(Self.input(1)) { _, _ in throw CancellationError() }
    }
  }

  /// A window that reaches farther than any scratch memory takes the reference path.
  @Test func enormousDilationsWork() throws {
    var random = SeededGenerator(seed: 6)
    var convolution = Convolution(kernel: Extent(side: 3), inputChannels: 5, outputChannels: 4)
    convolution.dilation = Extent(side: 60000)
    convolution.padding = Extent(side: 60000)
    let model = try random.model(.single(.convolution(convolution), inputChannels: 5))
    let input = try random.map(2, Extent(side: 6), channels: 5)
    let layer = model.network.layers[0]
    #expect(
      try FastEngine(model).evaluate(layer, on: input).bits
        == ReferenceEngine(model).evaluate(layer, on: input).bits)
  }
}

/// First-order bounds of rounding errors, with u = 2^-24.
///
/// - A sum of products taken in chunks: u * (length of the longest chain of additions) * (sum of |x| |w| and |b|).
/// - Winograd's F(m): u * chain * kappa * (largest |x|) * (sum of |w|), where kappa is the square of the largest
///   entry of |A| diag(row sums of |B|) |G|: 176, 537, 1565 and 7370 for m = 4 to 7.
struct RoundingBound {
  private let magnitudes: ReferenceEngine
  private let layers: [Layer]

  /// Prepares the network of magnitudes: no ReLU, all weights positive.
  init(_ model: Model) throws {
    let network = model.network
    let layers = network.layers.map { layer in
      switch layer.operation {
      case .convolution(var convolution):
        convolution.activation = .none
        return Layer(name: layer.name, operation: .convolution(convolution))
      default: return layer
      }
    }
    self.layers = layers
    magnitudes = try ReferenceEngine(
      Model(
        network: Network(
          architecture: network.architecture, inputChannels: network.inputChannels,
          inputExtent: network.inputExtent, layers: layers),
        tensors: model.tensors.map {
          $0.replacing(values: MemoryValues(try $0.values.array().map(\.magnitude)))
        }))
  }

  /// The largest error as a part of the bound, and what part of it is allowed.
  func largestError(
    of seen: FeatureMap, _ expected: FeatureMap, _ layer: Layer, _ input: FeatureMap, usesWinograd: Bool
  ) throws -> (error: Double, allowed: Double) {
    guard seen.shape == expected.shape, seen.count == expected.count,
      let own = layers.first(where: { $0.name == layer.name })
    else { return (.infinity, 0) }
    let errors = zip(seen.values, expected.values).map { (Double($0) - Double($1)).magnitude }
    guard errors.allSatisfy(\.isFinite), let error = errors.max() else { return (.infinity, 0) }
    func magnitude(_ map: FeatureMap) -> Double { Double(map.values.map(\.magnitude).max() ?? 0) }
    func sums(_ values: [Float]) throws -> Double {
      try magnitude(
        magnitudes.evaluate(own, on: FeatureMap(count: input.count, shape: input.shape, values: values)))
    }
    let positive = input.values.map(\.magnitude)
    let unit = 0x1p-24
    switch layer.operation {
    case .convolution(let convolution):
      let area = convolution.kernel.height * convolution.kernel.width
      if usesWinograd, area == 9, layer.name != "conv1_1" {
        let largest = positive.max() ?? 0
        let sum = try sums(positive.map { _ in largest })
        let chain = Double(4 * 9 + min(convolution.inputChannels, 128) + convolution.inputChannels / 128 + 4)
        return (error / (unit * chain * 7370 * sum), 1e-4)
      }
      let terms = area * convolution.inputChannels
      return (error / (unit * Double(min(terms, 128) + terms / 128 + 3) * (try sums(positive))), 0.1)
    case .dense(let dense):
      return (
        error / (unit * Double(min(dense.inputs, 256) + dense.inputs / 256 + 3) * (try sums(positive))), 0.1
      )
    case .pooling, .softmax, .sigmoid: return (error, 0)
    case .normalization(let constants):
      let s = constants.k + constants.scale * Double(constants.size) * pow(magnitude(input), 2)
      let units = 8 + constants.beta * (Double(constants.size + 3) + 2 * log2(s))
      return (error / (unit * units * magnitude(expected)), 1)
    }
  }
}

extension EngineOutput {
  /// The bits of what is put out.
  fileprivate var bits: [UInt32] {
    switch self {
    case .classes(let logits, let probabilities), .labels(let logits, let probabilities):
      logits.bits + probabilities.bits
    case .values(let values), .features(let values): values.bits
    }
  }
}
