import Foundation
import JSONKit
import TestSupport
import Testing

/// Models of codes with groups of scales and zero points at the command line.
@Suite struct GroupedCodesTests {
  private let model = fixture("native/vgg_a_lrn_1.4.vggw")

  private func run(_ arguments: String..., in folder: String = packageRoot) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  @Test func inspectShowsScalesAndZeroPoints() throws {
    let tensors = try #require(json(run("inspect", model, "--json"))["tensors"]?.array)
    let scales = tensors.compactMap { $0["scales"] }
    #expect(scales.count == tensors.count)
    let groupings = Set(scales.compactMap { $0["grouping"]?.string })
    #expect(groupings == ["tensor", "output-channel", "input-groups"])
    for scale in scales {
      let (count, zeroPoints) = (scale["count"]?.integer ?? 0, scale["zeroPoints"]?.integer ?? -1)
      #expect(count > 0 && (zeroPoints == 0 || zeroPoints == count))
      #expect((scale["groupLength"]?.integer != nil) == (scale["grouping"]?.string == "input-groups"))
    }
    let table = try run("inspect", model, "--tensors")
    #expect(table.status == 0 && table.output.contains("by groups of 5"))
  }

  /// Every command that reads weights takes them, whatever it says of them.
  @Test func everyCommandReadsThem() throws {
    try withTemporaryFolder { folder in
      for arguments in [
        ["quantize", model, "--to", "fp16", "-o", "half.vggw"],
        ["prune", model, "--fc", "0.5", "-o", "p.vggw"],
        ["export", model, "--to", "npz", "-o", "m.npz"], ["verify", model, model], ["summary", model],
        ["verify", model, model, "--self-test"], ["bench", model, "--repeat", "1"], ["checksum", model],
      ] {
        let process = try CommandProcess.run(arguments, in: folder)
        #expect([0, 1, 65].contains(process.status), "\(arguments): \(process.errors)")
      }
      #expect(try run("inspect", "p.vggw", in: folder).status == 0)
    }
  }
}
