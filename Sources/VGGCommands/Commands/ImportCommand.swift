internal import CommandLineKit
internal import JSONKit
internal import VGGCompress
internal import VGGFile
internal import VGGKeras
internal import VGGModel
internal import VGGVerify

private let sourceArgument = Positional(
  "SOURCE", help: "A Keras or Caffe weight file, or the folder of an unpacked .keras archive")
private let noVerification = Switch("no-verify", help: "Do not read the written model back and compare it")

/// Reads a source and writes a native model.
let importCommand = Command(
  "import", abstract: "read Keras or Caffe weights and write a native model",
  discussion: """
    Reads Keras HDF5 (weights and whole models), Keras 3 .weights.h5, .keras (also unpacked) and sharded .weights.json, and \
    Caffe's .caffemodel and .caffemodel.h5. What the file \
    is, is found by its content; what was decided on the way (kernel flip, flatten order, preprocessing) is printed and \
    kept in the model. Every tensor of the source is used or listed with the reason why not. The written model is read \
    back and compared with the source bit for bit. Without -o the output gets the source's name with .vggw.
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
    ModelOptions.dropDense,
    ModelOptions.foldChannelOrder, ModelOptions.foldPreprocessing, noVerification, ModelOptions.force,
  ] + ModelOptions.reading
) { arguments, console in
  let path = arguments.positionals[0]
  let output = arguments[ModelOptions.output] ?? defaultOutput(for: path)
  try requireFree(output, by: arguments)
  var options = ModelOptions.importOptions(arguments)
  options.inputFolding = ModelOptions.inputFolding(arguments)
  let opened = try OpenedModel(
    path, prototxt: arguments[ModelOptions.prototxt], mean: arguments[ModelOptions.mean], options: options)
  guard opened.native == nil else {
    throw FileError(
      .unsupported, code: "import.native", file: path, "is a native model already",
      advice: "'vggconv quantize' and 'vggconv prune' change native models")
  }
  let source = opened.model
  let model = try compressed(source, by: arguments)
  let written = try write(model, from: [opened.file] + opened.companions, to: output, by: arguments, console)
  let verification = arguments[noVerification] ? nil : try weightsReadBack(written.model, against: source)
  if let wrong = verification?.first(where: { !$0.passes }) {
    throw FileError(
      .fault, code: "import.verify", file: output, "does not hold what the source holds",
      place: "tensor \(wrong.tensor)")
  }

  let changes =
    model.provenance.passes.isEmpty
    ? nil : try ModelChanges(from: source, to: written.model, records: written.tensorRecords)
  changes?.warn(console)
  if console.isJSON {
    guard case .object(var fields) = try ModelReport(OpenedModel(output)).json else { return .software }
    fields.append(("output", .string(output)))
    fields.append(("verified", .bool(verification != nil)))
    if let changes { fields.append(("changes", changes.json)) }
    console.print(JSONValue.object(fields).pretty)
    return .success
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
  if let verification { console.print(verificationLine(verification, of: source)) }
  return .success
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

/// Compares all weights of a written model with the source.
private func weightsReadBack(_ model: Model, against source: Model) throws(FileError) -> [WeightCheck] {
  var checks: [WeightCheck] = []
  for tensor in model.tensors {
    guard let original = source.tensor(tensor.name)?.source else { continue }
    checks.append(try WeightCheck(of: tensor, against: original))
  }
  return checks
}

private func verificationLine(_ checks: [WeightCheck], of source: Model) -> String {
  let values = Format.grouped(checks.reduce(0) { $0 + $1.comparedCount })
  if checks.allSatisfy({ $0.requirement == .exact && $0.prunedCount == 0 }) {
    let computed = Set(source.provenance.folded.map(\.layer)).sorted().joined(separator: ", ")
    return "verified: all \(values) values of \(checks.count) tensors are the source's, bit for bit"
      + (computed.isEmpty ? "" : "; what was folded into \(computed) was computed again and is the same")
  }
  return
    "verified: all \(values) values of \(checks.count) tensors are what their encoding can hold of the source's"
}
