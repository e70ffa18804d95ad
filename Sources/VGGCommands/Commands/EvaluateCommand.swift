internal import CommandLineKit
internal import JSONKit
internal import VGGConv

private let leastTop1Option = Option<Double>(
  "min-top1", valueName: "FRACTION",
  help: "Exit with 1 if the right class comes first less often; 0.9 is nine of ten pictures", range: 0...1)
private let junitOption = Option(
  "junit", valueName: "FILE", help: "Write the outcome as JUnit XML for a CI server")

/// Measures a model's accuracy on labelled pictures.
let evaluateCommand = Command(
  "evaluate", abstract: "measure accuracy on labelled data",
  discussion: """
    DATA is an .npz file or a folder. The file holds two arrays. 'images' is [N, H, W, C], or [N, H, W] for grey pictures: either uint8 \
    pixels in the model's channel order, which are preprocessed as the model says, or float32 values that have been preprocessed. 'labels' \
    is [N], whole numbers.

    The folder has a sub-folder of PNG, JPEG and PPM pictures for each class, which is called what the model calls the class, or is the \
    class' number, counted from 0. Where the model does not name its classes, the sub-folders are taken in the order of their names, as \
    Keras does, and the order is printed. ImageNet's identifiers (n01440764) are always taken in this order. Symbolic links are \
    not followed out of the folder.
    """,
  examples: [
    .init(
      "evaluate model.vggw test.npz",
      "How often the right class comes first, and how often among the first five"),
    .init(
      "evaluate model.vggw pictures/ --min-top1 0.9 --junit accuracy.xml",
      "In CI: pictures in one sub-folder for each class; exits with 1 below 90 %"),
  ],
  positionals: [
    Positional("MODEL", help: "A native model or a source file"),
    Positional("DATA", help: "Pictures and their labels: an .npz file or a folder"),
  ],
  options: [leastTop1Option, junitOption, ModelOptions.resizing] + ModelOptions.using + EngineArguments.all
) { arguments, console in
  let (path, data) = (arguments.positionals[0], arguments.positionals[1])
  let opened = try OpenedModel(path, ModelOptions.modelOptions(arguments), console)
  let pictures = try PictureSet(
    labelled: data, for: opened, resizing: arguments[ModelOptions.resizing], console)
  let evaluation = try Evaluation(
    of: opened, on: pictures, engine: EngineArguments.options(arguments), progress: console)
  evaluation.warn(data, console)
  let least = arguments[leastTop1Option]
  let report = EvaluationReport(modelPath: path, dataPath: data, evaluation: evaluation, leastTop1: least)
  if let path = arguments[junitOption] { try writeText(report.junit, to: path) }
  console.print(console.isJSON ? report.json.pretty : report.text)
  return report.passes ? .success : .checkSaidNo
}

/// What is told of an evaluation.
private struct EvaluationReport {
  let modelPath: String
  let dataPath: String
  let evaluation: Evaluation
  /// The part of the pictures whose right class must come first; nil where nobody asks.
  let leastTop1: Double?

  var passes: Bool { leastTop1.map { evaluation.top1 >= $0 } ?? true }

  private var failure: String? {
    guard let leastTop1, !passes else { return nil }
    return
      "top 1 is \(evaluation.top1) (\(evaluation.top1Count) of \(evaluation.count)), needed is \(leastTop1)"
  }

  var text: String {
    "\(modelPath): top 1 \(Format.percent(evaluation.top1)) (\(evaluation.top1Count) of \(evaluation.count)), "
      + "top 5 \(Format.percent(evaluation.top5))" + (failure.map { "\nFAILED: \($0)" } ?? "")
  }

  var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [("ok", .bool(passes))] + evaluation.fields
    switch evaluation.labelRule {
    case .array: members.append(("labels", "array"))
    case .names: members.append(("labels", "names"))
    case .numbers: members.append(("labels", "numbers"))
    case .order(let names):
      members += [("labels", "order"), ("classes", .array(names.map { .string($0) }))]
    }
    if let leastTop1 { members.append(("minTop1", .number(leastTop1))) }
    return .object(members)
  }

  var junit: String {
    JUnitReport(
      name: "vggconv evaluate \(modelPath) \(dataPath)",
      cases: [JUnitReport.Case(group: "evaluate", name: "top1", failure: failure)]
    ).text
  }
}
