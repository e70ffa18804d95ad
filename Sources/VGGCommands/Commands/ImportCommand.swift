internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGModel
internal import VGGNative

private let sourceArgument = Positional(
  "SOURCE", help: "A Keras or Caffe weight file, or the folder of an unpacked .keras archive")

/// Reads a source and writes a native model.
let importCommand = Command(
  "import", abstract: "read Keras or Caffe weights and write a native model",
  discussion: """
    Reads Keras HDF5 (weights and whole models), Keras 3 .weights.h5, .keras (also unpacked) and sharded .weights.json, and \
    Caffe's .caffemodel and .caffemodel.h5. The file is recognised by its content. What was decided on the way (kernel \
    flip, flatten order, preprocessing) is printed and kept in the model. Every tensor of the source is used, or listed with \
    the reason why not.

    The model is judged before it gets its name, as 'verify' does it: a small one layer by layer, a large one that was quantised or \
    pruned by its outputs. One that is not what it should be is not written. One that is no longer close to the source is written, \
    but the exit status is 1, unless a stated limit is met. Without -o the output gets the source's name with .vggw.
    """,
  examples: [
    .init("import vgg16.h5", "Write vgg16.vggw"),
    .init(
      "import VGG_ILSVRC_16_layers.caffemodel -o vgg16.vggw --prototxt deploy.prototxt",
      "Take what the weights do not say from a deploy prototxt, and check it against them"),
    .init("import vgg16.h5 --prune-fc 0.9 --to int8", "Write a model for an embedded device"),
  ],
  positionals: [sourceArgument],
  options: [
    ModelOptions.output, ModelOptions.pruneDense, ModelOptions.dropDense, ModelOptions.labels,
    ModelOptions.foldChannelOrder, ModelOptions.foldPreprocessing, ModelOptions.force,
    JudgementArguments.everyLayer, EngineArguments.threads,
  ] + QuantizationOptions.all + JudgementArguments.writing + ModelOptions.reading
) { arguments, console in
  let path = arguments.positionals[0]
  let output = arguments[ModelOptions.output] ?? Conversion.standardOutput(for: path)
  try Conversion.requireFree(output, overwrites: arguments[ModelOptions.force])
  var opened = try OpenedModel(path, ModelOptions.sourceOptions(arguments), console)
  try opened.requireSource()
  if let labels = arguments[ModelOptions.labels] { opened = try opened.labelled(by: labels) }
  let conversion = try opened.convert(
    to: output, applying: try ModelOptions.passes(arguments), by: arguments, console)
  let (source, written) = (opened.model, conversion.file)
  conversion.compression?.warn(console)
  if console.isJSON {
    var fields = ModelReport(written).fields
    fields.append(("output", .string(output)))
    fields += conversion.judgement?.fields ?? [("verified", false), ("layersVerified", 0)]
    if let changes = conversion.compression { fields.append(("changes", changes.json)) }
    console.print(JSONValue.object(fields).pretty)
    return conversion.judgement?.exitStatus(by: arguments) ?? .success
  }
  console.print(
    "\(path): \(source.provenance.generation), \(networkText(source.network)), \(Format.grouped(source.parameterCount)) parameters"
  )
  for decision in source.provenance.decisions {
    console.note("  \(decision.subject): \(decision.choice) (\(decision.evidence))")
  }
  for dropped in source.provenance.dropped { console.note("  left out: \(dropped.name) (\(dropped.reason))") }
  if let changes = conversion.compression { console.print(changes.text(console)) }
  console.print(
    "\(output): \(Format.bytes(written.byteCount)), weights \(written.weightsDigest)")
  if let judgement = conversion.judgement { console.print(judgement.text(for: console)) }
  return conversion.judgement?.exitStatus(by: arguments) ?? .success
}
