internal import CommandLineKit
internal import JSONKit
internal import VGGConv
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// What `run` says of a network's output, by what the output means.
struct OutputReport {
  private let output: ModelOutput
  /// The largest number of outputs to print of a picture.
  private let top: Int
  private let console: Console
  private var input: String { output.input.path }

  init(_ output: ModelOutput, top: Int, console: Console) {
    (self.output, self.top, self.console) = (output, top, console)
  }

  /// Prints the output for each picture of a batch, or returns it for JSON.
  func report() -> [JSONValue] {
    switch output.average {
    case .classes(let map, _), .labels(let map, _): scores(outputCount: map.shape.count)
    case .values(let values): self.values(values)
    case .features(let features): self.features(features)
    }
  }

  private func label(_ index: Int, _ otherwise: String) -> String {
    index < output.labels.count ? output.labels[index] : "\(otherwise) \(index)"
  }

  private func printHeading(_ picture: Int, of count: Int, _ meaning: String? = nil) {
    let name = count > 1 ? "\(input) [\(picture)]" : input
    let mapExtent = output.mapExtent
    let map = mapExtent == Extent(side: 1) ? nil : "mean of \(mapExtent) scores"
    let notes = [meaning, map].compactMap(\.self)
    console.print(console.styled(name, .bold) + (notes.isEmpty ? "" : ": " + notes.joined(separator: ", ")))
  }

  /// Probabilities: of classes of which one is right, or each by itself.
  private func scores(outputCount: Int) -> [JSONValue] {
    let pictures = output.best(top)
    return pictures.enumerated().map { picture, best in
      if !console.isJSON {
        printHeading(
          picture, of: pictures.count,
          output.areIndependent && outputCount > 1 ? "each probability by itself" : nil)
        for score in best {
          let percent = Format.percent(Double(score.probability))
          console.print("  \(leftPadded(percent, 8))  \(Format.visible(label(score.index, "class")))")
        }
      }
      return [
        "input": .string(input), "picture": .integer(Int64(picture)), "scoreMap": json(output.mapExtent),
        "independent": .bool(output.areIndependent),
        "top": .array(
          best.map { score in
            [
              "class": .integer(Int64(score.index)), "label": .string(label(score.index, "class")),
              "probability": .number(Double(score.probability)), "logit": .number(Double(score.logit)),
            ]
          }),
      ]
    }
  }

  /// Values as they are, in their order.
  private func values(_ map: FeatureMap) -> [JSONValue] {
    let count = map.shape.count
    let values = map.values
    return (0..<map.count).map { picture in
      let own = values[picture * count..<(picture + 1) * count]
      if !console.isJSON {
        printHeading(picture, of: map.count, "values")
        for (index, value) in own.prefix(top).enumerated() {
          console.print(
            "  \(leftPadded(Format.significant(Double(value), 6), 12))  \(Format.visible(label(index, "output")))"
          )
        }
        if count > top { console.print("  and \(count - top) more") }
      }
      return [
        "input": .string(input), "picture": .integer(Int64(picture)), "scoreMap": json(output.mapExtent),
        "values": .array(own.map { .number(Double($0)) }),
      ]
    }
  }

  private func features(_ features: FeatureMap) -> [JSONValue] {
    let shape = features.arrayShape
    if !console.isJSON {
      console.print("\(input): features \(shape.map(String.init).joined(separator: "x"))")
    }
    return [["input": .string(input), "featureShape": .array(shape.map { .integer(Int64($0)) })]]
  }

  private func json(_ extent: Extent) -> JSONValue {
    [.integer(Int64(extent.height)), .integer(Int64(extent.width))]
  }
}

private func leftPadded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}
