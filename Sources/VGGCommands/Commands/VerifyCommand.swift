internal import CommandLineKit
internal import JSONKit
internal import VGGEngine
internal import VGGModel
internal import VGGVerify

private let inputsOption = Option(
  "inputs", valueName: "FILE", help: "Run both with this picture or array", isRepeatable: true)
private let referenceOption = Option(
  "reference", valueName: "FILE.npz", help: "Compare with activations that another program recorded")
private let seedOption = Option<Int>(
  "seed", valueName: "NUMBER", help: "The seed of the generated inputs; 2014 if not given", range: 0...Int.max
)
private let maximumErrorOption = Option<Double>(
  "max-error", valueName: "PART",
  help: "Allow this difference of any layer from the source, as a part of the layer's largest magnitude",
  range: 0...1e9)
private let sameClassOption = Option<Double>(
  "min-top1-agreement", valueName: "FRACTION",
  help: "The part of the inputs whose first class must stay; 1 if not given",
  range: 0...1)

/// Says whether a model computes what its source computes.
let verifyCommand = Command(
  "verify", abstract: "prove that a model computes what its source computes",
  discussion: """
    Every weight is read back in the source's own layout and compared bit for bit (or, in another precision, with exactly \
    what that precision can hold). Then both networks run side by side, layer by layer: 'local' is what a layer does \
    wrong with the right input, 'accumulated' what reaches it from all layers before. With --reference, activations \
    that Keras, Caffe or anything else recorded are compared too. Exit status 1 means different.
    """,
  examples: [
    .init("verify vgg16.h5 vgg16.vggw", "After an import, or each night in CI"),
    .init(
      "verify vgg16.h5 vgg16-int8.vggw --inputs cat.jpg --inputs dog.png", "A smaller model, with pictures"),
    .init("verify vgg16.h5 vgg16.vggw --reference keras.npz", "Against activations that Keras recorded"),
  ],
  positionals: [
    Positional("SOURCE", help: "The source that the model was imported from"),
    Positional("MODEL", help: "The native model"),
  ],
  options: [inputsOption, referenceOption, seedOption, maximumErrorOption, sameClassOption]
    + EngineArguments.all + ModelOptions.reading
) { arguments, console in
  let (sourcePath, modelPath) = (arguments.positionals[0], arguments.positionals[1])
  var options = ModelOptions.importOptions(arguments)
  let opened = try OpenedModel(modelPath)
  // What the model knows of the source's normalisation and of its folded preprocessing need not be said again.
  options.normalization = options.normalization ?? opened.model.network.normalization
  options.inputFolding = opened.model.provenance.inputFolding
  let source = try OpenedModel(
    sourcePath, prototxt: arguments[ModelOptions.prototxt], mean: arguments[ModelOptions.mean],
    options: options)
  var limits = Verification.Limits()
  limits.accumulatedError = arguments[maximumErrorOption]
  limits.sameClassFraction = arguments[sameClassOption] ?? 1

  // Two models at once: without second copies of their weights, which also is the more accurate way.
  var engineOptions = EngineArguments.options(arguments)
  engineOptions.savesMemory = true

  let seed = UInt64(arguments[seedOption] ?? 2014)
  let verification: Verification
  do {
    let inputs = try verificationInputs(arguments.all(inputsOption), for: source.model, seed: seed)
    let recorded = try arguments[referenceOption].map { path in
      try RecordedActivations(recordedArrays(path), of: opened.model.network, file: path)
    }
    verification = try Verification(
      of: opened.model, against: source.model, inputs: inputs, recorded: recorded, limits: limits,
      options: engineOptions)
  } catch let error as VerificationError {
    throw error.fileError(modelPath)
  } catch let error as EngineError {
    throw error.fileError(modelPath)
  }
  let inputText =
    arguments.all(inputsOption).isEmpty ? "3 generated inputs (seed \(seed))" : "the given inputs"
  console.print(
    console.isJSON
      ? json(verification, source: sourcePath, model: modelPath, seed: seed).pretty
      : text(verification, inputs: inputText, console))
  return verification.verdict == .different ? .checkSaidNo : .success
}

extension Network {
  /// The normalisation layer's constants, where there is such a layer.
  fileprivate var normalization: LocalResponseNormalization? {
    layers.lazy.compactMap { layer in
      if case .normalization(let normalization) = layer.operation { normalization } else { nil }
    }.first
  }
}

