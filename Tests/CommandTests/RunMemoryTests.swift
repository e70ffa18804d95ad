import Foundation
import TestSupport
import Testing
import VGGModel
import VGGNative
import VGGTensors

/// A model that is stored in less takes no more memory to run.
@Suite struct RunMemoryTests {
  /// A network whose dense layers have 40 MB of weights as float32, and little else.
  private func model() throws -> Model {
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [2, 3, 4, 5, 6], denseWidths: [3200, 3200, 10])
    var random = SeededGenerator(seed: 1)
    let some = (0..<4099).map { _ in Float.random(in: -0.05...0.05, using: &random) }
    let tensors = network.tensorRequirements.map { needed in
      let count = needed.shape.reduce(1, *)
      var values: [Float] = []
      values.reserveCapacity(count + some.count)
      while values.count < count { values += some }
      return Tensor(
        name: needed.name, role: needed.role, shape: needed.shape,
        values: MemoryValues(Array(values.prefix(count))))
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil,
      provenance: Provenance(sourceName: "", sourceByteCount: 0, format: "test", generation: "test"))
  }

  @Test(arguments: [[], ["--low-memory"]]) func noFormatTakesMoreThanFloat32(_ options: [String]) throws {
    try withTemporaryFolder { folder in
      try VGGWFile.write(model(), to: "\(folder)/fp32.vggw")
      for command in [
        ["quantize", "fp32.vggw", "--to", "int8", "-o", "int8.vggw"],
        ["quantize", "fp32.vggw", "--to", "int4", "-o", "int4.vggw"],
        ["quantize", "fp32.vggw", "--to", "fp16", "-o", "fp16.vggw"],
        ["quantize", "fp32.vggw", "--to", "bf16", "-o", "bf16.vggw"],
        ["prune", "fp32.vggw", "--fc", "0.9", "-o", "sparse.vggw"],
        ["prune", "int8.vggw", "--fc", "0.9", "-o", "sparse-int8.vggw"],
      ] {
        let process = try CommandProcess.run(command + ["--no-verify"], in: folder)
        try #require(process.status == 0, "\(process.errors)")
      }
      func peak(_ name: String) throws -> Int {
        let (process, memory) = try MemoryWatch.run(
          ["bench", "\(name).vggw", "--repeat", "3", "--threads", "2"] + options, in: folder)
        try #require(process.status == 0, "\(process.errors)")
        return memory.peakPrivateBytes
      }
      let plain = try peak("fp32")
      for name in ["int8", "int4", "fp16", "bf16", "sparse", "sparse-int8"] {
        // Codes are read where they lie. Of the others the pieces that are decoded and their sums; the weights would be 40 MB.
        let allowed = name.hasPrefix("int") ? 1 << 20 : 6 << 20
        let seen = try peak(name)
        #expect(seen <= plain + allowed, "\(name): \(seen), float32: \(plain)")
      }
    }
  }
}
