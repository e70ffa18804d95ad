internal import CommandLineKit
internal import VGGConv
internal import VGGVerify

/// Options that decide how a model is judged: those of `verify`, and of the commands that judge what they write.
enum JudgementArguments {
  static let inputs = Option(
    "inputs", valueName: "FILE",
    help: "Judge with these pictures or arrays too, or with all images of a labelled .npz", isRepeatable: true
  )
  static let distance = Option<Double>(
    "max-distance", valueName: "DISTANCE",
    help: "The largest distance from the source's output for one picture", range: 0...2,
    standard: "\(Closeness.distanceLimit)")
  static let sameClass = Option<Double>(
    "min-top1-agreement", valueName: "FRACTION", help: "The part of the pictures whose first class must stay",
    range: 0...1, standard: "1")
  static let explainOnly = Switch(
    "explain-only", help: "Exit with 0 even if the model is faithful but not close")
  static let noVerification = Switch(
    "no-verify", help: "Do not read the written model back, compare and judge it")

  static let everyLayer = Switch(
    "verify-forward", help: "Judge a large model layer by layer too, as small ones are anyway")

  /// Those of commands that write a model.
  static let writing: [any OptionDeclaration] = [
    inputs, ModelOptions.resizing, distance, sameClass, explainOnly, noVerification,
  ]

  /// What a model is judged with.
  static func judging(_ arguments: Arguments) -> JudgingOptions {
    var limits = Verification.Limits()
    limits.outputDistance = arguments[distance]
    limits.sameClassFraction = arguments[sameClass]
    return JudgingOptions(
      inputs: arguments.all(inputs), resizing: arguments[ModelOptions.resizing], limits: limits,
      judgesEveryLayer: arguments[everyLayer])
  }
}
