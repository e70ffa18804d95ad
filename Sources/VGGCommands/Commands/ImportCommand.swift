internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGCompress
internal import VGGKeras
internal import VGGModel
internal import VGGNative
internal import VGGSources

private let sourceArgument = Positional(
  "SOURCE", help: "A Keras or Caffe weight file, or the folder of an unpacked .keras archive")
private let forwardVerification = Switch(
  "verify-forward", help: "Judge a large model layer by layer too, as small ones are anyway")

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
    ModelOptions.output, ModelOptions.precision, ModelOptions.kept, ModelOptions.pruneDense,
    ModelOptions.dropDense, ModelOptions.labels,
    ModelOptions.foldChannelOrder, ModelOptions.foldPreprocessing, ModelOptions.force, forwardVerification,
    EngineArguments.threads,
  ] + JudgementOptions.writing + ModelOptions.reading
) { arguments, console in
  let path = arguments.positionals[0]
  let output = arguments[ModelOptions.output] ?? defaultOutput(for: path)
  try requireFree(output, by: arguments)
  var options = try ModelOptions.importOptions(arguments)
  options.inputFolding = ModelOptions.inputFolding(arguments)
  let opened = try OpenedModel(
    path, prototxt: arguments[ModelOptions.prototxt], mean: arguments[ModelOptions.mean], options: options)
  opened.warn(console)
  guard opened.native == nil else {
    throw FileError(
      .unsupported, code: "import.native", file: path, "is a native model already",
      advice: "'vggconv quantize' and 'vggconv prune' change native models")
  }
  let source = try arguments[ModelOptions.labels].map(opened.model.labelled(by:)) ?? opened.model
  let model = try compressed(source, by: arguments)
  let (written, judgement) = try writeJudged(
    model, madeOf: source, unfolded: opened.unfolded, from: [opened.file] + opened.companions, to: output,
    isForward: arguments[forwardVerification], by: arguments, console)
  let changes =
    model.provenance.passes.isEmpty
    ? nil : try ModelChanges(from: source, to: written.model, records: written.tensorRecords)
  changes?.warn(console)
  if console.isJSON {
    var fields = try ModelReport(written).fields
    fields.append(("output", .string(output)))
    fields += judgement?.fields ?? [("verified", false), ("layersVerified", 0)]
    if let changes { fields.append(("changes", changes.json)) }
    console.print(JSONValue.object(fields).pretty)
    return judgement?.exitStatus ?? .success
  }
  console.print(
    "\(path): \(source.provenance.generation), \(networkText(source.network)), \(Format.grouped(source.parameterCount)) parameters"
  )
  for decision in source.provenance.decisions {
    console.note("  \(decision.subject): \(decision.choice) (\(decision.evidence))")
  }
  for dropped in source.provenance.dropped { console.note("  left out: \(dropped.name) (\(dropped.reason))") }
  if let changes { console.print(changes.text(console)) }
  console.print(
    "\(output): \(Format.bytes(written.byteCount)), weights \(written.weightsDigest)")
  if let judgement { console.print(judgement.text(for: console)) }
  return judgement?.exitStatus ?? .success
}

/// The source's name with `.vggw` for its extension, in the source's folder; for a folder beside it.
private func defaultOutput(for path: String) -> String {
  var name = path[...]
  while name.hasSuffix("/") { name = name.dropLast() }
  if ["", ".", ".."].contains(name.split(separator: "/").last ?? "") { return "\(name)/model.vggw" }
  for suffix in [".weights.h5", ".weights.json", ".caffemodel.h5", ".keras"] where name.hasSuffix(suffix) {
    return name.dropLast(suffix.count) + ".vggw"
  }
  if KerasSource.isFolder(path) { return name + ".vggw" }
  if let dot = name.lastIndex(of: "."), !name[dot...].contains("/") { name = name[..<dot] }
  return name + ".vggw"
}

/// The passes that flags of `import` ask for.
private func compressed(_ model: Model, by arguments: Arguments) throws -> Model {
  var model = model
  if arguments[ModelOptions.dropDense] { model = try model.droppingDense() }
  if let fraction = arguments[ModelOptions.pruneDense] { model = try model.pruningDense(fraction: fraction) }
  if let precision = arguments[ModelOptions.precision], precision != .fp32 {
    model = try ModelOptions.converted(model, to: precision, by: arguments)
  }
  return model
}
