import JSONKit
import TestSupport
import Testing

/// A model that computes in integers, as the commands show it.
@Suite struct IntegerModelTests {
  private let model = fixture("native/vgg_a_lrn_1.5.vggw")

  @Test func inspectShowsTheRoundingAndTheMaps() throws {
    let text = try CommandProcess.run(["inspect", model, "--tensors"], in: packageRoot)
    #expect(text.status == 0)
    #expect(text.output.contains("int8 maps, sums of 32 bits, rounded as litert"))
    #expect(text.output.contains("int32"))
    #expect(text.output.split(separator: "\n").contains { $0.hasPrefix("prob ") && $0.contains("-128") })
    let report = try CommandProcess.run(["inspect", model, "--json"], in: packageRoot)
    let json = try JSONValue(parsing: Array(report.output.utf8))
    let maps = try #require(json["integerArithmetic"]?["maps"]?.array)
    #expect(json["integerArithmetic"]?["rounding"]?.string == "litert")
    #expect(maps.first?["name"]?.string == "input" && maps.last?["name"]?.string == "prob")
    #expect(maps.last?["scale"]?.number == 1.0 / 256 && maps.last?["zeroPoint"]?.integer == -128)
  }
}
