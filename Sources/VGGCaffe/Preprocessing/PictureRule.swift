internal import VGGBytes
internal import VGGModel
internal import VGGSources

/// What a file of Caffe's tells of what must be done to pictures.
struct PictureRule {
  /// What the settings of a data layer or an Input layer say, where there is one.
  let transformation: Transformation?
  /// What layers in front of the first convolution compute.
  let inputScaling: InputScaling?

  /// What is known for a network: from its layers, from a data layer's settings, or from what the released models need.
  func preprocessing(
    of network: Network, options: ImportOptions, file: CaffeFile
  ) throws(FileError) -> FoundPreprocessing {
    let channels = network.inputChannels
    var rule = Preprocessing(
      channelOrder: options.channelOrder ?? .bgr, mean: Array(repeating: 0, count: channels),
      resize: Preprocessing.released(for: network.inputExtent).resize)
    if channels == 1 { rule.channelOrder = .gray }
    if let transformation {
      rule.scale = Array(repeating: transformation.scale.shortest, count: channels)
      let stated = transformation.means.map(\.shortest)
      guard [0, 1, channels].contains(stated.count) else {
        throw file.unsupported(
          "mean", "has means that do not fit its input", place: "transform_param", seen: "\(stated.count)",
          allowed: "1 or \(channels)")
      }
      rule.mean = stated.count == channels ? stated : Array(repeating: stated.first ?? 0, count: channels)
    }
    let lacksMean = transformation.map { $0.meanFile != nil && $0.means.isEmpty } ?? (inputScaling == nil)
    let lack =
      transformation?.meanFile.map { "the mean is in another file, \($0), to be given with --mean" }
      ?? "no mean in the file"
    if lacksMean {
      guard channels == 3 else {
        return FoundPreprocessing(
          unknownBecause: "\(lack), and the released VGG models have 3 input channels, not \(channels)")
      }
      let mean = Self.releasedMean(classCount: network.classCount)
      rule.mean = rule.channelOrder == .rgb ? mean.values.reversed() : mean.values
      rule = inputScaling?.applied(after: rule) ?? rule
      return FoundPreprocessing(
        rule, .assumed, because: "\(lack); \(mean.evidence)",
        saidInSource: transformation?.meanFile.map { "\(transformation?.layer ?? "") names \($0)" })
    }
    if let inputScaling {
      var evidence = "as \(inputScaling.names.joined(separator: ", ")) in the network"
      if let transformation { evidence += ", behind what \(transformation.layer) says" }
      return FoundPreprocessing(inputScaling.applied(after: rule), .computed, because: evidence)
    }
    let layer = transformation?.layer ?? ""
    return FoundPreprocessing(
      rule, .configured, because: "\(layer) says so; Caffe reads pictures as bgr",
      saidInSource: "\(layer) says \(rule.mean), times \(rule.scale[0])")
  }

  /// The mean colour that the released models of a class count were trained with, in the order blue, green, red.
  private static func releasedMean(classCount: Int?) -> (values: [Double], evidence: String) {
    if classCount == 2622 {
      return ([93.5940, 104.7624, 129.1863], "2622 classes, as VGG-Face has, which needs this mean")
    }
    return (
      Preprocessing.imageNetMeanBGR, "released VGG models are bgr less 103.939, 116.779, 123.68"
    )
  }
}

/// What Power layers in front of the first convolution do to each number: `factor * pixel + summand`.
struct InputScaling: Equatable {
  private(set) var names: [String] = []
  private var factor = 1.0
  private var summand = 0.0

  /// Adds a layer behind those that are there.
  mutating func append(_ name: String, _ settings: PowerSettings) {
    names.append(name)
    factor *= settings.scale.shortest
    summand = summand * settings.scale.shortest + settings.shift.shortest
  }

  /// The rule that computes this behind another one: with `(pixel - mean) * scale` before, the mean moves by
  /// `summand / (factor * scale)`.
  func applied(after rule: Preprocessing) -> Preprocessing {
    var result = rule
    for channel in rule.mean.indices {
      result.scale[channel] = rule.scale[channel] * factor
      if summand != 0 { result.mean[channel] -= summand / result.scale[channel] }
    }
    return result
  }
}

extension Float {
  /// The number that was written as text and rounded to this one: 103.939, not 103.93900299072266.
  fileprivate var shortest: Double { Double("\(self)") ?? Double(self) }
}
