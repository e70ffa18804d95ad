internal import CommandLineKit
internal import JSONKit
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// What `run` says of a network's output, by what the output means.
struct OutputReport {
  let input: String
  /// The names of the outputs, as far as there are any.
  let labels: [String]
  /// The largest number of outputs to print of a picture.
  let top: Int
  let console: Console

  /// Prints the output for each picture of a batch, or returns it for JSON.
  func report(_ output: EngineOutput) throws(EngineError) -> [JSONValue] {
    let average = try output.spatialAverage()
    switch (output, average) {
    case (.classes(let map, _), .classes(let logits, let probabilities)),
      (.labels(let map, _), .labels(let logits, let probabilities)):
      return scores(logits, probabilities, mapExtent: map.shape.extent, average.areIndependent)
    case (.values(let map), .values(let values)):
      return self.values(values, mapExtent: map.shape.extent)
    case (_, .features(let features)): return self.features(features)
    default: preconditionFailure("an average is of the same kind")
    }
  }

  private func label(_ index: Int, _ otherwise: String) -> String {
    index < labels.count ? labels[index] : "\(otherwise) \(index)"
  }

  private func printHeading(_ picture: Int, of count: Int, mapExtent: Extent, _ meaning: String? = nil) {
    let name = count > 1 ? "\(input) [\(picture)]" : input
    let map = mapExtent == Extent(side: 1) ? nil : "mean of \(mapExtent) scores"
    let notes = [meaning, map].compactMap(\.self)
    console.print(console.styled(name, .bold) + (notes.isEmpty ? "" : ": " + notes.joined(separator: ", ")))
  }

  /// Probabilities: of classes of which one is right, or each by itself.
  private func scores(
    _ logits: FeatureMap, _ probabilities: FeatureMap, mapExtent: Extent, _ areIndependent: Bool
  ) -> [JSONValue] {
    let count = probabilities.shape.count
    let (scores, parts) = (logits.values, probabilities.values)
    return (0..<probabilities.count).map { picture in
      let offset = picture * count
      let best = (0..<count).sorted {
        (parts[offset + $0], scores[offset + $0], $1) > (parts[offset + $1], scores[offset + $1], $0)
      }.prefix(top)
      if !console.isJSON {
        printHeading(
          picture, of: probabilities.count, mapExtent: mapExtent,
          areIndependent && count > 1 ? "each probability by itself" : nil)
        for index in best {
          let percent = Format.percent(Double(parts[offset + index]))
          console.print("  \(leftPadded(percent, 8))  \(Format.visible(label(index, "class")))")
        }
      }
      return [
        "input": .string(input), "picture": .integer(Int64(picture)), "scoreMap": json(mapExtent),
        "independent": .bool(areIndependent),
        "top": .array(
          best.map { index in
            [
              "class": .integer(Int64(index)), "label": .string(label(index, "class")),
              "probability": .number(Double(parts[offset + index])),
              "logit": .number(Double(scores[offset + index])),
            ]
          }),
      ]
    }
  }

  /// Values as they are, in their order.
  private func values(_ output: FeatureMap, mapExtent: Extent) -> [JSONValue] {
    let count = output.shape.count
    let values = output.values
    return (0..<output.count).map { picture in
      let own = values[picture * count..<(picture + 1) * count]
      if !console.isJSON {
        printHeading(picture, of: output.count, mapExtent: mapExtent, "values")
        for (index, value) in own.prefix(top).enumerated() {
          console.print(
            "  \(leftPadded(Format.significant(Double(value), 6), 12))  \(Format.visible(label(index, "output")))"
          )
        }
        if count > top { console.print("  and \(count - top) more") }
      }
      return [
        "input": .string(input), "picture": .integer(Int64(picture)), "scoreMap": json(mapExtent),
        "values": .array(own.map { .number(Double($0)) }),
      ]
    }
  }

  private func features(_ features: FeatureMap) -> [JSONValue] {
    let shape = arrayShape(features)
    if !console.isJSON {
      console.print("\(input): features \(shape.map(String.init).joined(separator: "x"))")
    }
    return [["input": .string(input), "featureShape": .array(shape.map { .integer(Int64($0)) })]]
  }

  private func json(_ extent: Extent) -> JSONValue {
    [.integer(Int64(extent.height)), .integer(Int64(extent.width))]
  }
}

extension EngineOutput {
  /// Whether each probability is one by itself.
  fileprivate var areIndependent: Bool { if case .labels = self { true } else { false } }
}

private func leftPadded(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}
