internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGModel

extension Evaluation {
  /// What was counted, for scripts.
  var fields: [(key: String, value: JSONValue)] {
    [
      ("count", .integer(Int64(count))), ("top1Correct", .integer(Int64(top1Count))),
      ("top5Correct", .integer(Int64(top5Count))), ("top1", .number(top1)), ("top5", .number(top5)),
    ]
  }

  /// Says which classes were assumed, where the data does not name them.
  func warn(_ data: String, _ console: Console) {
    guard case .order(let names) = labelRule else { return }
    let list = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and others" : "")
    console.note(Format.visible("\(data): assumed that the classes are, in order: \(list)"))
  }
}

extension PictureSet {
  /// Opens labelled pictures for a model, and says what a user should know of them.
  init(
    labelled data: String, for opened: OpenedModel, resizing: PictureResizing? = nil, _ console: Console
  ) throws {
    try self.init(data, for: opened, resizing: resizing)
    for remark in remarks { console.note(Format.visible("\(data): \(remark)")) }
  }
}

/// How often a model is right, and what it is made into.
struct AccuracyReport {
  private let opened: OpenedModel
  private let data: String
  private let pictures: PictureSet
  private let before: Evaluation
  private var after: Evaluation?

  /// Evaluates a model before it is changed, so that data that does not suit it is refused before anything is done.
  init(
    of opened: OpenedModel, on data: String, resizing: PictureResizing?, _ console: Console
  ) throws {
    (self.opened, self.data) = (opened, data)
    pictures = try PictureSet(labelled: data, for: opened, resizing: resizing, console)
    before = try Evaluation(of: opened, on: pictures, progress: console)
    before.warn(data, console)
  }

  /// Evaluates what became of it too.
  func after(_ model: Model, _ console: Console) throws -> AccuracyReport {
    var report = self
    report.after = try Evaluation(of: opened, convertedTo: model, on: pictures, progress: console)
    return report
  }

  /// Two lines for people.
  var text: String {
    func line(_ name: String, _ count: (Evaluation) -> Int) -> String {
      let parts = [before, after].compactMap(\.self).map {
        "\(Format.percent(Double(count($0)) / Double($0.count))) (\(count($0)) of \($0.count))"
      }
      return "\(name) \(parts.joined(separator: ", then "))"
    }
    return Format.visible("accuracy on \(data): ") + line("top 1", \.top1Count) + "\n"
      + line("top 5", \.top5Count)
  }

  /// The same for scripts.
  var json: JSONValue {
    .object(
      [("data", .string(data)), ("before", .object(before.fields))]
        + (after.map { [("after", .object($0.fields))] } ?? []))
  }
}
