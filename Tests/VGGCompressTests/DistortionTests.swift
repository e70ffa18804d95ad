import Testing
import VGGBytes
import VGGCompress
import VGGModel
import VGGTensors

/// What is reported of a change of precision, and which layers it harms.
@Suite struct DistortionTests {
  private static func change(_ values: [Float], to precision: Precision) throws -> TensorDistortion {
    var values = values
    let model = try CompressTests.model().mappingTensors(pass: nil) { tensor in
      guard tensor.name == "fc8/weight" else { return tensor }
      values += Array(repeating: 0.5, count: tensor.count - values.count)
      return tensor.replacing(values: MemoryValues(values))
    }
    return try TensorDistortion(
      from: try #require(model.tensor("fc8/weight")),
      to: try #require(model.converted(to: precision).tensor("fc8/weight")))
  }

  @Test func halfPrecisionCountsWhatLeavesItsRange() throws {
    // The limits of binary16: 65504, normal from 2^-14, subnormal from 2^-24, ties to even.
    let change = try Self.change(
      [
        65504, 65519.996, 65520, -1e30,  // the last two overflow
        0x1p-14, 0x1.8p-15, 0x1p-24, -0x1.01p-25,  // three subnormals
        0x1p-25, -1e-30, 0,  // two that become zero
      ], to: .fp16)
    #expect(change.overflowCount == 2)
    #expect(change.subnormalCount == 3)
    #expect(change.newZeroCount == 2 && change.zeroCount == 3)
    #expect(change.largestMagnitude == 1e30 && change.smallestMagnitude == 1e-30)
  }

  @Test func bfloat16HasTheRangeOfFloat32() throws {
    let change = try Self.change([65520, -1e30, 1e-30, 0x1p-130, .greatestFiniteMagnitude], to: .bf16)
    #expect(change.overflowCount == 1)  // Only what rounds up to 2^128.
    #expect(change.subnormalCount == 1 && change.newZeroCount == 0)
  }

  @Test func int8HasNoSubnormals() throws {
    let change = try Self.change([1e-20, 0.75], to: .int8)
    #expect(change.subnormalCount == 0 && change.newZeroCount == 1 && change.overflowCount == 0)
  }

  /// One huge weight in a channel leaves nothing of its neighbours in int8.
  private static func modelWithOutliers() throws -> Model {
    try CompressTests.model().mappingTensors(pass: nil) { (tensor) throws(FileError) in
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
    #expect(try CompressTests.model().layersHarmed(by: .int8, below: 30).isEmpty)
    let all = CompressTests.layerNames
    #expect(try CompressTests.model().layersHarmed(by: .int8, below: 200) == all)
    #expect(try CompressTests.model().layersHarmed(by: .fp32, below: 200).isEmpty)
    // fc7's millions do not fit fp16 at all.
    #expect(try Self.modelWithOutliers().layersHarmed(by: .fp16, below: 30) == ["fc7"])
    let change = try TensorDistortion(
      from: #require(Self.modelWithOutliers().tensor("conv1_1/weight")),
      to: #require(Self.modelWithOutliers().converted(to: .int8).tensor("conv1_1/weight")))
    let least = change.signalToNoise + 0.1
    #expect(try Self.modelWithOutliers().layersHarmed(by: .int8, below: least).first == "conv1_1")
  }

  @Test(arguments: Precision.allCases) func keptLayersStayAsTheyAre(_ precision: Precision) throws {
    let model = try CompressTests.model()
    let converted = try model.converted(to: precision, keeping: ["conv1_1", "fc8"])
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
