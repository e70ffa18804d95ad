public import VGGBytes
public import VGGEngine
public import VGGModel

/// How often a model is right about labelled pictures.
public struct Evaluation: Equatable, Sendable {
  /// The number of pictures.
  public let count: Int
  /// The number of those whose right class comes first.
  public private(set) var top1Count = 0
  /// The number of those whose right class is among the first five.
  public private(set) var top5Count = 0
  /// How the class of each picture was found.
  public let labelRule: PictureLabels.Rule

  /// The part of the pictures whose right class comes first.
  public var top1: Double { Double(top1Count) / Double(count) }
  /// The part of the pictures whose right class is among the first five.
  public var top5: Double { Double(top5Count) / Double(count) }

  /// Runs a model on labelled pictures.
  ///
  /// - Parameters:
  ///   - opened: The model.
  ///   - converted: What was made of it, to be run in its place; nil: it is run itself.
  ///   - pictures: The pictures.
  ///   - options: How networks are run.
  ///   - progress: Is told the number of pictures that are done.
  /// - Throws: `unsupported` where the model's outputs are no classes of which one is right; `malformed` where the pictures have
  ///   no labels, or others than the model's.
  public init(
    of opened: OpenedModel, convertedTo converted: Model? = nil, on pictures: PictureSet,
    engine options: EngineOptions = EngineOptions(), progress: (any ProgressMonitor)? = nil
  ) throws(FileError) {
    let model = converted ?? opened.model
    let classCount = try Evaluation.classCount(of: model.network, opened.path)
    let labels = try pictures.labels(classCount: classCount, names: model.labels)
    (count, labelRule) = (pictures.count, labels.rule)
    let meter = progress?.begin(.evaluating, total: count)
    defer { meter?.finish() }
    do throws(EngineError) {
      let engine = try options.engine(for: model)
      let batches = pictures.batches
      var start = 0
      for index in 0..<batches.count {
        let batch = try batches.batch(index)
        let scores = try engine.run(batch).spatialAverage().classScores
        for (picture, right) in labels.classes[start..<start + batch.count].enumerated() {
          let own = scores[picture * classCount..<(picture + 1) * classCount]
          // Among scores that are no finite numbers no class comes first.
          guard own.allSatisfy(\.isFinite) else { continue }
          // The number of classes that are at least as likely as the right one.
          let rank = own.count { $0 >= own[own.startIndex + right] }
          if rank <= 1 { top1Count += 1 }
          if rank <= 5 { top5Count += 1 }
        }
        start += batch.count
        meter?.advance(by: batch.count)
      }
    } catch {
      throw FileError(error, file: opened.path)
    }
  }

  /// The number of classes that a network tells apart.
  private static func classCount(of network: Network, _ path: String) throws(FileError) -> Int {
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
