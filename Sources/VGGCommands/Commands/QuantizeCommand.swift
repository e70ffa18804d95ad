internal import CommandLineKit
internal import JSONKit
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
    --keep auto those whose weights would stand less than 30 dB above the error. The result is judged against MODEL before it gets \
    its name; if it is not close, the exit status is 1.
    """,
  examples: [
    .init("quantize vgg16.vggw --to int8 -o vgg16-int8.vggw", "A quarter of the size"),
    .init("quantize vgg16.vggw --to int4 -o vgg16-int4.vggw", "A seventh of the size"),
    .init("quantize vgg16.vggw --to fp16 -o vgg16-fp16.vggw", "Half the size"),
    .init(
      "quantize vgg16.vggw --to int8 --keep conv1_1,fc8 -o a.vggw", "All layers but the first and the last"),
    .init(
      "quantize vgg16.vggw --to int8 --scales tensor -o a.vggw",
      "For accelerators that take one scale for a tensor"),
  ],
  positionals: [modelArgument],
  options: [
    ModelOptions.noCheck, ModelOptions.output, ModelOptions.force, EngineArguments.threads,
  ] + QuantizationOptions.all + JudgementArguments.writing
) { arguments, console in
  guard let settings = try QuantizationOptions.settings(arguments) else {
    throw UsageError("--to is missing: fp16, bf16, int8 or int4")
  }
  return try compress(arguments, console, .quantize(settings))
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
    return try compress(arguments, console, .prune(fraction: fraction))
  case (nil, true):
    return try compress(arguments, console, .dropDense)
  default:
    throw UsageError("either --fc FRACTION or --drop-fc is needed")
  }
}

/// Opens a native model, makes it smaller, judges and writes the result, and prints what changed.
private func compress(
  _ arguments: Arguments, _ console: Console, _ pass: Pass
) throws -> ExitStatus {
  guard let output = arguments[ModelOptions.output] else {
    throw UsageError("-o is missing: where to write the model")
  }
  try Conversion.requireFree(output, overwrites: arguments[ModelOptions.force])
  let opened = try OpenedModel(
    arguments.positionals[0], options: ModelOptions.modelOptions(arguments), progress: console)
  try opened.requireNative()
  let conversion = try opened.convert(to: output, applying: [pass], by: arguments, console)
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
