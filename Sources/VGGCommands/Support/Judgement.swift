internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGNative
internal import VGGTensors
internal import VGGVerify

/// Options that decide how a model is judged: those of `verify`, and of the commands that judge what they write.
enum JudgementOptions {
  static let inputs = Option(
    "inputs", valueName: "FILE",
    help: "Judge with these pictures or arrays too, or with all images of a labelled .npz", isRepeatable: true
  )
  static let distance = Option<Double>(
    "max-distance", valueName: "DISTANCE",
    help: "The largest distance from the source's output for one picture", range: 0...2,
    standard: "\(Closeness.distanceLimit)")
  static let sameClass = Option<Double>(
    "min-top1-agreement", valueName: "FRACTION", help: "The part of the pictures whose first class must stay",
    range: 0...1, standard: "1")
  static let explainOnly = Switch(
    "explain-only", help: "Exit with 0 even if the model is faithful but not close")
  static let noVerification = Switch(
    "no-verify", help: "Do not read the written model back, compare and judge it")

  /// Those of commands that write a model.
  static let writing: [any OptionDeclaration] = [
    inputs, ModelOptions.resizing, distance, sameClass, explainOnly, noVerification,
  ]

  /// The limits that the user states.
  static func limits(_ arguments: Arguments) -> Verification.Limits {
    var limits = Verification.Limits()
    limits.outputDistance = arguments[distance]
    limits.sameClassFraction = arguments[sameClass]
    return limits
  }
}

/// What a model is judged with: generated pictures, and what the user gives.
struct JudgementInputs {
  /// Pictures that are judged layer by layer: the generated ones and what the user gives, file by file.
  private(set) var pictures: [FeatureMap]
  /// What they are called, in order.
  private(set) var names: [String]
  /// The images of labelled data, of which only outputs are compared.
  private(set) var data = PictureBatches.none
  /// The files of these.
  private(set) var dataPaths: [String] = []

  /// Generates pictures for a source and reads those that the user gives, preprocessed as the source says.
  init(for source: Model, paths: [String], resizing: PictureResizing?, seed: UInt64) throws {
    pictures = [
      try VerificationInputs.generated(
        for: source.network, preprocessing: source.preprocessing, seed: seed)
    ]
    names = VerificationInputs.names
    let reader = InputReader(model: source, resizing: resizing)
    let batchSize = 24
    for path in paths {
      guard let labelled = try reader.labelledBatchesIfAny(path, batchSize: batchSize) else {
        let batch = try reader.read(path).batch
        pictures.append(batch)
        names += batch.count == 1 ? [path] : (1...batch.count).map { "\(path) [\($0)]" }
        continue
      }
      dataPaths.append(path)
      let (earlier, count) = (data, labelled.count)
      data = PictureBatches(count: earlier.count + (count + batchSize - 1) / batchSize) {
        (index) throws(EngineError) in
        guard index >= earlier.count else { return try earlier.batch(index) }
        let start = (index - earlier.count) * batchSize
        do { return try labelled.batch(start..<min(count, start + batchSize)) } catch { throw .tap(error) }
      }
    }
  }
}

/// What came of judging a model that was written just now.
struct Judgement {
  let verification: Verification
  /// The model that it was made of.
  let origin: Model
  private let isExplainedOnly: Bool

