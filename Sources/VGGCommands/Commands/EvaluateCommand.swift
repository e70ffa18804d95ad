internal import CommandLineKit
internal import JSONKit
internal import VGGConv

/// Measures a model's accuracy on labelled pictures.
let evaluateCommand = Command(
  "evaluate", abstract: "measure accuracy on labelled data",
  discussion: """
    DATA.npz holds two arrays. 'images' is [N, H, W, C], or [N, H, W] for grey pictures: either uint8 pixels in the model's channel \
    order, which are preprocessed as the model says, or float32 values that have been preprocessed. 'labels' is [N], whole numbers.
    """,
  examples: [
    .init(
      "evaluate model.vggw test.npz",
      "How often the right class comes first, and how often among the first five")
  ],
  positionals: [
    Positional("MODEL", help: "A native model or a source file"),
    Positional("DATA.npz", help: "Pictures and their labels"),
  ], options: ModelOptions.using + EngineArguments.all
) { arguments, console in
  let (path, data) = (arguments.positionals[0], arguments.positionals[1])
  let opened = try OpenedModel(path, ModelOptions.modelOptions(arguments), console)
  let evaluation = try Evaluation(
    of: opened, on: data, engine: EngineArguments.options(arguments), progress: console)
  if console.isJSON {
    let result: JSONValue = [
      "ok": true, "count": .integer(Int64(evaluation.count)),
      "top1Correct": .integer(Int64(evaluation.top1Count)),
      "top5Correct": .integer(Int64(evaluation.top5Count)), "top1": .number(evaluation.top1),
      "top5": .number(evaluation.top5),
    ]
    console.print(result.pretty)
    return .success
  }
  console.print(
    "\(path): top 1 \(Format.percent(evaluation.top1)) (\(evaluation.top1Count) of \(evaluation.count)), "
      + "top 5 \(Format.percent(evaluation.top5))")
  return .success
}
