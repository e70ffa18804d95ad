import TestSupport
import Testing
import VGGModel
import VGGTensors

@testable import VGGKeras

/// Dense layers that Keras 3 quantised come out as the numbers that their bytes stand for, bit for bit as numpy has them.
@Suite struct KerasQuantizationTests {
  static let ways = ["int8", "int4_inputs", "int4_outputs", "int4_groups"]
  static let forms = ["keras3_WAY.weights.h5", "keras3_WAY.keras", "keras3_legacy_WAY.h5"]

  @Test(arguments: ways, forms)
  func isDequantizedBitForBit(_ way: String, _ form: String) throws {
    let name = "keras_cases/\(form.replacing("WAY", with: way))"
    let model = try importedModel(name)
    let expected = try #require(try ExpectedTensor.all()[name])
    #expect(Set(model.tensors.map(\.name)) == Set(expected.keys))
    for tensor in model.tensors {
      let wanted = try #require(expected[tensor.name])
      #expect(tensor.shape == wanted.shape, "\(tensor.name)")
      let found = try tensor.values.array()
      #expect("\(positionalSum(found))" == wanted.sum, "\(tensor.name)")
    }
    let kinds = ["int8": "int8", "int4_groups": "int4 in groups"]
    #expect(model.decisions["quantization"]?.choice.hasPrefix("\(kinds[way] ?? "int4") in ") == true)
    #expect(model.provenance.dropped.isEmpty)
  }

  /// Bytes with one weight each are not copied; packed ones have no place in the file.
  @Test func onlyPackedKernelsAreUnpacked() throws {
    let bytes = try importedModel("keras_cases/keras3_int8.weights.h5")
    #expect(bytes.tensor("fc6/weight")?.source?.fileOffset != nil)
    #expect(bytes.tensor("fc6/weight")?.source?.format.kind == .int8)
    let packed = try importedModel("keras_cases/keras3_int4_inputs.weights.h5")
    #expect(packed.tensor("fc6/weight")?.source?.fileOffset == nil)
  }

  @Test func stateOfFloat8IsDroppedTensorByTensor() throws {
    let model = try importedModel("keras_cases/keras3_float8.weights.h5")
    #expect(try model.values() == importedModel("bad/control_ok.h5").values())
    #expect(model.provenance.dropped.count == 18)
    #expect(model.provenance.dropped.first?.name == "layers/dense/vars/2")
    #expect(model.provenance.dropped.allSatisfy { $0.reason.contains("float8") })
  }

  @Test func mapsMayHaveAnyExtentOnlyWhereTheModeIsKnown() {
    let map = StoredQuantization.Inputs.map(channels: 8)
    #expect(map.fit(32, isSquare: true) && !map.fit(16, isSquare: true) && map.fit(16, isSquare: false))
    #expect(!map.fit(31, isSquare: false) && !map.fit(0, isSquare: false))
    #expect(StoredQuantization.Inputs.exactly(5).fit(5, isSquare: true))
  }
}
