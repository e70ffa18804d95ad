import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGInterchange

/// What a model computes of an input in the folder `fixtures/field`.
///
/// - Parameters:
///   - array: The activations that are asked for, `prob` or the name of a layer.
func fieldActivations(
  _ folder: String, _ file: String, _ options: [String] = [], input: String, array: String = "prob"
) throws -> [Float] {
  var values: [Float] = []
  try withModel("field/\(folder)/\(file)", options) { model, scratch in
    let saved = "\(scratch)/a.npz"
    let run = try CommandProcess.run(
      ["run", model, fixture("field/\(folder)/\(input)"), "--save-activations", saved])
    try #require(run.status == 0, "\(run.errors)")
    values = try #require(try NumPyArchive(MappedFile(path: saved)).array(array)).values()
  }
  return values
}

/// Imports a file of the folder `fixtures/field`, which must be refused; gives the message.
func fieldRefusal(_ folder: String, _ file: String, _ options: [String] = []) throws -> String {
  try withTemporaryFolder { scratch in
    let process = try CommandProcess.run(
      ["import", fixture("field/\(folder)/\(file)"), "-o", "\(scratch)/m.vggw"] + options)
    #expect(process.status == 65 && process.errorLines.count == 1, "\(process.output)\(process.errors)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch).isEmpty)
    return process.errors
  }
}

/// Batch normalisations in front of and behind activations, as Keras itself computes them.
@Suite struct FieldNormalizationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var file: String
    var options: [String] = []
    var expected: String
    var testDescription: String { "\(file) \(options.joined(separator: " "))" }
  }

  static let read = [
    Case(file: "tfk_bn_act_full.h5", expected: "tfk_bn_act"),
    Case(file: "tfk_bn_act_weights.h5", expected: "tfk_bn_act"),
    Case(file: "k3_bn_act.keras", expected: "k3_bn_act"),
    Case(file: "k3_bn_act.weights.h5", options: ["--bn-before-activation"], expected: "k3_bn_act"),
    Case(file: "fastai_vgg16bn.h5", expected: "fastai prob (BN behind relu)"),
    Case(
      file: "fastai_vgg16bn.h5", options: ["--bn-after-activation"],
      expected: "fastai prob (BN behind relu)"),
    Case(
      file: "fastai_vgg16bn.h5", options: ["--bn-before-activation"],
      expected: "fastai prob if BN were wrongly put in front of relu"),
  ]

  @Test(arguments: read)
  func isReadRight(_ item: Case) throws {
    let data = try Data(contentsOf: URL(filePath: fixture("field/bn-after-relu/expected.json")))
    let expected = try #require(JSONDecoder().decode([String: [Float]].self, from: data)[item.expected])
    let found = try fieldActivations("bn-after-relu", item.file, item.options, input: "input32.npy")
    #expect(found.count == expected.count)
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 2e-5 }, "\(found)")
  }

  /// Behind a ReLU and in front of a padded convolution no weights can take it in.
  @Test(arguments: [
    Case(file: "cifar10vgg.h5", expected: "layer batch_normalization_1, behind conv2d_1"),
    Case(file: "tfk_act_bn_weights.h5", expected: "layer batch_normalization, behind conv2d"),
    Case(file: "k3_act_bn.keras", expected: "layer batch_normalization, behind conv2d"),
    Case(
      file: "k3_act_bn.weights.h5", options: ["--bn-after-activation"],
      expected: "layer batch_normalization, behind conv2d"),
  ])
  func whatCannotBeExactIsRefused(_ item: Case) throws {
    let message = try fieldRefusal("bn-after-relu", item.file, item.options)
    #expect(message.contains("behind an activation that cannot be worked into the next layer"))
    #expect(message.contains(item.expected) && message.contains("zero padding"), "\(message)")
  }

  /// Weights of Keras 3 name the layers of each class, not how they alternate.
  @Test(arguments: ["k3_act_bn.weights.h5", "k3_bn_act.weights.h5"])
  func theOrderIsAskedForWhereNothingTellsIt(_ file: String) throws {
    let message = try fieldRefusal("bn-after-relu", file)
    #expect(message.contains("--bn-before-activation or --bn-after-activation"), "\(message)")
  }

  /// The names of Keras 2 tell the order, so what is said otherwise is refused.
  @Test(arguments: [
    ("tfk_bn_act_weights.h5", "--bn-after-activation"), ("tfk_act_bn_weights.h5", "--bn-before-activation"),
  ])
  func whatTheFileTellsIsNotOverridden(_ file: String, _ option: String) throws {
    #expect(try fieldRefusal("bn-after-relu", file, [option]).contains("not where they are said to be"))
  }

  @Test func theTwoFlagsExcludeEachOther() throws {
    let process = try CommandProcess.run([
      "import", fixture("field/bn-after-relu/k3_bn_act.weights.h5"), "--bn-before-activation",
      "--bn-after-activation",
    ])
    #expect(process.status == 64 && process.errors.contains("exclude each other"))
  }

  /// The unfolded tensors stay identifiable, and what was folded is proven when the model is read back.
  @Test func importSaysWhatWasFolded() throws {
    try withTemporaryFolder { folder in
      let process = try CommandProcess.run([
        "import", fixture("field/bn-after-relu/fastai_vgg16bn.h5"), "-o", "\(folder)/m.vggw",
      ])
      #expect(process.status == 0)
      #expect(process.errors.contains("normalization-order: behind the activations (assumed: "))
      #expect(process.output.contains("folded into fc7, fc8 was computed again and is the same"))
    }
  }
}