  /// Judges a written model before it gets its name.
  ///
  /// A small one is run layer by layer next to its origin, and any other one whose weights have changed as a whole; of one
  /// whose weights are all the same, bit for bit, nothing more can be learnt by running it.
  ///
  /// - Parameters:
  ///   - written: What was written.
  ///   - origin: The source that was imported, or the model that a pass was applied to.
  ///   - unfolded: The source before mean and scale became part of its first convolution, where they did.
  ///   - isForward: Whether it is run layer by layer whatever it takes.
  ///   - arguments: What the user gives to judge with, and states as limits.
  ///   - console: Shows the progress.
  /// - Throws: `fault` where it is not what it was to be: then it must not get its name.
  init(
    of written: NativeFile, against origin: Model, unfolded: Model?, isForward: Bool,
    by arguments: Arguments, _ console: Console
  ) throws {
    let model = written.model
    let inputs = try JudgementInputs(
      for: origin, paths: arguments.all(JudgementOptions.inputs),
      resizing: arguments[ModelOptions.resizing], seed: Judgement.seed)
    let depth = try Judgement.depth(of: model, origin, isForward: isForward)
    let steps = Verification.stepCount(
      for: model, inputs: inputs.pictures.count, data: inputs.data, depth: depth)
    let progress = console.progress("verifying", total: steps, unit: .items("steps"))
    defer { progress.finish() }
    do throws(VerificationError) {
      verification = try Verification(
        of: model, against: origin, unfolded: unfolded, inputs: inputs.pictures, data: inputs.data,
        limits: JudgementOptions.limits(arguments), depth: depth
      ) { progress.advance(by: 1) }
    } catch {
      throw error.fileError(written.path)
    }
    self.origin = origin
    isExplainedOnly = arguments[JudgementOptions.explainOnly]
    if let fault = verification.faults.first {
      throw FileError(
        .fault, code: "output.verify", file: written.path,
        "was not written: it would not be what it was to be", place: verification.culprit, seen: fault)
    }
  }

  /// The seed of generated pictures, unless somebody gives another.
  static let seed: UInt64 = 2014

  /// Multiplications for one picture, and weights, up to which a written model is run layer by layer without being asked for:
  /// well under a second, and no more memory than an import may take.
  private static let forwardLimits = (multiplications: 1_000_000_000, parameters: 4_000_000)

  /// How much of a model can be compared and is worth it: nothing that is not finite, and was allowed in, can be held against
  /// a bound; outputs can still be compared.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - origin: What it was made of.
  ///   - isForward: Whether it is run layer by layer whatever it takes.
  static func depth(of model: Model, _ origin: Model, isForward: Bool) throws(FileError) -> Verification.Depth
  {
    let extent = model.network.inputExtent ?? Extent(side: 64)
    let cost = (try? model.network.costs(for: extent).multiplyAccumulateCount) ?? .max
    let isSmall = cost <= forwardLimits.multiplications && model.parameterCount <= forwardLimits.parameters
    if isForward || isSmall, try origin.hasFiniteValues { return .layers }
    let passes = model.provenance.passes.dropFirst(origin.provenance.passes.count)
    return passes.contains(where: \.isLossy) ? .outputs : .weights
  }

  /// Whether the model is as close as it must be. One that only lost its head is what was asked for, and close in all that
  /// is left.
  var isClose: Bool { verification.distances.isEmpty || verification.losesNothingButItsHead }

  /// The status to exit with: a model that is not close is kept, but said to be so.
  var exitStatus: ExitStatus {
    isClose || isExplainedOnly || verification.meetsStatedLimits ? .success : .checkSaidNo
  }

  /// What people are told.
  func text(for console: Console) -> String {
    var clauses = [verification.weightText]
    let computed = Set(origin.provenance.folded.map(\.layer)).sorted().joined(separator: ", ")
    if verification.isUnchanged, !computed.isEmpty {
      clauses.append("what was folded into \(computed) was computed again and is the same")
    }
    if !verification.layers.isEmpty {
      clauses.append("\(verification.layers.count) layers within their bounds")
    }
    if !verification.isUnchanged || verification.isFoldedInexactly {
      clauses += [verification.distanceText, verification.decisionText].compactMap(\.self)
    }
    if verification.lacksHead { clauses.append("it gives features now, not classes") }
    let title = isClose ? "verified: " : "faithful: "
    let summary =
      title
      + clauses.joined(separator: verification.isUnchanged ? "; " : "\n" + title.map { _ in " " }.joined())
    guard !isClose else { return summary }
    let verdict = "FAITHFUL BUT NOT CLOSE: "
    return [
      summary,
      console.styled(String(verdict.dropLast(2)), .red) + ": "
        + verification.distances.joined(separator: "\n" + verdict.map { _ in " " }.joined()),
      verification.meetsStatedLimits
        ? "It is within the limits that were stated."
        : "It was written as asked. --max-distance and --min-top1-agreement state what is\nclose enough.",
    ].joined(separator: "\n")
  }

