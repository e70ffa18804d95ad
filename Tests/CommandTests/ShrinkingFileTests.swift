import Foundation
import TestSupport
import Testing

/// A file that becomes shorter while it is read ends a command with one line that names it, and with no output.
@Suite struct ShrinkingFileTests {
  /// A file with a hole that takes long enough to be read.
  private func writeLargeFile(_ path: String, like original: String? = nil) throws {
    if let original { try FileManager.default.copyItem(atPath: original, toPath: path) }
    if original == nil { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: 16 << 30)
    try file.close()
  }

  /// Runs a command and cuts a file off as soon as the command has read some of it.
  private func run(_ command: [String], in folder: String, cutting name: String) throws -> CommandProcess {
    try CommandProcess.run(CommandProcess.executable, command, in: folder) { process in
      waitUntilReading(process)
      if let file = try? FileHandle(forWritingTo: URL(filePath: "\(folder)/\(name)")) {
        try? file.truncate(atOffset: 4096)
      }
    }
  }

  /// Waits until a process has read more of mapped files than the program itself is.
  private func waitUntilReading(_ process: Process) {
    let status = "/proc/\(process.processIdentifier)/status"
    while process.isRunning {
      let text = (try? String(contentsOfFile: status, encoding: .utf8)) ?? ""
      if let mapped = text.firstMatch(of: /RssFile:\s*(\d+) kB/).flatMap({ Int($0.1) }), mapped > 60_000 {
        break
      }
      usleep(1000)
    }
  }

  @Test(arguments: [false, true]) func checksumSaysWhichFile(json: Bool) throws {
    try withTemporaryFolder { folder in
      let name = "a \"strange\" name"
      try writeLargeFile("\(folder)/\(name)")
      let process = try run(["checksum", name] + (json ? ["--json"] : []), in: folder, cutting: name)
      #expect(process.status == 74, "\(process.status)")
      #expect(process.errorLines.count == 1, "\(process.errors)")
      #expect(
        process.errors.hasPrefix("vggconv: \(name): became shorter while it was read"), "\(process.errors)")
      if json {
        let object = try #require(
          try JSONSerialization.jsonObject(with: Data(process.output.utf8)) as? [String: Any])
        let error = try #require(object["error"] as? [String: Any])
        #expect(object["ok"] as? Bool == false)
        #expect(error["file"] as? String == name && error["code"] as? String == "file.shortened")
      } else {
        #expect(process.output.isEmpty)
      }
    }
  }

  /// A source whose digest is being computed, while other threads write the model.
  @Test func importLeavesNoOutput() throws {
    try withTemporaryFolder { folder in
      try writeLargeFile("\(folder)/s.h5", like: fixture("keras/vgg_d_digits.h5"))
      let process = try run(["import", "s.h5", "-o", "m.vggw"], in: folder, cutting: "s.h5")
      #expect(process.status == 74, "\(process.status) \(process.errors)")
      #expect(process.errors.contains("s.h5: became shorter while it was read"), "\(process.errors)")
      #expect(!process.errors.contains("Backtrace") && !process.errors.contains(" at /"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["s.h5"])
    }
  }

  /// The program's own faults are told on one line too.
  @Test(arguments: [SIGSEGV, SIGILL, SIGTRAP, SIGFPE]) func noStackTrace(signal: Int32) throws {
    try withTemporaryFolder { folder in
      try writeLargeFile("\(folder)/large")
      let process = try CommandProcess.run(
        CommandProcess.executable, ["checksum", "large"], in: folder
      ) { process in
        waitUntilReading(process)
        kill(process.processIdentifier, signal)
      }
      #expect(process.status == 70, "\(process.status)")
      #expect(process.errorLines.count == 1, "\(process.errors)")
      #expect(process.errors.contains("signal \(signal < 10 ? "0" : "")\(signal)"), "\(process.errors)")
    }
  }
}
