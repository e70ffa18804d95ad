internal import CommandLineKit
internal import JSONKit
internal import VGGCompress
internal import VGGEngine
internal import VGGFile
internal import VGGKeras
internal import VGGModel
internal import VGGVerify

private let sourceArgument = Positional(
  "SOURCE", help: "A Keras or Caffe weight file, or the folder of an unpacked .keras archive")
private let noVerification = Switch("no-verify", help: "Do not read the written model back and compare it")
private let forwardVerification = Switch(
  "verify-forward", help: "Run the written model next to its source too, which is done for small ones anyway")

/// Reads a source and writes a native model.
let importCommand = Command(
  "import", abstract: "read Keras or Caffe weights and write a native model",
  discussion: """
    Reads Keras HDF5 (weights and whole models), Keras 3 .weights.h5, .keras (also unpacked) and sharded .weights.json, and \
    Caffe's .caffemodel and .caffemodel.h5. What the file \
    is, is found by its content; what was decided on the way (kernel flip, flatten order, preprocessing) is printed and \
    kept in the model. Every tensor of the source is used or listed with the reason why not. The written model is read \
    back and compared with the source bit for bit; a small one is also run next to its source, layer by layer, and held \
    against derived bounds, as 'verify' does. Without -o the output gets the source's name with .vggw.
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
    ModelOptions.foldChannelOrder, ModelOptions.foldPreprocessing, noVerification, forwardVerification,
    ModelOptions.force,
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
  let verification = try verification(of: written.model, against: source, output, by: arguments)
  if let wrong = verification?.weights.first(where: { !$0.passes }) {
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
    fields.append(("verified", .bool(verification?.passes == true)))
    fields.append(("layersVerified", .integer(Int64(verification?.layers?.layers.count ?? 0))))
    if let changes { fields.append(("changes", changes.json)) }
    console.print(JSONValue.object(fields).pretty)
    return verification?.passes == false ? .checkSaidNo : .success
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
  if let verification { console.print(verification.line(for: source)) }
  return verification?.passes == false ? .checkSaidNo : .success
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

/// What was verified of a written model.
private struct ImportVerification {
  var weights: [WeightCheck]
  /// Both run side by side, nil where that would take long and nobody asked for it.
  var layers: Verification?

  var passes: Bool { !weights.isEmpty && weights.allSatisfy(\.passes) && layers?.verdict != .different }

  func line(for source: Model) -> String {
    let values = Format.grouped(weights.reduce(0) { $0 + $1.comparedCount })
    let isExact = weights.allSatisfy { $0.requirement == .exact && $0.prunedCount == 0 }
    let rule =
      isExact ? "the source's, bit for bit" : "what their encoding can hold of the source's"
    var line = "verified: all \(values) values of \(weights.count) tensors are \(rule)"
    let computed = Set(source.provenance.folded.map(\.layer)).sorted().joined(separator: ", ")
    if isExact, !computed.isEmpty {
      line += "; what was folded into \(computed) was computed again and is the same"
    }
    guard let layers else { return line }
    if let reason = layers.reasons.first { return "NOT verified: \(reason)" }
    return line + "; \(layers.layers.count) layers within their bounds"
  }
}

/// Multiplications for one picture, and weights, up to which a written model is run without being asked for: well under a
/// second, and no more memory than an import may take.
private let forwardLimits = (multiplications: 1_000_000_000, parameters: 4_000_000)

/// Compares all weights of a written model with the source, and runs both if that is quick or wanted.
private func verification(
  of model: Model, against source: Model, _ output: String, by arguments: Arguments
) throws(FileError) -> ImportVerification? {
  guard !arguments[noVerification] else { return nil }
  let extent = model.network.inputExtent ?? Extent(side: 64)
  let cost = (try? model.network.costs(for: extent).multiplyAccumulateCount) ?? .max
  // What is no finite number when it is allowed in cannot be held against a bound.
  let isSmall = cost <= forwardLimits.multiplications && model.parameterCount <= forwardLimits.parameters
  let runs = arguments[forwardVerification] || isSmall && !arguments[ModelOptions.allowNonFinite]
  guard runs else {
    var checks: [WeightCheck] = []
    for tensor in model.tensors {
      guard let original = source.tensor(tensor.name) else { continue }
      checks.append(try WeightCheck(of: tensor, against: original))
    }
    return ImportVerification(weights: checks)
  }
  do throws(VerificationError) {
    let inputs: FeatureMap
    do throws(EngineError) {
      inputs = try VerificationInputs.generated(
        for: source.network, preprocessing: source.preprocessing, seed: 2014)
    } catch {
      throw .engine(error)
    }
    let layers = try Verification(of: model, against: source, inputs: [inputs])
    return ImportVerification(weights: layers.weights, layers: layers)
  } catch {
    throw error.fileError(output)
  }
}
