internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGCompress
internal import VGGConv
internal import VGGModel

private let modelArgument = Positional("MODEL", help: "A native model")

/// Stores a model's weights more precisely or less.
let quantizeCommand = Command(
  "quantize", abstract: "store the weights as fp16, bf16, int8 or int4",
  discussion: """
    int8 is symmetric, with one scale for each output channel. int4 is for the dense layers, with a scale for each 64 neighbours \
    along the input; convolutions are int8 then. The arithmetic stays in float32, and so do biases. The scale is the one of least \
    squared error, unless --scale-rule says otherwise. Prints the size and the error of each layer, its scales and \
    how many values they cut off, and for fp16 and bf16 how much of the range is used, with the numbers of values that become \
    subnormal, zero or infinite. --keep leaves layers as they are; \
    --keep auto those whose weights would stand less than 30 dB above the error.

    With --calibrate, the codes of int4 make up for each other: what a weight loses is fed to those of the same output that are \
    not rounded yet, by what the layer reads for these pictures. Each code stays one of the two that its weight lies between, which \
    'verify' proves; the outputs then lose a fraction of what they lose with nearest codes. --no-compensation does without.

    With --activations int8 the model computes in integers: all maps are of bytes, and sums of 32 bits become bytes by the rule \
    that --rounding names, with the same bits as the runtimes that follow it. The ranges of the maps come from the pictures of \
    --calibrate; without any, derived inputs are used, which resemble no photographs.

    --equalize first divides channels by powers of two in one layer and multiplies them by these in the next one, so that their ranges get \
    similar; the network computes what it did, bit for bit. It helps where channels differ by orders of magnitude, as behind folded \
    batch normalisations, most with --scales tensor, and can cost a little elsewhere: measure it. It works with any precision; with \
    --to fp32 it makes a model for other quantisers. --correct-biases takes off \
    the biases what the rounding of the weights adds to the outputs on average, by means over the pictures of \
    --calibrate. 'verify' proves both from the source, and ranges and means from the pictures if it is given them again.

    Without --to, each layer gets a precision of its own: with --max-distance the smallest file whose output stays within the \
    distance, with --max-size the model that stays nearest within so many bytes (K, M and G are thousands, Ki, Mi and Gi multiples \
    of 1024). What each layer costs is measured, on the pictures that the result is judged with: generated ones, and some of \
    those of --calibrate and --inputs. A larger budget never gives a worse model.

    --dry-run prints sizes, to the byte, and the distance, and writes nothing; the exit status is 0 then. --evaluate tells the \
    accuracy before and after, on data as 'evaluate' takes it.

    The result is judged against MODEL before it gets \
    its name; if it is not close, the exit status is 1.
    """,
  examples: [
    .init("quantize vgg16.vggw --to int8 -o vgg16-int8.vggw", "A quarter of the size"),
    .init("quantize vgg16.vggw --to int4 -o vgg16-int4.vggw", "A seventh of the size"),
    .init(
      "quantize vgg16.vggw --to int4 --calibrate pictures/ -o vgg16-int4.vggw",
      "The same size, and outputs that are several times closer"),
    .init("quantize vgg16.vggw --to fp16 -o vgg16-fp16.vggw", "Half the size"),
    .init(
      "quantize vgg16.vggw --to int8 --keep conv1_1,fc8 -o a.vggw", "All layers but the first and the last"),
    .init(
      "quantize vgg16.vggw --max-distance 0.001 -o vgg16-mixed.vggw",
      "The smallest model whose output stays that close"),
    .init(
      "quantize vgg16.vggw --max-size 100M --calibrate pictures/ --evaluate test/ -o a.vggw",
      "The nearest model of at most 100,000,000 bytes, and what it costs in accuracy"),
    .init("quantize vgg16.vggw --to int4 --dry-run", "What it would take and cost; writes nothing"),
    .init(
      "quantize vgg16.vggw --to int8 --scales tensor -o a.vggw",
      "For accelerators that take one scale for a tensor"),
    .init(
      "quantize vgg16.vggw --to int8 --scales tensor --equalize --correct-biases --calibrate pictures/ -o a.vggw",
      "The same, with what makes up for some of its loss"),
    .init(
      "quantize vgg16.vggw --to int8 --activations int8 --calibrate pictures/ -o vgg16-q.vggw",
      "Integers throughout, as LiteRT and ONNX Runtime compute them"),
    .init(
      "quantize vgg16.vggw --to int8 --activations int8 --rounding tflm --calibrate data.npz -o board.vggw",
      "As TensorFlow Lite Micro and CMSIS-NN compute them"),
  ],
  positionals: [modelArgument],
  options: [
    ModelOptions.noCheck, ModelOptions.output, ModelOptions.force, EngineArguments.threads,
    QuantizationOptions.size, dryRun, evaluated,
  ] + QuantizationOptions.all + QuantizationOptions.calibrated + JudgementArguments.writing
) { arguments, console in
  if let budget = try QuantizationOptions.budget(arguments) {
    return try compress(
      arguments, console, .search(budget, try QuantizationOptions.mixedSettings(arguments)))
  }
  guard var settings = try QuantizationOptions.settings(arguments) else {
    throw UsageError(
      "--to is missing: fp16, bf16, int8 or int4; or --max-distance or --max-size, which choose for each layer"
    )
  }
  settings.codeRounding = try QuantizationOptions.codeRounding(arguments)
  let integers = try QuantizationOptions.activationSettings(arguments)
  let correction = try QuantizationOptions.biasCorrection(arguments)
  return try compress(
    arguments, console,
    .passes(
      QuantizationOptions.equalization(arguments) + [.quantize(settings)] + correction
        + (integers.map { [.quantizeActivations($0)] } ?? [])))
}

