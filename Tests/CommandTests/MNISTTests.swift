import JSONKit
import TestSupport
import Testing

/// The network of MNIST, which is not as sure of itself as those of the small digits: whatever a precision loses shows here.
@Suite struct MNISTTests {
  /// Keras is right for 971 of 1000.
  @Test(arguments: ["fp32", "fp16"])
  func accuracyIsThatOfKeras(precision: String) throws {
    try withModel("keras/vgg_d_mnist.weights.h5", ["--to", precision]) { model, _ in
      let process = try CommandProcess.run(["evaluate", model, fixture("mnist_test.npz"), "--json"])
      let report = try JSONValue(parsing: Array(process.output.utf8))
      #expect(report["count"]?.integer == 1000 && report["top1Correct"]?.integer == 971)
    }
  }
}
