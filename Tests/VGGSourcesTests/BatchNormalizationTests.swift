import Foundation
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

/// Normalisations worked into the layer before them compute what layer and normalisation compute one after the other.
@Suite struct BatchNormalizationTests {
  private static func vector(_ values: [Float], _ name: String) -> SourceTensor {
    SourceTensor(
      name: name, shape: [values.count], format: .float32,
      bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: .vector)
  }

  private static func normalization(
    channels: Int, spread: Float = 4, kind: NormalizationSpread = .variance
  ) -> BatchNormalization {
    let ramp = (0..<channels).map { Float($0 + 1) }
    return BatchNormalization(
      name: "bn", gamma: vector(ramp, "bn/gamma"), beta: vector(ramp.map { $0 / 8 }, "bn/beta"),
      mean: vector(ramp.map { -$0 / 4 }, "bn/mean"),
      spread: vector(ramp.map { $0 * $0 * spread }, "bn/spread"), spreadKind: kind, epsilon: 0.5)
  }

  /// In `FoundNetworkTests.found` each weight and bias is 0.5.
  @Test(arguments: [NormalizationSpread.variance, .deviation], [true, false])
  func weightAndBiasAreWorkedIn(_ kind: NormalizationSpread, hasBias: Bool) throws {
    var found = FoundNetworkTests.found(.b)
    found.convolutions[2].batchNormalization = Self.normalization(channels: 3, kind: kind)
    if !hasBias { found.convolutions[2].bias = nil }
    let model = try FoundNetworkTests.model(found)
    let weight = try #require(model.tensor("conv2_1/weight")).values.array()
    let bias = try #require(model.tensor("conv2_1/bias")).values.array()
    for channel in 0..<3 {
      let number = Double(channel + 1)
      let spread = number * number * 4 + 0.5
      let factor = number / (kind == .variance ? spread.squareRoot() : spread)
      #expect(weight[3 * 7 + channel] == Float(0.5 * factor))
      #expect(bias[channel] == Float(((hasBias ? 0.5 : 0) + number / 4) * factor + number / 8))
    }
    let names = hasBias ? ["t", "t"] : ["t"]
    #expect(
      model.provenance.folded.map(\.name) == names + ["bn/gamma", "bn/beta", "bn/mean", "bn/spread"])
    #expect(Set(model.provenance.folded.map(\.layer)) == ["conv2_1"])
    #expect(model.foldedSources.count == model.provenance.folded.count)
    #expect(model.provenance.decisions.contains { $0.subject == "batch-normalization" })
  }

  @Test(arguments: [Float(2), 0])
  func statisticsAreDividedByCaffesFactor(_ divisor: Float) throws {
    var found = FoundNetworkTests.found(.a)
    var normalization = Self.normalization(channels: 2)
    normalization.statisticsDivisor = Self.vector([divisor], "bn/2")
    found.convolutions[0].batchNormalization = normalization
    let bias = try #require(FoundNetworkTests.model(found).tensor("conv1_1/bias")).values.array()
    let share = divisor == 0 ? 0.0 : 0.5
    let factor = 1 / (4 * share + 0.5).squareRoot()
    #expect(bias[0] == Float((0.5 + 0.25 * share) * factor + 0.125))
  }

  @Test func whatDividesByZeroIsRefused() {
    var found = FoundNetworkTests.found(.a)
    found.convolutions[0].batchNormalization = Self.normalization(channels: 2, spread: -1)
    let error = #expect(throws: FileError.self) { try FoundNetworkTests.model(found) }
    #expect(error?.code == "model.normalization")
    #expect(error?.place == "layer bn, tensor bn/spread")
  }

  @Test func otherNumbersOfChannelsAreRefused() {
    var found = FoundNetworkTests.found(.a)
    found.convolutions[0].batchNormalization = Self.normalization(channels: 3)
    let error = #expect(throws: FileError.self) { try FoundNetworkTests.model(found) }
    #expect(error?.code == "model.normalization" && error?.allowed == "[2]")
  }

  @Test(arguments: [Float.nan, .infinity, 1e38])
  func whatIsNotFiniteIsRefused(_ value: Float) {
    var found = FoundNetworkTests.found(.a)
    var normalization = Self.normalization(channels: 2, spread: 1e-30)
    normalization.epsilon = 1e-20
    normalization.gamma = Self.vector([1, value], "bn/gamma")
    found.convolutions[0].batchNormalization = normalization
    let error = #expect(throws: FileError.self) { try FoundNetworkTests.model(found) }
    #expect(error?.code == "model.nonfinite")
  }
}
