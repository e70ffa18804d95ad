import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGKeras

/// Batch normalisations of all generations are folded by the rule of the release that wrote them, bit for bit as numpy does it.
@Suite struct KerasNormalizationTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var spread: String
    var change: @Sendable (inout ImportOptions) -> Void = { _ in }
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "keras0_bn.h5", spread: "deviation"),
    Case(name: "keras1_bn.h5", spread: "deviation") { $0.normalizationSpread = .deviation },
    Case(name: "keras1_full_bn_106_theano.h5", spread: "deviation"),
    Case(name: "keras1_full_bn_107_theano.h5", spread: "variance, epsilon outside the root"),
    Case(name: "keras1_full_bn_107_tensorflow.h5", spread: "variance"),
    Case(name: "keras1_full_bn_122_theano.h5", spread: "variance"),
    Case(name: "keras2_bn.h5", spread: "variance"),
    Case(name: "keras2_bn_no_beta.h5", spread: "variance"),
    Case(name: "keras2_full_bn_no_gamma.h5", spread: "variance"),
    Case(name: "keras2_nested_bn.h5", spread: "variance") { $0.normalizationPlace = .beforeActivation },
    Case(name: "keras3_bn.weights.h5", spread: "variance") { $0.normalizationPlace = .beforeActivation },
    Case(name: "keras3_bn.keras", spread: "variance"),
  ]

  @Test(arguments: cases)
  func isFoldedBitForBit(_ item: Case) throws {
    let model = try importedModel("keras_cases/\(item.name)", item.change)
    #expect(model.decisions["normalization-spread"]?.choice == item.spread)
    let expected = try #require(try ExpectedTensor.all()["keras_cases/\(item.name)"])
    #expect(Set(model.tensors.map(\.name)) == Set(expected.keys))
    for tensor in model.tensors {
      let wanted = try #require(expected[tensor.name])
      let found = try tensor.values.array()
      #expect(tensor.shape == wanted.shape)
      #expect("\(positionalSum(found))" == wanted.sum, "\(tensor.name)")
    }
  }

  /// Kernel, bias and all vectors of all eight normalisations stay identifiable.
  @Test func everyUnfoldedTensorIsListed() throws {
    let model = try importedModel("keras_cases/keras1_full_bn_122_theano.h5")
    #expect(model.provenance.folded.count == 8 * 6)
    #expect(model.foldedSources.map(\.name) == model.provenance.folded.map(\.name))
    #expect(
      model.provenance.folded.filter { $0.layer == "conv1_1" }.map(\.name).contains(
        "model_weights/block1_bn1/block1_bn1_running_std"))
    #expect(model.provenance.dropped.isEmpty)
    let withoutBias = try importedModel("keras_cases/keras2_bn.h5")
    #expect(withoutBias.provenance.folded.count == 8 * 5)
    #expect(withoutBias.tensor("conv1_1/bias") != nil)
  }

  @Test func weightsOfKeras1DoNotTellTheirStatistics() throws {
    let error = try #require(throws: FileError.self) { try importedModel("keras_cases/keras1_bn.h5") }
    #expect(error.code == "keras.normalization.spread")
    #expect(error.advice?.contains("--bn-spread deviation") == true)
    let variances = try importedModel("keras_cases/keras1_bn.h5") { $0.normalizationSpread = .variance }
    #expect(variances.decisions["normalization-epsilon"]?.choice == "0.001")
    let deviations = try importedModel("keras_cases/keras1_bn.h5") { $0.normalizationSpread = .deviation }
    #expect(deviations.decisions["normalization-epsilon"]?.choice == "1e-06")
    #expect(try variances.values() != deviations.values())
  }

  @Test func usersWordOnEpsilonCounts() throws {
    let name = "keras_cases/keras2_full_bn_no_gamma.h5"
    let configured = try importedModel(name)
    #expect(configured.decisions["normalization-epsilon"] == nil)
    let same = try importedModel(name) { $0.normalizationEpsilon = 1.001e-5 }
    #expect(try same.values() == configured.values())
    #expect(same.decisions["normalization-epsilon"]?.evidence == "asked for")
    #expect(try importedModel(name) { $0.normalizationEpsilon = 0.1 }.values() != configured.values())
  }

  @Test func insideOfAModelTheOrderIsTheUsersWord() throws {
    let error = try #require(throws: FileError.self) { try importedModel("keras_cases/keras2_nested_bn.h5") }
    #expect(error.code == "keras.normalization.order")
    #expect(error.advice?.contains("--bn-before-activation") == true)
  }

  @Test(arguments: [
    ("0.3.3", false, NormalizationSpread.deviation, 1e-6), ("1.0.5", true, .deviation, 1e-6),
    ("1.0.6", false, .deviation, 1e-6), ("1.0.6", true, .variance, 1e-6),
    ("1.0.7", false, .varianceRoot, 1e-6), ("1.0.7", true, .variance, 1e-6),
    ("1.0.8", false, .variance, 1e-5), ("1.1.2", true, .variance, 1e-5), ("1.2.0", false, .variance, 1e-3),
  ])
  func releasesOfKeras1(
    _ version: String, isOfTensorFlow: Bool, _ kind: NormalizationSpread, _ epsilon: Double
  ) throws {
    let convention = try NormalizationConvention(
      NormalizationConvention.Evidence(
        writer: .keras1, version: version, isOfTensorFlow: isOfTensorFlow, epsilonIsConfigured: true,
        name: "bn"),
      file: "f", options: ImportOptions())
    #expect(convention.spreadKind == kind)
    #expect(convention.epsilon == epsilon)
  }

  @Test func releasesAreComparedByNumbers() {
    #expect(ReleaseNumber("1.0.10").map { $0 > ReleaseNumber(1, 0, 9) } == true)
    #expect(ReleaseNumber("2.6.0-tf") == ReleaseNumber(2, 6, 0))
    #expect(ReleaseNumber("3") == ReleaseNumber(3, 0, 0))
    #expect(ReleaseNumber("") == nil && ReleaseNumber("tf") == nil)
  }
}
