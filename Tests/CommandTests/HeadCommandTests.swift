import Foundation
import JSONKit
import TestSupport
import Testing

/// What the commands say of beginnings of networks and of heads without a softmax.
@Suite struct HeadCommandTests {
  private func run(_ arguments: String...) throws -> CommandProcess { try CommandProcess.run(arguments) }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  private let heads = "field/heads-weights-only"

  @Test func aBeginningIsNamedEverywhere() throws {
    let source = fixture("field/truncated-vgg/fer_2222.h5")
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      #expect(try run("import", source, "-o", model).status == 0)
      for path in [source, model] {
        #expect(try run("inspect", path).output.contains("VGG-13 (B) up to pool4, 7 classes, input 48x48x1"))
        #expect(try run("summary", path).output.contains("VGG-13 (B) up to pool4"))
        for command in ["inspect", "summary"] {
          let report = try json(run(command, path, "--json"))
          #expect(report["architecture"]?.string == "B" && report["upTo"]?.string == "pool4")
          #expect(report["headActivation"]?.string == "softmax")
        }
      }
      #expect(try run("verify", source, model).status == 0)
      let whole = try json(run("inspect", fixture("keras/vgg_d_digits.h5"), "--json"))
      #expect(whole["upTo"] == .null)
    }
  }

  @Test func aSingleOutputIsOneProbabilityOrOneValue() throws {
    let source = fixture("\(heads)/sigmoid_1.h5")
    let input = fixture("\(heads)/input64.npy")
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let unsaid = try run("import", source, "-o", model)
      #expect(unsaid.status == 65 && unsaid.errors.contains("--head-activation sigmoid or linear"))
      #expect(!FileManager.default.fileExists(atPath: model))

      #expect(try run("import", source, "-o", model, "--head-activation", "sigmoid").status == 0)
      let text = try run("run", model, input).output
      #expect(text.contains("68.7") && text.contains("class 0") && !text.contains("100"))
      let result = try json(run("run", model, input, "--json"))["results"]?.array?.first
      #expect(abs((result?["top"]?.array?.first?["probability"]?.number ?? 0) - 0.687343) < 1e-5)
      #expect(result?["independent"]?.bool == true)

      #expect(try run("import", source, "-f", "-o", model, "--head-activation", "linear").status == 0)
      #expect(try run("run", model, input).output.contains("0.787728  output 0"))
      let values = try json(run("run", model, input, "--json"))["results"]?.array?.first?["values"]
      #expect(abs((values?.array?.first?.number ?? 0) - 0.7877276) < 1e-5)
      let evaluated = try run("evaluate", model, fixture("digits_test.npz"))
      #expect(evaluated.status == 65 && evaluated.errors.contains("gives values, not classes"))
    }
  }

  @Test func featuresAreNoClasses() throws {
    let source = fixture("\(heads)/fc2_features.h5")
    #expect(try run("inspect", source).output.contains("16 features of fc7"))
    #expect(try run("run", source, fixture("\(heads)/input64.npy")).output.contains("features 1x16"))
    let evaluated = try run("evaluate", source, fixture("digits_test.npz"))
    #expect(evaluated.status == 65 && evaluated.errors.contains("gives features, not classes"))
  }
}
