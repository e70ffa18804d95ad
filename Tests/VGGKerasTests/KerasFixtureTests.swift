import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources
import VGGTensors

@testable import VGGKeras

/// The files that Keras itself wrote: every tensor is what h5py reads.
@Suite struct KerasFixtureTests {
  struct Fixture: CustomTestStringConvertible, Sendable {
    var name: String
    var architecture: Architecture
    var generation: String
    var testDescription: String { name }
  }

  static let fixtures = [
    Fixture(name: "keras/vgg_a_digits.h5", architecture: .a, generation: "keras-2-weights"),
    Fixture(name: "keras/vgg_a_lrn.h5", architecture: .aLRN, generation: "keras-2-weights"),
    Fixture(name: "keras/vgg_b.h5", architecture: .b, generation: "keras-2-weights"),
    Fixture(name: "keras/vgg_c.h5", architecture: .c, generation: "keras-2-weights"),
    Fixture(name: "keras/vgg_d_digits.h5", architecture: .d, generation: "keras-2-weights"),
    Fixture(name: "keras/vgg_d_digits_full.h5", architecture: .d, generation: "keras-2-model"),
    Fixture(name: "keras/vgg_d_digits.weights.h5", architecture: .d, generation: "keras-3-weights"),
    Fixture(name: "keras/vgg_d_digits.keras", architecture: .d, generation: "keras-3-archive"),
    Fixture(name: "keras/vgg_d_mnist.weights.h5", architecture: .d, generation: "keras-3-weights"),
    Fixture(name: "keras/vgg_d_notop.h5", architecture: .d, generation: "keras-2-weights"),
    Fixture(name: "keras/vgg_e.h5", architecture: .e, generation: "keras-2-weights"),
    Fixture(name: "bad/control_ok.h5", architecture: .a, generation: "keras-2-weights"),
    Fixture(name: "bad/control_ok.keras", architecture: .a, generation: "keras-3-archive"),
  ]

  /// The constants that Caffe's file of the same network states.
  static let normalization = LocalResponseNormalization(size: 5, scale: 0.0001 / 5, beta: 0.75, k: 1)

  @Test(arguments: fixtures)
  func isReadValueForValue(_ fixture: Fixture) throws {
    let model = try importedModel(fixture.name) {
      if fixture.architecture == .aLRN { $0.normalization = Self.normalization }
    }
    #expect(model.network.architecture == fixture.architecture)
    #expect(model.provenance.format == "keras")
    #expect(model.provenance.generation == fixture.generation)
    let expected = try #require(try ExpectedTensor.all()[fixture.name])
    #expect(Set(model.tensors.map(\.name)) == Set(expected.keys))
    for tensor in model.tensors {
      let found = try tensor.values.array()
      let wanted = try #require(expected[tensor.name])
      #expect(tensor.shape == wanted.shape, "\(tensor.name)")
      for (index, value) in wanted.values {
        #expect(found[try #require(Int(index))] == Float(value), "\(tensor.name)[\(index)]")
      }
      #expect("\(positionalSum(found))" == wanted.sum, "\(tensor.name)")
    }
  }

  @Test(arguments: fixtures)
  func refersToTheFileWithoutACopy(_ fixture: Fixture) throws {
    let file = try MappedFile(path: TestSupport.fixture(fixture.name))
    let model = try importedModel(fixture.name) {
      $0.normalization = fixture.architecture == .aLRN ? .paper : nil
    }
    for tensor in model.tensors {
      let source = try #require(tensor.source)
      let offset = try #require(source.fileOffset, "\(tensor.name)")
      let inFile = try #require(file.bytes.slice(at: offset, count: tensor.count * 4))
      let isSame = inFile.withBytes { wanted in source.bytes.withBytes { $0.elementsEqual(wanted) } }
      #expect(isSame, "\(tensor.name)")
    }
  }

  @Test(arguments: ["_full.h5", ".weights.h5", ".keras"])
  func allFormsOfANetworkHoldTheSame(_ ending: String) throws {
    let weights = try importedModel("keras/vgg_d_digits.h5").values()
    #expect(try importedModel("keras/vgg_d_digits\(ending)").values() == weights)
  }

  @Test func aNetworkWithoutTopHasTheSameConvolutions() throws {
    let convolutions = try importedModel("keras/vgg_d_digits.h5").values().filter { $0.key.hasPrefix("conv") }
    let model = try importedModel("keras/vgg_d_notop.h5")
    #expect(try model.values() == convolutions)
    #expect(!model.network.hasTop)
    #expect(model.decisions["flatten-order"] == nil)
  }

  @Test func inputExtentComesFromConfigurationOrFirstDenseLayer() throws {
    let full = try importedModel("keras/vgg_d_digits_full.h5")
    #expect(full.network.inputExtent == Extent(side: 64))
    #expect(full.decisions["input-size"] == nil)
    let weights = try importedModel("keras/vgg_d_digits.h5")
    #expect(weights.network.inputExtent == Extent(side: 64))
    #expect(weights.decisions["input-size"]?.evidence == "fc1 reads 2x2 pixels of 64 channels")
    #expect(try importedModel("keras/vgg_d_notop.h5").network.inputExtent == nil)
  }

  @Test func stateOfTheOptimizerIsDroppedByName() throws {
    let model = try importedModel("keras/vgg_d_digits_full.h5")
    #expect(
      model.provenance.dropped == [
        .init("optimizer_weights/iteration:0", because: "state of the optimizer")
      ])
    #expect(try importedModel("keras/vgg_d_digits.h5").provenance.dropped.isEmpty)
  }

  @Test func preprocessingIsAssumedAndSaidSo() throws {
    let model = try importedModel("keras/vgg_d_digits.h5")
    #expect(model.preprocessing == .released(for: Extent(side: 64)))
    #expect(model.decisions["preprocessing"]?.choice.hasPrefix("assumed") == true)
  }

  @Test func normalisationTakesTheConstantsAskedFor() throws {
    let model = try importedModel("keras/vgg_a_lrn.h5") { $0.normalization = Self.normalization }
    #expect(
      model.network.layers.prefix(3).map(\.operation).contains(.normalization(Self.normalization)))
    #expect(model.decisions["normalization"]?.evidence == "asked for; block1_lrn stands in its place")
  }

  @Test func sourceIsNamedWithoutItsFolder() throws {
    let provenance = try importedModel("keras/vgg_b.h5").provenance
    #expect(provenance.sourceName == "vgg_b.h5")
    let file = try MappedFile(path: fixture("keras/vgg_b.h5"))
    #expect(provenance.sourceByteCount == file.bytes.count)
  }
}
