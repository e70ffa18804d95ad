import Foundation
import TestSupport
import Testing
import VGGBytes

@testable import VGGHDF5

/// Damaged files give a tree or an error, in time, whatever they do to the library.
///
/// The environment variable `VGGCONV_MUTANTS` asks for more of them, and `VGGCONV_SEED` for others.
@Suite struct MutationTests {
  static let environment = ProcessInfo.processInfo.environment
  static let count = environment["VGGCONV_MUTANTS"].flatMap(Int.init) ?? 12
  static let seed = environment["VGGCONV_SEED"].flatMap(UInt64.init) ?? 1

  @Test(arguments: [
    "plain_v0", "plain_v2", "plain_v3", "attributes_dense", "bfloat16", "chunked_filters", "chunk_fixed",
    "chunk_extensible", "chunk_tree", "compact", "shapes", "links", "virtual", "external_storage",
    "huge_shape",
    "many_links_dense",
  ])
  func mutants(name: String) throws {
    let original = try MappedFile(path: fixture("hdf5/\(name).h5")).bytes.withBytes { Array($0) }
    // The part that is not zero is where the structure is.
    let places = original.indices.filter { original[$0] != 0 }
    var random = SeededGenerator(
      seed: MutationTests.seed &+ name.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
    var outcomes: [String: Int] = [:]
    for _ in 0..<MutationTests.count {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = places.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
        case 2: bytes[place] = .random(in: .min ... .max, using: &random)
        default:
          let source = places.randomElement(using: &random) ?? 0
          let count = min(8, bytes.count - max(place, source))
          bytes.replaceSubrange(place..<place + count, with: original[source..<source + count])
        }
      }
      outcomes[outcome(of: bytes), default: 0] += 1
    }
    // A reading that nothing can disturb, or that nothing survives, would be a fault of this test.
    #expect(outcomes.values.reduce(0, +) == MutationTests.count)
    if MutationTests.environment["VGGCONV_MUTANTS"] != nil {
      print(name, outcomes.sorted { $0.value > $1.value }.map { "\($0.key): \($0.value)" })
    }
  }

  private func outcome(of bytes: [UInt8]) -> String {
    do {
      let file = try HDF5File.open(ByteRegion(copying: bytes), named: "mutant", with: HDF5Reader(seconds: 2))
      try readEverything(in: file.root, of: file)
      return "read"
    } catch {
      return error.code
    }
  }

  private func readEverything(in group: HDF5Group, of file: HDF5File) throws(FileError) {
    for (_, node) in group.children {
      switch node {
      case .group(let group): try readEverything(in: group, of: file)
      case .dataset(let dataset): _ = try file.bytes(of: dataset, maximumBytes: 1 << 20)
      case .link, .namedType: break
      }
    }
  }
}