  /// The same for scripts.
  var fields: [(String, JSONValue)] {
    [
      ("verified", .bool(isClose)),
      ("verdict", .string(verification.verdict.rawValue)),
      ("layersVerified", .integer(Int64(verification.layers.count))),
      ("reasons", .array(verification.reasons.map { .string($0) })),
    ] + (verification.judgesCloseness ? verification.closeness.fields : [])
  }
}

extension Closeness {
  /// What was measured, for scripts.
  var fields: [(String, JSONValue)] {
    [
      ("outputDistance", .number(outputDistance)),
      ("sameClass", .integer(Int64(sameDecisionCount))), ("classified", .integer(Int64(decisionCount))),
    ]
  }
}

extension Verification {
  /// What was found of the weights, where they are what they must be.
  var weightText: String {
    let values =
      "all \(Format.grouped(weights.reduce(0) { $0 + $1.comparedCount })) values of \(weights.count) tensors"
    return isUnchanged
      ? "\(values) are the source's, bit for bit"
      : "\(values) follow from the source\n          by '\(passes.map(\.description).joined(separator: "', '"))'"
  }

  /// How far the outputs are apart; nil where nothing was run.
  var distanceText: String? {
    guard judgesCloseness else { return nil }
    let limit = limits.outputDistance ?? Closeness.distanceLimit
    return "output at a distance of \(Format.significant(closeness.outputDistance, 2)) from the source's, "
      + "allowed \(Format.significant(limit, 2))"
  }

  /// How many decisions are the same; nil where there are none.
  var decisionText: String? {
    guard closeness.decisionCount > 0 else { return nil }
    return "the same first class for \(closeness.sameDecisionCount) of \(closeness.decisionCount) pictures"
  }
}

extension Model {
  /// Whether every value is a finite number.
  fileprivate var hasFiniteValues: Bool {
    get throws(FileError) {
      for tensor in tensors {
        let isFinite = try tensor.values.reducePieces(rowLength: 1, into: true) { _, values in
          values.allSatisfy(\.isFinite)
        } combine: {
          $0 = $0 && $1
        }
        if !isFinite { return false }
      }
      return true
    }
  }
}

/// Writes a model, judges it, and only then gives it its name.
///
/// - Parameters:
///   - model: What to write.
///   - origin: What it was made of.
///   - unfolded: The source before mean and scale became part of its first convolution, where they did.
///   - sources: The files that the model was imported from just now, whose digests become part of the provenance.
///   - output: The file's path.
///   - isForward: Whether it is run layer by layer whatever it takes.
///   - arguments: What the user wants.
///   - console: Shows the progress.
/// - Returns: What was written, and what came of judging it; nil where nobody wanted that.
func writeJudged(
  _ model: Model, madeOf origin: Model, unfolded: Model? = nil, from sources: [MappedFile] = [],
  to output: String,
  isForward: Bool = false, by arguments: Arguments, _ console: Console
) throws -> (written: NativeFile, judgement: Judgement?) {
  let staged = try stage(model, from: sources, to: output, by: arguments, console)
  let judgement =
    arguments[JudgementOptions.noVerification]
    ? nil
    : try Judgement(
      of: staged.file, against: origin, unfolded: unfolded, isForward: isForward, by: arguments, console)
  try staged.publish()
  return (staged.file, judgement)
}

/// Writes a model with a progress bar to a file that has no name yet.
private func stage(
  _ model: Model, from sources: [MappedFile], to output: String, by arguments: Arguments, _ console: Console
) throws(FileError) -> StagedFile {
  let progress = console.progress("writing", total: model.parameterCount * MemoryLayout<Float>.size)
  defer { progress.finish() }
  return try VGGWFile.stage(
    model, to: output, overwrite: arguments[ModelOptions.force], tool: "vggconv \(toolVersion)",
    sources: sources.map(\.bytes)
  ) { progress.advance(by: $0) }
}
