import Foundation
import TestSupport
import Testing

/// Every seed and every input that ever made a reader fail, through the functions that the fuzzer calls.
///
/// A reader that fails again ends the test run with a trap, which names the input's reader in its message.
@Suite struct ReplayTests {
  private func inputs(_ folder: String, of target: FuzzTarget) throws -> [Data] {
    let path = "\(packageRoot)/Tests/Fuzz/\(folder)/\(target.rawValue)"
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted().map {
      try Data(contentsOf: URL(filePath: "\(path)/\($0)"))
    }
  }

  private func isAccepted(_ input: Data, by target: FuzzTarget) -> Bool {
    input.withUnsafeBytes { target.accepts($0.bindMemory(to: UInt8.self)) }
  }

  @Test(arguments: FuzzTarget.allCases)
  func seedsAreReadAndTheirHalvesRefused(_ target: FuzzTarget) throws {
    let seeds = try inputs("Corpus", of: target)
    // Seeds that no longer get through would leave the fuzzer at the door.
    #expect(seeds.contains { isAccepted($0, by: target) })
    #expect(seeds.contains { !isAccepted($0.prefix($0.count / 2), by: target) })
  }

  @Test(arguments: FuzzTarget.allCases)
  func formerFailures(_ target: FuzzTarget) throws {
    for input in try inputs("FailCases", of: target) { _ = isAccepted(input, by: target) }
  }
}