private let dryRun = Switch(
  "dry-run", help: "Print what would be written, its size and its distance, and write nothing")
private let evaluated = Option(
  "evaluate", valueName: "DATA",
  help: "Tell the accuracy before and after on labelled pictures: a folder or an .npz file")

private let fraction = Option<Double>(
  "fc", valueName: "FRACTION", help: "Drop this part of each dense layer's weights, the smallest ones",
  range: 0...1)

/// Makes a model's dense layers sparse, or drops them.
let pruneCommand = Command(
  "prune", abstract: "drop small weights of the dense layers, or these layers",
  discussion: """
    Dropped weights take one bit each in the file: the dense layers are stored sparse. Weights of equal magnitude are kept or \
    dropped together. Models of any precision can be pruned. The result is judged against MODEL before it gets its name; if \
    too much was dropped, it is written all the same, and the exit status is 1.
    """,
  examples: [
    .init("prune vgg16.vggw --fc 0.9 -o small.vggw", "Keep the largest tenth of the dense weights"),
    .init("prune vgg16.vggw --drop-fc -o features.vggw", "Keep the convolutions: a feature extractor"),
  ],
  positionals: [modelArgument],
  options: [
    fraction, ModelOptions.dropDense, ModelOptions.noCheck, ModelOptions.output, ModelOptions.force,
    EngineArguments.threads,
  ] + JudgementArguments.writing
) { arguments, console in
  switch (arguments[fraction], arguments[ModelOptions.dropDense]) {
  case (let fraction?, false):
    return try compress(arguments, console, .passes([.prune(fraction: fraction)]))
  case (nil, true):
    return try compress(arguments, console, .passes([.dropDense]))
  default:
    throw UsageError("either --fc FRACTION or --drop-fc is needed")
  }
}

/// What a model is made smaller by.
private enum Change {
  case passes([Pass])
  /// Those that give each layer a precision of its own.
  case search(PrecisionBudget, QuantizationSettings)

  /// Passes whose names of layers can be checked before anything is computed.
  var stated: [Pass] {
    switch self {
    case .passes(let passes): passes
    case .search(_, let settings): [.quantize(settings)]
    }
  }
}

/// Opens a native model, makes it smaller, judges and writes the result, and prints what changed.
private func compress(
  _ arguments: Arguments, _ console: Console, _ change: Change
) throws -> ExitStatus {
  let output = arguments[ModelOptions.output]
  if !arguments[dryRun] {
    guard let output else { throw UsageError("-o is missing: where to write the model") }
    try Conversion.requireFree(output, overwrites: arguments[ModelOptions.force])
  }
  let opened = try OpenedModel(
    arguments.positionals[0], options: ModelOptions.modelOptions(arguments), progress: console)
  try opened.requireNative()
  try opened.requireStatedLayers(change.stated)
  let accuracy = try arguments[evaluated].map {
    try AccuracyReport(of: opened, on: $0, resizing: arguments[ModelOptions.resizing], console)
  }
  let (passes, plan, pictures) = try chosen(change, opened, arguments, console)
  var report = CompressionSummary(plan: plan)
  if arguments[dryRun] {
    let forecast = try opened.forecast(
      applying: passes, sparingHarmedLayers: sparesHarmedLayers(arguments), calibratedWith: pictures,
      judging: JudgementArguments.judging(arguments), tool: toolName, progress: console)
    for warning in forecast.warnings { console.note("calibration: \(warning)") }
    report.accuracy = try accuracy?.after(forecast.model, console)
    console.print(console.isJSON ? report.json(forecast).pretty : report.text(forecast, arguments, console))
    return .success
  }
  let conversion = try opened.convert(
    to: output ?? "", applying: passes, calibratedWith: pictures, by: arguments, console)
  for warning in conversion.warnings { console.note("calibration: \(warning)") }
  report.accuracy = try accuracy?.after(conversion.model, console)
  conversion.compression?.warn(console)
  console.print(console.isJSON ? report.json(conversion).pretty : report.text(conversion, console))
  return conversion.judgement?.exitStatus(by: arguments) ?? .success
}

/// The passes, the plan where they were chosen by one, and the pictures that they need.
private func chosen(
  _ change: Change, _ opened: OpenedModel, _ arguments: Arguments, _ console: Console
) throws -> (passes: [Pass], plan: PrecisionPlan?, pictures: PictureSet?) {
  switch change {
  case .passes(let passes):
    let needsPictures = passes.contains(where: \.usesCalibration)
    return (passes, nil, needsPictures ? try calibrationPictures(arguments, opened, console) : nil)
  case .search(let budget, let settings):
    let isCalibrated = arguments[QuantizationOptions.calibration] != nil
    let pictures = isCalibrated ? try calibrationPictures(arguments, opened, console) : nil
    if !isCalibrated, arguments.all(JudgementArguments.inputs).isEmpty {
      console.note("measured on generated pictures, which resemble no photographs: --calibrate takes others")
    }
    let plan = try opened.precisionPlan(
      for: budget, by: settings, calibratedWith: pictures, judging: JudgementArguments.judging(arguments),
      tool: toolName, progress: console)
    return (plan.passes, plan, pictures)
  }
}

/// The pictures that `--calibrate` names, or derived ones.
private func calibrationPictures(
  _ arguments: Arguments, _ opened: OpenedModel, _ console: Console
) throws(FileError) -> PictureSet {
  let pictures =
    if let data = arguments[QuantizationOptions.calibration] {
      try PictureSet(data, for: opened)
    } else {
      try PictureSet(derivedFor: opened)
    }
  for remark in pictures.remarks { console.note(Format.visible("calibration: \(remark)")) }
  return pictures
}
