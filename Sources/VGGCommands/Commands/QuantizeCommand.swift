internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGModel
internal import VGGNative

private let modelArgument = Positional("MODEL", help: "A native model")

/// Stores a model's weights more precisely or less.
let quantizeCommand = Command(
  "quantize", abstract: "store the weights as fp16, bf16, int8 or int4",
  discussion: """
    int8 is symmetric, with one scale for each output channel. int4 is for the dense layers, with a scale for each 64 neighbours \
    along the input; convolutions are int8 then. The arithmetic stays in float32, and so do biases. The scale is the one of least \
    squared error, unless --scale-rule says otherwise. Prints the size and the error of each layer, and for fp16 and bf16 how much of \
    the range is used, with the numbers of values that become subnormal, zero or infinite. --keep leaves layers as they are; \
    --keep auto those whose weights would stand less than 30 dB above the error.

    With --calibrate, the codes of int4 make up for each other: what a weight loses is fed to those of the same output that are \
    not rounded yet, by what the layer reads for these pictures. Each code stays one of the two that its weight lies between, which \
    'verify' proves; the outputs then lose a fraction of what they lose with nearest codes. --no-compensation does without.

    With --activations int8 the model computes in integers: all maps are of bytes, and sums of 32 bits become bytes by the rule \
    that --rounding names, with the same bits as the runtimes that follow it. The ranges of the maps come from the pictures of \
    --calibrate; without any, derived inputs are used, which resemble no photographs.

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
      "quantize vgg16.vggw --to int8 --scales tensor -o a.vggw",
      "For accelerators that take one scale for a tensor"),
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
  ] + QuantizationOptions.all + QuantizationOptions.integers + JudgementArguments.writing
) { arguments, console in
  guard var settings = try QuantizationOptions.settings(arguments) else {
    throw UsageError("--to is missing: fp16, bf16, int8 or int4")
  }
  settings.codeRounding = try QuantizationOptions.codeRounding(arguments)
  let integers = try QuantizationOptions.activationSettings(arguments)
  return try compress(
    arguments, console, [.quantize(settings)] + (integers.map { [.quantizeActivations($0)] } ?? []))
}

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
    return try compress(arguments, console, [.prune(fraction: fraction)])
  case (nil, true):
    return try compress(arguments, console, [.dropDense])
  default:
    throw UsageError("either --fc FRACTION or --drop-fc is needed")
  }
}

/// Opens a native model, makes it smaller, judges and writes the result, and prints what changed.
private func compress(
  _ arguments: Arguments, _ console: Console, _ passes: [Pass]
) throws -> ExitStatus {
  guard let output = arguments[ModelOptions.output] else {
    throw UsageError("-o is missing: where to write the model")
  }
  try Conversion.requireFree(output, overwrites: arguments[ModelOptions.force])
  let opened = try OpenedModel(
    arguments.positionals[0], options: ModelOptions.modelOptions(arguments), progress: console)
  try opened.requireNative()
  let pictures =
    try passes.contains(where: \.needsPictures) ? calibrationPictures(arguments, opened, console) : nil
  let conversion = try opened.convert(
    to: output, applying: passes, calibratedWith: pictures, by: arguments, console)
  for warning in conversion.warnings { console.note("calibration: \(warning)") }
  let written = conversion.file
  conversion.compression?.warn(console)
  if console.isJSON {
    var fields = ModelReport(written).fields + [("output", .string(output))]
    if let changes = conversion.compression { fields.append(("changes", changes.json)) }
    fields += conversion.judgement?.fields ?? []
    console.print(JSONValue.object(fields).pretty)
    return conversion.judgement?.exitStatus(by: arguments) ?? .success
  }
  if let changes = conversion.compression { console.print(changes.text(console)) }
  console.print(
    "\(output): \(Format.bytes(written.byteCount)), weights \(written.weightsDigest)")
  if let judgement = conversion.judgement { console.print(judgement.text(for: console)) }
  return conversion.judgement?.exitStatus(by: arguments) ?? .success
}

extension Pass {
  /// Whether it looks at what the layers give for pictures.
  fileprivate var needsPictures: Bool {
    switch self {
    case .quantizeActivations: true
    case .quantize(let settings): settings.codeRounding != .nearest
    case .prune, .dropDense, .unknown: false
    }
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