/// The inputs that the user gives, or generated ones.
private func verificationInputs(_ paths: [String], for model: Model, seed: UInt64) throws -> [FeatureMap] {
  guard paths.isEmpty else {
    return try paths.map { try InputReader(model: model, isChannelsFirst: false).read($0) }
  }
  return [
    try VerificationInputs.generated(for: model.network, preprocessing: model.preprocessing, seed: seed)
  ]
}

private func text(_ verification: Verification, inputs: String, _ console: Console) -> String {
  var lines: [String] = []
  let checks = verification.weights
  let wrong = checks.filter { !$0.passes }
  let compared = Format.grouped(checks.reduce(0) { $0 + $1.comparedCount })
  let rule =
    checks.allSatisfy { $0.requirement == .exact } ? "bit for bit" : "against what their encoding can hold"
  lines.append(
    "weights: \(compared) values of \(checks.count) tensors compared \(rule): "
      + (wrong.isEmpty ? "all right" : "\(wrong.count) tensors wrong"))
  let pruned = checks.reduce(0) { $0 + $1.prunedCount }
  if pruned > 0 { lines.append("         \(Format.grouped(pruned)) weights were pruned") }
  if !verification.layers.isEmpty {
    var columns: [(title: String, alignment: TextTable.Alignment)] = [
      ("layer", .left), ("local", .right), ("accumulated", .right),
    ]
    if !verification.reference.isEmpty { columns.append(("recorded", .right)) }
    var table = TextTable(columns)
    let recorded = Dictionary(verification.reference.map { ($0.layer, $0) }) { first, _ in first }
    for layer in verification.layers {
      let name = layer.local.layer
      var cells = [
        name, Format.scientific(layer.local.relativeError),
        Format.scientific(layer.accumulated.relativeError),
      ]
      if let difference = recorded[name] { cells.append(Format.scientific(difference.relativeError)) }
      table.add(cells)
    }
    lines += [
      "", "layers, with \(inputs): largest difference as a part of the largest magnitude", "",
      table.rendered(for: console), "",
    ]
  }
  if verification.classifiedCount > 0 {
    lines.append(
      "first class: the same for \(verification.sameClassCount) of \(verification.classifiedCount) inputs")
  }
  lines += verification.reasons.map { "wrong: \($0)" }
  switch verification.verdict {
  case .exact: lines.append(console.styled("EXACT", .green) + ": the model is the source, bit for bit")
  case .equivalent:
    lines.append(
      console.styled("EQUIVALENT", .green) + ": every weight is what its encoding can hold of the source's")
  case .different:
    lines.append(console.styled("DIFFERENT", .red) + ": the model does not compute what the source computes")
  }
  return lines.joined(separator: "\n")
}

private func json(_ verification: Verification, source: String, model: String, seed: UInt64) -> JSONValue {
  func difference(_ difference: LayerDifference) -> JSONValue {
    [
      "maxError": .number(difference.largestError), "relativeError": .number(difference.relativeError),
      "compared": .integer(Int64(difference.comparedCount)),
    ]
  }
  return [
    "ok": .bool(verification.verdict != .different),
    "verdict": .string(verification.verdict.rawValue),
    "source": .string(source), "model": .string(model), "seed": .integer(Int64(clamping: seed)),
    "reasons": .array(verification.reasons.map { .string($0) }),
    "sameClass": .integer(Int64(verification.sameClassCount)),
    "classified": .integer(Int64(verification.classifiedCount)),
    "weights": .array(
      verification.weights.map { check in
        [
          "tensor": .string(check.tensor), "source": .string(check.sourceName),
          "requirement": .string(check.requirement.rawValue),
          "compared": .integer(Int64(check.comparedCount)),
          "wrong": .integer(Int64(check.wrongCount)), "pruned": .integer(Int64(check.prunedCount)),
          "maxError": .number(check.largestError),
        ]
      }),
    "layers": .array(
      verification.layers.map { layer in
        [
          "layer": .string(layer.local.layer), "local": difference(layer.local),
          "accumulated": difference(layer.accumulated),
        ]
      }),
    "reference": .array(
      verification.reference.map { ["layer": .string($0.layer), "difference": difference($0)] }),
  ]
}
