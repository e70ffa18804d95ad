internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGEngine
internal import VGGModel

/// Measures a model's accuracy on labelled pictures.
let evaluateCommand = Command(
  "evaluate", abstract: "measure accuracy on labelled data",
  discussion: """
    DATA.npz holds two arrays. 'images' is [N, H, W, C], or [N, H, W] for grey pictures: either uint8 pixels in the model's channel \
    order, which are preprocessed as the model says, or float32 values that have been preprocessed. 'labels' is [N], whole numbers.
    """,
  examples: [
    .init(
      "evaluate model.vggw test.npz",
      "How often the right class comes first, and how often among the first five")
  ],
  positionals: [
    Positional("MODEL", help: "A native model or a source file"),
    Positional("DATA.npz", help: "Pictures and their labels"),
  ], options: ModelOptions.using + EngineArguments.all
) { arguments, console in
  let (path, data) = (arguments.positionals[0], arguments.positionals[1])
  let model = try OpenedModel(checking: path, by: arguments, console).model
  let classCount = try judgedClassCount(model.network, path)
  let batchSize = 24
  let (count, labels, batch) = try InputReader(model: model)
    .labelledBatches(data, batchSize: batchSize)
  if let wrong = labels.first(where: { !(0..<classCount).contains($0) }) {
    throw FileError(
      .malformed, code: "data.labels", file: data, "has a label that is not a class of this model",
      seen: "\(wrong)",
      allowed: "0 to \(classCount - 1)")
  }
  let progress = console.progress("evaluating", total: count, unit: .items("pictures"))
  defer { progress.finish() }
  var (right, rightOfFive) = (0, 0)
  do {
    let engine = try EngineArguments.options(arguments).engine(for: model)
    for start in stride(from: 0, to: count, by: batchSize) {
      let range = start..<min(count, start + batchSize)
      let scores = try engine.run(try batch(range)).spatialAverage().classScores
      for index in range {
        let own = scores[(index - start) * classCount..<(index - start + 1) * classCount]
        // The number of classes that are at least as likely as the right one.
        let rank = own.count { $0 >= own[own.startIndex + labels[index]] }
        if rank <= 1 { right += 1 }
        if rank <= 5 { rightOfFive += 1 }
      }
      progress.advance(by: range.count)
    }
  } catch let error as EngineError {
    throw error.fileError(path)
  }
  progress.finish()
  if console.isJSON {
    let result: JSONValue = [
      "ok": true, "count": .integer(Int64(count)), "top1Correct": .integer(Int64(right)),
      "top5Correct": .integer(Int64(rightOfFive)), "top1": .number(Double(right) / Double(count)),
      "top5": .number(Double(rightOfFive) / Double(count)),
    ]
    console.print(result.pretty)
    return .success
  }
  console.print(
    "\(path): top 1 \(Format.percent(Double(right) / Double(count))) (\(right) of \(count)), "
      + "top 5 \(Format.percent(Double(rightOfFive) / Double(count)))")
  return .success
}

/// The number of classes that a network tells apart.
///
/// - Throws: `unsupported` where its outputs are no classes of which one is right.
private func judgedClassCount(_ network: Network, _ path: String) throws(FileError) -> Int {
  func refusal(_ code: String, _ problem: String, _ advice: String? = nil) -> FileError {
    FileError(.unsupported, code: "evaluate.\(code)", file: path, problem, advice: advice)
  }
  guard let head = network.head else {
    throw refusal("notop", "has no dense layers, so it cannot classify")
  }
  switch head.activation {
  case .softmax: return head.outputCount
  case .sigmoid where head.outputCount == 1: return 2
  case .sigmoid:
    throw refusal(
      "labels", "gives \(head.outputCount) probabilities that are independent, so no single class is right")
  case .linear:
    throw refusal(
      "values", "gives values, not classes",
      "if they are scores of classes, import it with --head-activation softmax")
  case .relu: throw refusal("features", "gives features, not classes")
  }
}

extension EngineOutput {
  /// The scores of all classes, picture by picture. A single probability of more than half says 1, another one 0.
  fileprivate var classScores: [Float] {
    switch self {
    case .classes(let logits, _): logits.values
    case .labels(let logits, _): logits.values.flatMap { [0, $0] }
    case .values, .features: []
    }
  }
}
