import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGInterchange

/// TFLite files as users meet them; other programs run them in `Tests/Interop/tflite.py`.
@Suite struct TFLiteCommandTests {
  @Test(
    "Models of TensorFlow's converter give what LiteRT gives",
    arguments: [
      ("a", "float"), ("a", "float16"), ("a", "int8"), ("c", "float"), ("c", "int8_of_floats"),
      ("mean", "float"),
      ("features", "int8"),
    ])
  func outputs(_ network: String, _ kind: String) throws {
    let archive = try NumPyArchive(try MappedFile(path: fixture("tflite/outputs.npz")))
    try withTemporaryFolder { folder in
      try python(
        "import numpy as np; np.savez('in.npz', input=np.load('\(fixture("tflite/outputs.npz"))')['input_\(network)'])",
        in: folder)
      let run = try CommandProcess.run(
        [
          "run", fixture("tflite/\(network)_\(kind).tflite"), "\(folder)/in.npz", "--save-activations",
          "\(folder)/out.npz",
        ])
      try #require(run.status == 0, "\(run.errors)")
      let activations = try NumPyArchive(try MappedFile(path: "\(folder)/out.npz"))
      let layer = network == "features" ? "pool5" : "prob"
      let seen = try #require(try activations.array(layer)).values()
      let right = try #require(try archive.array("output_\(network)_\(kind)")).values()
      #expect(seen.count == right.count)
      // Codes are the same codes; sums of reals of at most a few hundred products are in another order.
      let limit: Float = kind.hasPrefix("int8") ? 0 : 1e-5
      #expect(zip(seen, right).allSatisfy { abs($0 - $1) <= limit }, "\(seen) \(right)")
    }
  }

  @Test func thereAndBack() throws {
    try withModel { model, folder in
      let (file, back) = ("\(folder)/m.tflite", "\(folder)/back.vggw")
      let exported = try CommandProcess.run(["export", model, "--to", "tflite", "-o", file])
      #expect(exported.status == 0 && exported.output.contains("m.tflite"), "\(exported.errors)")
      #expect(exported.errors.contains("'vggconv'"))
      #expect(try CommandProcess.run(["export", model, "--to", "tflite", "-o", file]).status == 73)
      #expect(try CommandProcess.run(["import", file, "-o", back]).status == 0)
      let digests = try [model, back].map { path in
        try CommandProcess.run(["inspect", path]).output.split(separator: "\n").first {
          $0.hasPrefix("weights")
        }
      }
      #expect(digests[0] != nil && digests[0] == digests[1])
      #expect(try CommandProcess.run(["verify", file, back]).status == 0)
      #expect(
        try CommandProcess.run(["export", model, "--to", "npz", "--runtime", "tflm", "-o", file]).status == 64
      )
    }
  }
}
