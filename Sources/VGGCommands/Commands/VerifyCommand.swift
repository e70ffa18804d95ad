internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGVerify

private let referenceOption = Option(
  "reference", valueName: "FILE.npz", help: "Compare with activations that another program recorded")
private let seedOption = Option<Int>(
  "seed", valueName: "NUMBER", help: "The seed of the generated inputs", range: 0...Int.max, standard: "2014")
private let maximumErrorOption = Option<Double>(
  "max-error", valueName: "PART",
  help: "The largest error of a layer, as a part of its largest magnitude", range: 0...1e9)
private let junitOption = Option(
  "junit", valueName: "FILE", help: "Write the verdicts as JUnit XML for a CI server")
private let pageOption = Option(
  "report", valueName: "FILE.html", help: "Write a page with plots, complete in one file")
private let calibrationOption = Option(
  "calibrate", valueName: "DATA",
  help:
    "The pictures that the model was calibrated with: find ranges and means again, which must be the declared ones"
)
private let selfTestSwitch = Switch(
  "self-test", help: "Plant mistakes in the model and ruin it, in memory, and say what is found")

/// Says whether a model computes what its source computes.
let verifyCommand = Command(
  "verify", abstract: "prove that a model is what its source and its passes give",
  discussion: """
    Two questions, two answers. Faithful: is every stored bit what the source and the declared passes give? Scales, codes and \
    pruning are derived from the source again. Preprocessing, labels, layers and their settings are compared too. Close: does the model \
    still compute the same? The distance of the outputs and the first classes are held against limits, on generated inputs and on those \
    given with --inputs. What comes from pictures, the ranges of maps of integers and the means of a bias correction, is taken as the model \
    declares it, unless --calibrate gives these pictures again: then it is derived, too. A model by which a class changed is never called equivalent.

    Verdicts: EXACT, EQUIVALENT (faithful and close), FAITHFUL BUT NOT CLOSE and DIFFERENT. The exit status is 0 for the first two, and for the \
    third with --explain-only or where all limits that you state are met.

    The table has each layer: 'local' is its error with the right input, 'accumulated' the difference that reaches its output, each with a \
    bound derived from the roundings and the passes; 'used' is the part of the bound that is used up. With --reference, \
    activations that Keras, Caffe or another program recorded are compared too. If something is wrong, the usual mistakes are tried, \
    and the one that explains it is named.

    A model is held against a file that it was exported to in the same way: 'verify MODEL EXPORTED'. Such a file declares no pass, so every \
    tensor must be the model's, codes and scales too; what its format cannot say is named.
    """,
  examples: [
    .init("verify vgg16.h5 vgg16.vggw", "After an import, or each night in CI"),
    .init(
      "verify vgg16.h5 vgg16-int8.vggw --inputs cat.jpg --inputs dog.png --report report.html",
      "A smaller model, with pictures and a page of plots"),
    .init("verify vgg16.h5 vgg16.vggw --reference keras.npz", "Against activations that Keras recorded"),
    .init("verify vgg16.vggw vgg16.onnx", "A model and what it was exported to"),
    .init("verify small.h5 small.vggw --self-test", "Would a mistake have been found?"),
  ],
  positionals: [
    Positional("SOURCE", help: "The source that the model was imported from, or the model that was exported"),
    Positional("MODEL", help: "The native model, or what it was exported to"),
  ],
  options: [
    JudgementArguments.inputs, ModelOptions.resizing, calibrationOption, referenceOption, seedOption,
    JudgementArguments.distance, JudgementArguments.sameClass, maximumErrorOption,
    JudgementArguments.explainOnly, junitOption, pageOption, selfTestSwitch, ModelOptions.noCheck,
  ] + EngineArguments.all + ModelOptions.reading
) { arguments, console in
  let sourceOptions = try ModelOptions.sourceOptions(arguments)
  let (source, model) = try opened(arguments, sourceOptions, console)
  source.warn(console)
  let judging = judging(by: arguments)
  if arguments[selfTestSwitch] {
    let test = try SelfTest(of: model, against: source, judging: judging, progress: console)
    console.print(console.isJSON ? test.json.pretty : test.text(for: console))
    return test.passes ? .success : .checkSaidNo
  }
  let result = try model.verify(
    against: source, judging: judging, recording: arguments[referenceOption], progress: console)
  let report = VerificationReport(
    result, seed: judging.seed, recordingPath: arguments[referenceOption],
    isExplainedOnly: arguments[JudgementArguments.explainOnly],
    command: CommandLine.arguments.map(shellWord).joined(separator: " "))
  if let path = arguments[junitOption] { try writeText(report.junit, to: path) }
  if let path = arguments[pageOption] { try writeText(report.page(), to: path) }
  console.print(console.isJSON ? report.json.pretty : report.text(for: console))
  return report.passes ? .success : .checkSaidNo
}

/// Opens the source and the model. Options for reading belong to the one that is not native: of a model and what it was exported
/// to, that is the second.
private func opened(
  _ arguments: Arguments, _ sourceOptions: OpenOptions, _ console: Console
) throws -> (source: OpenedModel, model: OpenedModel) {
  let (sourcePath, modelPath) = (arguments.positionals[0], arguments.positionals[1])
  if OpenedModel.isNative(sourcePath), !OpenedModel.isNative(modelPath) {
    let source = try OpenedModel(sourcePath, ModelOptions.modelOptions(arguments), console)
    return (source, try source.openExport(modelPath, options: sourceOptions, progress: console))
  }
  let model = try OpenedModel(modelPath, ModelOptions.modelOptions(arguments), console)
  return (try model.openSource(sourcePath, options: sourceOptions, progress: console), model)
}

/// What the options of `verify` say to judge with.
private func judging(by arguments: Arguments) -> JudgingOptions {
  var judging = JudgementArguments.judging(arguments)
  judging.limits.accumulatedError = arguments[maximumErrorOption]
  judging.calibration = arguments[calibrationOption]
  if let seed = arguments[seedOption] { judging.seed = UInt64(seed) }
  judging.engine = EngineArguments.options(arguments)
  return judging
}

/// A word as a shell takes it back.
private func shellWord(_ word: String) -> String {
  let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=,:+@%".contains($0) }
  return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
}
