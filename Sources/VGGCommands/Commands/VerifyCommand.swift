internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGNative
internal import VGGSources
internal import VGGVerify

private let referenceOption = Option(
  "reference", valueName: "FILE.npz", help: "Compare with activations that another program recorded")
private let seedOption = Option<Int>(
  "seed", valueName: "NUMBER", help: "The seed of the generated inputs", range: 0...Int.max, standard: "2014")
private let maximumErrorOption = Option<Double>(
  "max-error", valueName: "PART",
  help: "The largest error of a layer, as a part of its largest magnitude", range: 0...1e9)
private let junitOption = Option(
  "junit", valueName: "FILE", help: "Write the verdicts as JUnit XML for a CI server")
private let pageOption = Option(
  "report", valueName: "FILE.html", help: "Write a page with plots, complete in one file")
private let selfTestSwitch = Switch(
  "self-test", help: "Plant mistakes in the model and ruin it, in memory, and say what is found")

/// Says whether a model computes what its source computes.
let verifyCommand = Command(
  "verify", abstract: "prove that a model is what its source and its passes give",
  discussion: """
    Two questions, two answers. Faithful: is every stored bit what the source and the declared passes give? Scales, codes and \
    pruning are derived from the source again. Preprocessing, labels, layers and their settings are compared too. Close: does the model \
    still compute the same? The distance of the outputs and the first classes are held against limits, on generated inputs and on those \
    given with --inputs. A model by which a class changed is never called equivalent.

    Verdicts: EXACT, EQUIVALENT (faithful and close), FAITHFUL BUT NOT CLOSE and DIFFERENT. The exit status is 0 for the first two, and for the \
    third with --explain-only or where all limits that you state are met.

    The table has each layer: 'local' is its error with the right input, 'accumulated' the difference that reaches its output, each with a \
    bound derived from the roundings and the passes; 'used' is the part of the bound that is used up. With --reference, \
    activations that Keras, Caffe or another program recorded are compared too. If something is wrong, the usual mistakes are tried, \
    and the one that explains it is named.
    """,
  examples: [
    .init("verify vgg16.h5 vgg16.vggw", "After an import, or each night in CI"),
    .init(
      "verify vgg16.h5 vgg16-int8.vggw --inputs cat.jpg --inputs dog.png --report report.html",
      "A smaller model, with pictures and a page of plots"),
    .init("verify vgg16.h5 vgg16.vggw --reference keras.npz", "Against activations that Keras recorded"),
    .init("verify small.h5 small.vggw --self-test", "Would a mistake have been found?"),
  ],
  positionals: [
    Positional("SOURCE", help: "The source that the model was imported from"),
    Positional("MODEL", help: "The native model"),
  ],
  options: [
    JudgementOptions.inputs, ModelOptions.resizing, referenceOption, seedOption, JudgementOptions.distance,
    JudgementOptions.sameClass, maximumErrorOption, JudgementOptions.explainOnly, junitOption, pageOption,
    selfTestSwitch, ModelOptions.noCheck,
  ] + EngineArguments.all + ModelOptions.reading
) { arguments, console in
  let (sourcePath, modelPath) = (arguments.positionals[0], arguments.positionals[1])
  var options = try ModelOptions.importOptions(arguments)
  let opened = try OpenedModel(checking: modelPath, by: arguments, console)
  // What the model knows of the source's normalisation and of its folded preprocessing need not be said again.
  options.normalization = options.normalization ?? opened.model.network.normalization
  options.inputFolding = opened.model.provenance.inputFolding
  let openedSource = try OpenedModel(
    sourcePath, prototxt: arguments[ModelOptions.prototxt], mean: arguments[ModelOptions.mean],
    options: options)
  openedSource.warn(console)
  let source = openedSource.model

  let seed = arguments[seedOption].map(UInt64.init) ?? Judgement.seed
  let engineOptions = EngineArguments.options(arguments)
  do {
    let inputs = try JudgementInputs(
      for: source, paths: arguments.all(JudgementOptions.inputs),
      resizing: arguments[ModelOptions.resizing], seed: seed)
    if arguments[selfTestSwitch] {
      let test = try FaultReport(
        source: source, model: opened.model, inputs: inputs.pictures, seed: seed, options: engineOptions,
        console)
      console.print(console.isJSON ? test.json.pretty : test.text(for: console))
      return test.passes ? .success : .checkSaidNo
    }
    let recording = try arguments[referenceOption].map { path in
      try RecordedActivations(recordedArrays(path), of: opened.model.network, file: path)
    }
    var limits = JudgementOptions.limits(arguments)
    limits.accumulatedError = arguments[maximumErrorOption]
    let depth =
      arguments[ModelOptions.allowNonFinite]
      ? try Judgement.depth(of: opened.model, source, isForward: true) : .layers
    let steps = Verification.stepCount(
      for: opened.model, inputs: inputs.pictures.count, data: inputs.data, depth: depth)
    let progress = console.progress("verifying", total: steps, unit: .items("steps"))
    defer { progress.finish() }
    let report = VerificationReport(
      verification: try Verification(
        of: opened.model, against: source, unfolded: openedSource.unfolded, inputs: inputs.pictures,
        data: inputs.data, recording: recording,
        limits: limits, depth: depth, options: engineOptions
      ) { progress.advance(by: 1) },
      sourcePath: sourcePath, modelPath: modelPath, source: source, model: opened.model,
      inputNames: inputs.names, dataPaths: inputs.dataPaths, seed: seed,
      recordingPath: arguments[referenceOption],
      assumptions: opened.model.network.normalization != nil && arguments[ModelOptions.normalization] == nil
        && source.provenance.format == "keras"
        ? ["the constants of norm1 are the model's own: Keras cannot hold them; --lrn states them"] : [],
      isExplainedOnly: arguments[JudgementOptions.explainOnly],
      digests: arguments[pageOption] == nil
        ? ("", "", "")
        : (
          sha256(of: openedSource.file.bytes).description, sha256(of: opened.file.bytes).description,
          opened.native?.weightsDigest.description ?? ""
        ),
      command: CommandLine.arguments.map(shellWord).joined(separator: " "),
      storedBytes: Dictionary(
        uniqueKeysWithValues: opened.native?.tensorRecords.map { ($0.name, $0.storedBytes) } ?? []))
    progress.finish()
    if let path = arguments[junitOption] { try writeText(report.junit, to: path) }
    if let path = arguments[pageOption] { try writeText(try report.page(inputs: inputs.pictures), to: path) }
    console.print(console.isJSON ? report.json.pretty : report.text(for: console))
    return report.passes ? .success : .checkSaidNo
  } catch let error as VerificationError {
    throw error.fileError(modelPath)
  } catch let error as EngineError {
    throw error.fileError(modelPath)
  }
}

extension Network {
  /// The normalisation layer's constants, where there is such a layer.
  fileprivate var normalization: LocalResponseNormalization? {
    layers.lazy.compactMap { layer in
      if case .normalization(let normalization) = layer.operation { normalization } else { nil }
    }.first
  }
}

/// A word as a shell takes it back.
private func shellWord(_ word: String) -> String {
  let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=,:+@%".contains($0) }
  return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
}
