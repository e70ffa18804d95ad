import Foundation
import TestSupport
import Testing

/// Damaged files through the whole command, with the process that parses HDF5: read or refused, nothing else.
///
/// The environment variable `VGGCONV_MUTANTS` asks for more of them, and `VGGCONV_SEED` for others.
@Suite struct MutatedFileTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let count = environment["VGGCONV_MUTANTS"].flatMap(Int.init) ?? 20
  private static let seed = environment["VGGCONV_SEED"].flatMap(UInt64.init) ?? 1

  @Test(arguments: [
    "keras_cases/keras0.h5", "keras_cases/keras1_th_theano.h5", "keras_cases/keras2_compressed.h5",
    "keras_cases/keras2_full_optimizer.h5", "keras_cases/keras2_latest_format.h5",
    "keras_cases/keras2_variable_strings.h5", "keras_cases/keras3_nested.weights.h5",
    "keras_cases/keras3_deflated.keras", "bad/control_ok.caffemodel", "native/vgg_a_lrn_1.0.vggw",
  ])
  func isReadOrRefused(_ name: String) throws {
    let original = Array(try Data(contentsOf: URL(filePath: fixture(name))))
    // What is not zero is where the structure is.
    let places = original.indices.filter { original[$0] != 0 }
    var random = SeededGenerator(
      seed: MutatedFileTests.seed &+ name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
    var refused = 0
    for _ in 0..<MutatedFileTests.count {
      let mutant = MutatedFileTests.mutant(of: original, at: places, using: &random)
      try withTemporaryFolder { folder in
        try Data(mutant).write(to: URL(filePath: "\(folder)/mutant"))
        let command = name.hasSuffix(".vggw") ? ["checksum"] : ["import", "-o", "m.vggw"]
        let (process, memory) = try MemoryWatch.run(command + ["mutant"], in: folder, patience: 60)
        #expect(!memory.isHung && memory.remaining.isEmpty)
        #expect([0, 65].contains(process.status), "\(process.status): \(process.errors)")
        if process.status == 65 {
          refused += 1
          #expect(
            process.errorLines.count == 1 && process.errors.hasPrefix("vggconv: mutant"), "\(process.errors)")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(left == (process.status == 0 && command[0] == "import" ? ["m.vggw", "mutant"] : ["mutant"]))
      }
    }
    if MutatedFileTests.environment["VGGCONV_MUTANTS"] != nil {
      print("\(name): \(refused) of \(MutatedFileTests.count) refused")
    }
  }

  private static func mutant(
    of original: [UInt8], at places: [Int], using random: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let place = min(places.randomElement(using: &random) ?? 0, bytes.count - 1)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
      case 2: bytes[place] = .random(in: .min ... .max, using: &random)
      case 3:
        let source = places.randomElement(using: &random) ?? 0
        let count = max(0, min(8, original.count - source, bytes.count - place))
        bytes.replaceSubrange(place..<place + count, with: original[source..<source + count])
      default: bytes.removeLast(Int.random(in: 0..<bytes.count / 2, using: &random))
      }
    }
    return bytes
  }
}
