import Foundation
import TestSupport
import Testing
import VGGNative
import VGGTensors

/// `--threads` decides how long commands take and nothing else.
@Suite struct ThreadsTests {
  @Test(arguments: [
    ["import", fixture("keras/vgg_d_digits.h5")],
    ["import", fixture("keras/vgg_d_digits.h5"), "--to", "int8", "--prune-fc", "0.5"],
    ["quantize", "m.vggw", "--to", "int8"], ["quantize", "m.vggw", "--to", "fp16"],
    ["prune", "m.vggw", "--fc", "0.5"],
    ["export", "m.vggw", "--to", "safetensors"],
  ])
  func filesAreTheSame(command: [String]) throws {
    try withTemporaryFolder { folder in
      try model("m.vggw", in: folder)
      var files: [Data] = []
      for threads in ["1", "2", "3"] {
        let process = try CommandProcess.run(
          command + ["--threads", threads, "-o", "\(threads).out"], in: folder)
        try #require(process.status == 0, "\(process.errors)")
        files.append(try Data(contentsOf: URL(filePath: "\(folder)/\(threads).out")))
      }
      #expect(files[0] == files[1] && files[0] == files[2])
    }
  }

  /// Of several tensors that are damaged, the first one is named, whichever thread comes upon its damage first.
  @Test(arguments: ["1", "2", "3", "16"]) func theFirstOfTwoDamagedTensorsIsNamed(threads: String) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.vggw"
      try model("m.vggw", in: folder)
      let records = try VGGWFile.open(path: path).tensorRecords
      let damaged = [records[records.count - 1], records[2]]
      var bytes = try Data(contentsOf: URL(filePath: path))
      for record in damaged { bytes[record.offset] ^= 1 }
      try bytes.write(to: URL(filePath: path))
      for command in [["checksum", "m.vggw"], ["quantize", "m.vggw", "--to", "int8", "-o", "new.vggw"]] {
        for _ in 0..<5 {
          let process = try CommandProcess.run(command + ["--threads", threads], in: folder)
          #expect(process.status == 65)
          #expect(process.errors.contains("tensor \(records[2].name), block 0"), "\(process.errors)")
        }
      }
    }
  }

  @Test(arguments: [
    "import", "inspect", "verify", "run", "evaluate", "bench", "quantize", "prune", "export", "checksum",
    "zoo identify",
  ])
  func whatWorksLongTakesIt(command: String) throws {
    try withTemporaryFolder { folder in
      let words = command.split(separator: " ").map(String.init)
      let help = try CommandProcess.run(["help"] + words, in: folder)
      #expect(help.output.contains("--threads NUMBER"))
    }
  }

  /// One thread is one, whatever loops a command consists of; another one only waits for the disk.
  @Test(arguments: [
    ["import", fixture("keras/vgg_d_digits.h5"), "-o", "new.vggw"],
    ["quantize", "m.vggw", "--to", "int8", "-o", "new.vggw"], ["checksum", "m.vggw"],
    ["verify", fixture("keras/vgg_d_digits.h5"), "m.vggw"],
  ])
  func oneThreadIsOne(command: [String]) throws {
    try withTemporaryFolder { folder in
      try model("m.vggw", in: folder)
      var most = 0
      let process = try CommandProcess.run(
        CommandProcess.executable, command + ["--threads", "1"], in: folder
      ) { process in
        while process.isRunning {
          let threads = try? FileManager.default.contentsOfDirectory(
            atPath: "/proc/\(process.processIdentifier)/task")
          most = max(most, threads?.count ?? 0)
        }
      }
      #expect(process.status == 0, "\(process.errors)")
      #expect((1...2).contains(most))
    }
  }

  private func model(_ name: String, in folder: String) throws {
    let process = try CommandProcess.run(
      ["import", fixture("keras/vgg_d_digits.h5"), "-o", name, "--no-verify"], in: folder)
    try #require(process.status == 0, "\(process.errors)")
  }
}
