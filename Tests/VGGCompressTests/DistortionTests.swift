import Synchronization
import Testing
import VGGBytes
import VGGCompress
import VGGModel
import VGGTensors

/// What is reported of a change of precision, and which layers it harms.
@Suite struct DistortionTests {
  private static func distortion(_ values: [Float], to precision: Precision) throws -> TensorDistortion {
    var values = values
    let model = try CompressTests.model().mappingTensors { tensor in
      guard tensor.name == "fc8/weight" else { return tensor }
      values += Array(repeating: 0.5, count: tensor.count - values.count)
      return tensor.replacing(values: MemoryValues(values))
    }
    return try TensorDistortion(
      from: try #require(model.tensor("fc8/weight")),
      to: try #require(model.applying(.quantize(to: precision)).tensor("fc8/weight")))
  }

  @Test func halfPrecisionCountsWhatLeavesItsRange() throws {
    // The limits of binary16: 65504, normal from 2^-14, subnormal from 2^-24, ties to even.
    let distortion = try Self.distortion(
      [
        65504, 65519.996, 65520, -1e30,  // the last two overflow
        0x1p-14, 0x1.8p-15, 0x1p-24, -0x1.01p-25,  // three subnormals
        0x1p-25, -1e-30, 0,  // two that become zero
      ], to: .fp16)
    #expect(distortion.overflowCount == 2)
    #expect(distortion.subnormalCount == 3)
    #expect(distortion.newZeroCount == 2 && distortion.zeroCount == 3)
    #expect(distortion.largestMagnitude == 1e30 && distortion.smallestMagnitude == 1e-30)
  }

  @Test func bfloat16HasTheRangeOfFloat32() throws {
    let distortion = try Self.distortion(
      [65520, -1e30, 1e-30, 0x1p-130, .greatestFiniteMagnitude], to: .bf16)
    #expect(distortion.overflowCount == 1)  // Only what rounds up to 2^128.
    #expect(distortion.subnormalCount == 1 && distortion.newZeroCount == 0)
  }

  @Test func int8HasNoSubnormals() throws {
    let distortion = try Self.distortion([1e-20, 0.75], to: .int8)
    #expect(distortion.subnormalCount == 0 && distortion.newZeroCount == 1 && distortion.overflowCount == 0)
  }

  /// Counted again one by one, with each way to share a scale.
  @Test(arguments: [
    QuantizationSettings(.int8, scaleRule: .percentile(80)),
    .init(.int8, scaleRule: .percentile(99), int8Scales: .tensor), .init(.int4),
    .init(.int4, scaleRule: .percentile(70), groupLength: .of32, hasZeroPoints: true),
    .init(.int8, scaleRule: .largestMagnitude), .init(.fp16),
  ])
  func whatIsCutOffIsCounted(_ settings: QuantizationSettings) throws {
    let before = try #require(CompressTests.model(seed: 4).tensor("fc7/weight"))
    let after = try #require(CompressTests.model(seed: 4).applying(.quantize(settings)).tensor("fc7/weight"))
    let (old, new) = (try before.values.array(), try after.values.array())
    // What lies right between the last code and the one that there is not may count or not.
    var (expected, ties) = (0, 0)
    for index in old.indices {
      guard let codes = after.quantization else { break }
      let scale = codes.parameters(ofElement: index, rowLength: before.shape[1]).scale
      let steps = (old[index] - new[index]).magnitude / scale
      if steps > 0.5001 { expected += 1 } else if steps > 0.4999 { ties += 1 }
    }
    let counted = try TensorDistortion(from: before, to: after).clippedCount
    #expect((expected...expected + ties).contains(counted))
    #expect((expected == 0) == (settings.scaleRule == .largestMagnitude || settings.precision == .fp16))
    // A second time nothing changes, and nothing is cut off.
    #expect(try TensorDistortion(from: after, to: after).clippedCount == 0)
  }

  /// One huge weight in a channel leaves nothing of its neighbours in int8.
  private static func modelWithOutliers() throws -> Model {
    try CompressTests.model().mappingTensors { (tensor) throws(FileError) in
      guard tensor.name == "conv1_1/weight" || tensor.name == "fc7/weight" else { return tensor }
      var values = try tensor.values.array()
      let outputs = tensor.shape[tensor.shape.count - 1]
      for channel in 0..<outputs { values[channel] = tensor.name == "fc7/weight" ? 1e6 : 90 }
      // The ratio counts all values, so the outliers themselves must not be most of the signal.
      return tensor.replacing(
        values: MemoryValues(values.enumerated().map { $0 < outputs ? $1 : $1 * 4 }))
    }
  }

  @Test func layersThatAPrecisionHarmsAreFound() throws {
    #expect(try CompressTests.model().layersHarmed(by: QuantizationSettings(.int8), below: 30).isEmpty)
    let all = CompressTests.layerNames
    #expect(try CompressTests.model().layersHarmed(by: QuantizationSettings(.int8), below: 200) == all)
    #expect(try CompressTests.model().layersHarmed(by: QuantizationSettings(.fp32), below: 200).isEmpty)
    // fc7's millions do not fit fp16 at all.
    #expect(try Self.modelWithOutliers().layersHarmed(by: QuantizationSettings(.fp16), below: 30) == ["fc7"])
    let distortion = try TensorDistortion(
      from: #require(Self.modelWithOutliers().tensor("conv1_1/weight")),
      to: #require(Self.modelWithOutliers().applying(.quantize(to: .int8)).tensor("conv1_1/weight")))
    let least = distortion.signalToNoise + 0.1
    #expect(
      try Self.modelWithOutliers().layersHarmed(by: QuantizationSettings(.int8), below: least).first
        == "conv1_1")
  }

  @Test func harmedLayersAreSparedByThePassThatWouldHarmThem() throws {
    let model = try Self.modelWithOutliers()
    let spared = try model.sparingHarmedLayers(in: [.quantize(to: .fp16, keeping: ["fc8"])])
    #expect(
      try model.applying(spared).provenance.passes == [.quantize(to: .fp16, keeping: ["fc7", "fc8"])])
    // Each pass is asked about the model as the passes before leave it.
    let narrowing = Pass.quantize(to: .fp16)
    #expect(try model.sparingHarmedLayers(in: [.dropDense, narrowing]) == [.dropDense, narrowing])
    #expect(
      try model.sparingHarmedLayers(in: [narrowing, .prune(fraction: 1), narrowing])
        == [.quantize(to: .fp16, keeping: ["fc7"]), .prune(fraction: 1), narrowing])
  }

  private final class Counter: Sendable {
    private let total = Mutex(0)

    var count: Int { total.withLock { $0 } }
    func add(_ amount: Int) { total.withLock { $0 += amount } }
  }

  /// Counts how often values are read.
  private struct CountedValues: TensorValues {
    let base: any TensorValues
    let readCount: Counter

    var count: Int { base.count }

    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
      readCount.add(range.count)
      try base.read(range, into: destination)
    }
  }

  @Test func whatAPassHasFoundIsNotSoughtAgain() throws {
    let counter = Counter()
    let model = try Self.modelWithOutliers().mappingTensors { tensor in
      tensor.replacing(values: CountedValues(base: tensor.values, readCount: counter))
    }
    func reads(_ body: () throws -> Model) rethrows -> (count: Int, result: Model) {
      let before = counter.count
      let result = try body()
      return (counter.count - before, result)
    }
    let (prune, narrow) = (Pass.prune(fraction: 0.5), Pass.quantize(to: .fp16))
    let pruned = try reads { try model.applying(prune) }
    let narrowed = try reads { try pruned.result.applying([narrow], sparingHarmedLayers: true) }
    let both = try reads { try model.applying([prune, narrow], sparingHarmedLayers: true) }
    #expect(pruned.count > 0 && narrowed.count > 0)
    #expect(both.count == pruned.count + narrowed.count)
    #expect(both.result.provenance.passes == [prune, .quantize(to: .fp16, keeping: ["fc7"])])
    #expect(narrowed.result.provenance == both.result.provenance)
  }

  @Test(arguments: Precision.allCases) func keptLayersStayAsTheyAre(_ precision: Precision) throws {
    let model = try CompressTests.model()
    let converted = try model.applying(.quantize(to: precision, keeping: ["conv1_1", "fc8"]))
    for layer in CompressTests.layerNames {
      let (before, after) = (
        try #require(model.tensor("\(layer)/weight")), try #require(converted.tensor("\(layer)/weight"))
      )
      let isKept = ["conv1_1", "fc8"].contains(layer) || precision == .fp32
      #expect((after.elementType == before.elementType) == isKept, "\(layer)")
      #expect((try after.values.array() == before.values.array()) == isKept, "\(layer)")
    }
    #expect(converted.provenance.passes == [.quantize(to: precision, keeping: ["conv1_1", "fc8"])])
  }
}

extension CompressTests {
  /// The layers with weights of `model()`.
  static let layerNames = Architecture.d.convolutionNames + ["fc6", "fc7", "fc8"]
}
