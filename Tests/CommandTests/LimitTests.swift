import Foundation
import TestSupport
import Testing

/// Under limits of the process each command ends: it succeeds, or says on one line what it lacks.
@Suite struct LimitTests {
  private static let source = fixture("keras/vgg_a_digits.h5")

  private static let commands: [[String]] = [
    ["import", source, "-o", "new.vggw"],
    ["run", "m.vggw", fixture("pictures/digit_7.png")],
    ["verify", source, "m.vggw"],
    ["inspect", source],
    ["quantize", "m.vggw", "--to", "int8", "-o", "new.vggw"],
    ["checksum", "m.vggw"],
  ]

  /// Runs a command under a limit; one that hangs is ended.
  private func run(_ command: [String], limit: String, in folder: String) throws -> CommandProcess {
    let script = "ulimit \(limit) && exec timeout 60 \"$0\" \"$@\""
    return try CommandProcess.run(
      "/bin/sh", ["-c", script, CommandProcess.executable] + command, in: folder)
  }

  @Test(arguments: ["-d 4096", "-d 16384", "-v 100000", "-n 8", "-f 16", "-s 64"])
  func eachCommandEnds(limit: String) throws {
    try withTemporaryFolder { folder in
      let imported = try CommandProcess.run(["import", Self.source, "-o", "m.vggw"], in: folder)
      try #require(imported.status == 0, "\(imported.errors)")
      for command in Self.commands {
        let process = try run(command, limit: limit, in: folder)
        let made = FileManager.default.fileExists(atPath: "\(folder)/new.vggw")
        let seen = Comment(rawValue: "\(limit) \(command[0]): \(process.status) \(process.errors)")
        // Where the system's loader or shell already lacks what it needs, none of this program runs: 127.
        #expect([0, 66, 69, 74, 127].contains(process.status), seen)
        if process.status != 0 {
          // Swift itself says a line of its own where it finds no memory.
          #expect(process.errorLines.count <= 2, seen)
          #expect(process.status == 127 || process.errorLines.last?.hasPrefix("vggconv: ") == true, seen)
        }
        #expect(process.status == 0 || !made || command[0] == "import", seen)
        try? FileManager.default.removeItem(atPath: "\(folder)/new.vggw")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["m.vggw"], seen)
      }
    }
  }

  /// Without threads everything is done by the one that there is, and gives the same bytes.
  @Test func importNeedsNoThreads() throws {
    try withTemporaryFolder { folder in
      let plain = try CommandProcess.run(["import", Self.source, "-o", "a.vggw", "--no-verify"], in: folder)
      let limited = try run(
        ["import", Self.source, "-o", "b.vggw", "--no-verify"], limit: "-d 16384", in: folder)
      #expect(plain.status == 0 && limited.status == 0, "\(limited.errors)")
      let files = try ["a", "b"].map { try Data(contentsOf: URL(filePath: "\(folder)/\($0).vggw")) }
      #expect(files[0] == files[1])
    }
  }

  @Test func aFileIsNotBlamedForTooLittleMemory() throws {
    try withTemporaryFolder { folder in
      let process = try run(["inspect", Self.source], limit: "-d 4096", in: folder)
      #expect([69, 127].contains(process.status), "\(process.status) \(process.errors)")
      if process.status == 69 { #expect(process.errors.contains("memory")) }
    }
  }
}
