internal import VGGModel

/// Settings that can be told to people.
protocol Worded {
  /// One text for each part, always in the same order.
  var wordsByPart: [String] { get }
}

extension Worded {
  /// All parts, with commas between them.
  var words: String { wordsByPart.joined(separator: ", ") }
}

extension ConvolutionSettings: Worded {
  var wordsByPart: [String] {
    [
      "\(outputs) outputs", hasBias ? "a bias" : "no bias", "kernel \(kernel)", "stride \(stride)",
      "padding \(padding)", "dilation \(dilation)", "group \(groups)",
    ]
  }
}

extension InnerProductSettings: Worded {
  var wordsByPart: [String] {
    ["\(outputs) outputs", hasBias ? "a bias" : "no bias", isTransposed ? "transposed" : "not transposed"]
  }
}

extension Pooling: Worded {
  var wordsByPart: [String] {
    let rounding = rounding == .ceiling ? "rounded up" : "rounded down"
    if isGlobal { return ["the \(method.rawValue) of the whole map", "", "", ""] }
    return [
      "the \(method.rawValue) of \(kernel)", "stride \(stride)", "padding \(padding)", rounding,
    ]
  }
}

extension NormalizationSettings: Worded {
  var wordsByPart: [String] {
    [
      "local_size \(size)", "alpha \(alpha)", "beta \(beta)", "k \(k.map { "\($0)" } ?? "not given")",
      region == .acrossChannels ? "across channels" : "within a channel",
    ]
  }
}

extension BatchNormalizationSettings: Worded {
  var wordsByPart: [String] { ["eps \(epsilon)"] }
}

extension ScaleSettings: Worded {
  var wordsByPart: [String] { [hasBias ? "a bias" : "no bias"] }
}

extension PowerSettings: Worded {
  var wordsByPart: [String] { ["scale \(scale)", "shift \(shift)"] }
}
