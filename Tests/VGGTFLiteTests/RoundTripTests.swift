import Testing
import VGGExport
import VGGModel
import VGGTensors

@Suite("What is exported to TFLite is imported again")
struct RoundTripTests {
  @Test(arguments: TestNetwork.all)
  func reals(_ network: TestNetwork) throws {
    let isOfAnySize = network.network.inputExtent == nil
    for kind in WeightKind.allCases {
      let model = try network.model(kind)
      let bytes = try exported(model)
      #expect(try bytes == exported(model), "the same bytes each time")
      let other = try imported(bytes)
      try expectSame(model, other)
      #expect(other.provenance.format == "tflite" && other.provenance.generation.hasPrefix("vggconv-"))
      let widened = try exported(model, dequantizes: true)
      #expect(try imported(widened).tensors.allSatisfy { $0.elementType == .real(.float32) })
    }
    #expect(isOfAnySize == (try imported(exported(network.model(.float32))).network.inputExtent == nil))
  }

  @Test(
    arguments: TestNetwork.all.filter {
      $0.network.architecture != .aLRN && !$0.testDescription.contains("means")
    })
  func integers(_ network: TestNetwork) throws {
    for rounding in IntegerArithmetic.Rounding.allCases {
      let model = try network.integerModel(rounding)
      for runtime in TFLiteExporter.Runtime.allCases {
        try expectSame(model, imported(exported(model, for: runtime)))
      }
      let dequantized = try imported(exported(model, dequantizes: true))
      #expect(dequantized.integerArithmetic == nil)
      for (tensor, other) in zip(model.tensors, dequantized.tensors) {
        #expect(try tensor.values.array() == other.values.array())
      }
    }
  }

  @Test func everyNetworkIsThere() {
    #expect(Set(TestNetwork.all.map(\.network.architecture)).count == 6)
  }
}
