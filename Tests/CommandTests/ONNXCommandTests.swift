import Foundation
import TestSupport
import Testing

/// A graph out and in again, as a user does it.
@Suite struct ONNXCommandTests {
  private func run(_ arguments: [String], in folder: String) throws -> CommandProcess {
    let process = try CommandProcess.run(arguments, in: folder)
    #expect(process.status == 0, "\(process.errors)")
    return process
  }

  /// The line of a report that begins with a word.
  private func line(_ word: String, of process: CommandProcess) throws -> String {
    String(try #require(process.output.split(separator: "\n").first { $0.hasPrefix(word) }))
  }

  @Test(arguments: [[], ["--external-data"], ["--with-preprocessing"]])
  func aModelComesBackWithTheSameWeights(options: [String]) throws {
    try withTemporaryFolder { folder in
      let source = fixture("caffe/vgg_a_lrn_k2.caffemodel")
      _ = try run(["export", source, "--to", "onnx", "-o", "m.onnx"] + options, in: folder)
      #expect(try files(in: folder) == ["m.onnx"] + (options == ["--external-data"] ? ["m.onnx.data"] : []))
      _ = try run(["import", "m.onnx", "-o", "m.vggw"], in: folder)
      let before = try run(["inspect", source], in: folder)
      for path in ["m.onnx", "m.vggw"] {
        let after = try run(["inspect", path], in: folder)
        for word in ["weights", "network", "preprocessing"] {
          #expect(try line(word, of: after) == line(word, of: before))
        }
      }
      _ = try run(["verify", "m.onnx", "m.vggw"], in: folder)
    }
  }

  @Test func optionsOfOneFormatAreRefusedForOthers() throws {
    let source = fixture("keras/vgg_b.h5")
    for option in ["--external-data", "--with-preprocessing"] {
      let process = try CommandProcess.run(["export", source, "--to", "npz", option, "-o", "/nowhere/x"])
      #expect(process.status == 64 && process.errors.contains("go with --to onnx"))
    }
    let missing = try CommandProcess.run(["export", source, "--to", "onnx", "-o", "/nowhere/x.onnx"])
    #expect(missing.status == 73 && missing.errorLines.count == 1)
  }
}
