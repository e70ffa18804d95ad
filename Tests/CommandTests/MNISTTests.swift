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

  /// What a precision costs in points, on pictures that the network has not seen.
  @Test(arguments: [
    ("--to int8", 0.3), ("--to int8 --scale-rule absmax", 0.3), ("--to int8 --scales tensor", 0.3),
    ("--to int4", 0.5), ("--to int4 --zero-points --group-size 32", 0.5),
    ("--max-distance 0.001", 0.3),
  ])
  func precisionsCostLittle(_ options: String, _ points: Double) throws {
    try withModel("keras/vgg_d_mnist.weights.h5") { model, folder in
      let words = options.split(separator: " ").map(String.init)
      let process = try CommandProcess.run(
        ["quantize", model, "-o", "q.vggw", "--evaluate", fixture("mnist_test.npz"), "--json"] + words,
        in: folder)
      #expect(process.status == 0, "\(process.output)")
      let accuracy = try #require(JSONValue(parsing: Array(process.output.utf8))["accuracy"])
      let (before, after) = (
        try #require(accuracy["before"]?["top1Correct"]?.integer),
        try #require(accuracy["after"]?["top1Correct"]?.integer)
      )
      #expect(before == 971 && Double(before - after) / 10 <= points, "\(after)")
    }
  }
}
