internal import CommandLineKit
internal import JSONKit
internal import VGGConv

private let topOption = Option<Int>(
  "top", valueName: "COUNT", help: "Print this many classes; 5 if not given", range: 1...100_000)
private let layoutOption = Option<ArrayLayout>(
  choice: "layout", valueName: "LAYOUT", help: "The order of the axes of array inputs; nhwc if not given")
private let wholeOption = Option<Int>(
  "whole", valueName: "SIDE",
  help: "Scale pictures so that the shorter side is this, and do not cut them",
  range: PictureResizing.sides)
private let activationsOption = Option(
  "save-activations", valueName: "OUT.npz", help: "Write every layer's output, NHWC, after its ReLU")

/// Runs a model on pictures or arrays.
let runCommand = Command(
  "run", abstract: "run a model on pictures or arrays and print the classes",
  discussion: """
    Pictures (PNG, JPEG, PPM) are turned upright as their EXIF data say, resized and preprocessed as the model says; how \
    each was resized is printed, width first. Transparency is left out: the colours are those that are stored. Arrays (.npy, or \
    .npz with an array 'input') are float32 and preprocessed already. On arrays larger than the model's own input, and on pictures with --whole, the dense layers slide \
    over the picture, as in the paper: the scores are the mean of the map that this gives.
    """,
  examples: [
    .init("run vgg16.vggw cat.jpg --labels imagenet.txt", "The five most likely classes of a picture"),
    .init("run vgg16.vggw cat.jpg --whole 384", "The mean of the scores at all places of the picture"),
    .init("run vgg16.vggw input.npz --save-activations out.npz", "What every layer makes of an array"),
  ],
  positionals: [
    Positional("MODEL", help: "A native model or a source"),
    Positional("INPUT", help: "Pictures, .npy or .npz files", count: .oneOrMore),
  ],
  options: [
    topOption, ModelOptions.labels, layoutOption, ModelOptions.resizing, wholeOption, activationsOption,
    ModelOptions.force,
  ] + ModelOptions.using
    + EngineArguments.all
) { arguments, console in
  let path = arguments.positionals[0]
  let inputs = Array(arguments.positionals.dropFirst())
  let activationsPath = arguments[activationsOption]
  guard activationsPath == nil || inputs.count == 1 else {
    throw UsageError("--save-activations takes one input, not \(inputs.count)")
  }
  guard arguments[wholeOption] == nil || arguments[ModelOptions.resizing] == nil else {
    throw UsageError("--whole and --resize exclude each other")
  }
  var opened = try OpenedModel(path, ModelOptions.modelOptions(arguments), console)
  if let labels = arguments[ModelOptions.labels] { opened = try opened.labelled(by: labels) }
  var runner = ModelRunner(
    opened,
    inputs: InputOptions(
      isChannelsFirst: arguments[layoutOption] == .nchw,
      resizing: arguments[wholeOption].map { .whole($0) } ?? arguments[ModelOptions.resizing]),
    engine: EngineArguments.options(arguments))
  var results: [JSONValue] = []
  let progress = console.progress("running", total: inputs.count, unit: .items("inputs"))
  defer { progress.finish() }
  for path in inputs {
    let input = try runner.read(path)
    if let preparation = input.preparation, !console.isJSON {
      console.note("\(Format.visible(path)): \(preparation.text)")
    }
    let output = try runner.run(
      input, savingActivationsTo: activationsPath, overwrites: arguments[ModelOptions.force])
    progress.advance(by: 1)
    let preparation = input.preparation.map { [(key: "resize", value: $0.json)] } ?? []
    results += OutputReport(output, top: arguments[topOption] ?? 5, console: console)
      .report().map { .object(($0.object ?? []) + preparation) }
  }
  progress.finish()
  if console.isJSON { console.print((["ok": true, "results": .array(results)] as JSONValue).pretty) }
  return .success
}

/// The order of the axes of an array of pictures.
enum ArrayLayout: String, CaseIterable, Sendable {
  case nhwc
  case nchw
}
