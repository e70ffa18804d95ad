import Foundation
import TestSupport
import Testing

/// Temporary files live where `TMPDIR` says.
@Suite struct ScratchFolderTests {
  /// Files that need some: compressed data of HDF5, a compressed archive.
  private static let commands: [[String]] = [
    ["import", fixture("keras_cases/keras2_compressed.h5"), "-o", "new.vggw"],
    ["import", fixture("keras_cases/keras3_deflated.keras"), "-o", "new.vggw"],
    ["inspect", fixture("keras_cases/keras3_deflated.keras")],
  ]

  @Test(arguments: commands) func aFolderThatIsNotThereIsSaid(_ command: [String]) throws {
    try withTemporaryFolder { folder in
      let missing = "\(folder)/none"
      let process = try CommandProcess.run(
        command, in: folder, environment: ["PATH": "/usr/bin:/bin", "TMPDIR": missing])
      #expect(process.status == 74, "\(process.status) \(process.errors)")
      #expect(process.errors.contains("temporary space in \(missing)"), "\(process.errors)")
      #expect(process.errors.contains("TMPDIR") && process.errorLines.count == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      // An empty one is none, as for other programs.
      let plain = try CommandProcess.run(
        command, in: folder, environment: ["PATH": "/usr/bin:/bin", "TMPDIR": ""])
      #expect(plain.status == 0, "\(plain.errors)")
    }
  }

  @Test(arguments: commands) func nothingIsLeftThere(_ command: [String]) throws {
    try withTemporaryFolder { folder in
      let scratch = "\(folder)/scratch"
      try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
      let process = try CommandProcess.run(
        command, in: folder, environment: ["PATH": "/usr/bin:/bin", "TMPDIR": scratch])
      #expect(process.status == 0, "\(process.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: scratch).isEmpty)
    }
  }
}
