import Foundation
import TestSupport
import Testing

/// Models of the TensorFlow Model Optimization Toolkit.
@Suite struct FieldWrappedTests {
  @Test(
    arguments: [
      ("pruned_wrapped", "for pruning", "tfmot.sparsity.keras.strip_pruning"),
      ("clustered_wrapped", "for clustering", "tfmot.clustering.keras.strip_clustering"),
      ("qat", "for quantisation-aware training", "quantize_model"),
    ], ["full", "weights"])
  func wrappedModelsAreRefusedWithAdvice(_ model: (String, String, String), _ form: String) throws {
    let message = try fieldRefusal("tfmot", "\(model.0)_\(form).h5")
    #expect(message.contains("is still wrapped \(model.1)") && message.contains(model.2), "\(message)")
  }

  /// Half of the weights are zero, and many of those are -0.0.
  @Test(arguments: ["pruned_stripped_full.h5", "pruned_stripped_weights.h5"])
  func strippedModelsAreRead(_ file: String) throws {
    struct Expected: Decodable { var pruned: [Float] }
    let data = try Data(contentsOf: URL(filePath: fixture("field/tfmot/expected.json")))
    let expected = try JSONDecoder().decode(Expected.self, from: data).pruned
    let found = try fieldActivations("tfmot", file, input: "input.npy")
    #expect(found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}
