internal import VGGModel

/// What is known of what must be done to pictures, and the evidence.
struct PictureRule {
  private(set) var preprocessing: Preprocessing?
  private(set) var decision: Provenance.Decision

  /// Decides from a mean picture, from a data layer's settings, or from what the released models need.
  init(
    transformation: Transformation?, mean: MeanPicture?, network: Network, options: ImportOptions,
    file: CaffeFile
  ) throws(FileError) {
    let channels = network.inputChannels
    let order = options.channelOrder ?? (channels == 1 ? .gray : .bgr)
    let resize = Preprocessing.released(for: network.inputExtent).resize
    let scale = Array(repeating: transformation?.scale.shortest ?? 1, count: channels)
    if let mean {
      try mean.requireFit(channels: channels, input: network.inputExtent, of: file)
      preprocessing = Preprocessing(
        channelOrder: order, mean: order == .rgb ? mean.colour.reversed() : mean.colour, scale: scale,
        resize: resize)
      decision = Provenance.Decision(
        "preprocessing", "\(order.rawValue) less \(mean.colour.map(PictureRule.rounded)), times \(scale[0])",
        because: PictureRule.evidence(of: mean, transformation))
      return
    }
    guard let transformation, transformation.meanFile == nil || !transformation.means.isEmpty else {
      guard channels == 3 else {
        decision = Provenance.Decision(
          "preprocessing", "unknown",
          because: "no mean in the file, and the released VGG models have 3 input channels, not \(channels)")
        return
      }
      let mean = PictureRule.releasedMean(classCount: network.classCount)
      preprocessing = Preprocessing(
        channelOrder: order, mean: order == .rgb ? mean.values.reversed() : mean.values, scale: scale,
        resize: resize)
      let lack =
        transformation?.meanFile.map { "the mean is in another file, \($0), to be given with --mean" }
        ?? "no mean in the file"
      decision = Provenance.Decision(
        "preprocessing", "assumed: \(order.rawValue) less \(mean.values)",
        because: "\(lack); \(mean.evidence)")
      return
    }
    let stated = transformation.means.map(\.shortest)
    guard [0, 1, channels].contains(stated.count) else {
      throw file.unsupported(
        "mean", "has means that do not fit its input", place: "transform_param", seen: "\(stated.count)",
        allowed: "1 or \(channels)")
    }
    let mean = stated.count == channels ? stated : Array(repeating: stated.first ?? 0, count: channels)
    preprocessing = Preprocessing(channelOrder: order, mean: mean, scale: scale, resize: resize)
    decision = Provenance.Decision(
      "preprocessing", "\(order.rawValue) less \(mean), times \(scale[0])",
      because: "a data layer says so; Caffe reads pictures as bgr")
  }

  private static func evidence(of mean: MeanPicture, _ transformation: Transformation?) -> String {
    var evidence = "the mean colour of \(mean.name), a picture of \(mean.extent)"
    if mean.extent != Extent(side: 1) {
      evidence += " whose pixels differ from it by up to \(rounded(mean.largestDeviation))"
    }
    if let named = transformation?.meanFile {
      evidence += "; a data layer names \(named)"
    } else if let means = transformation?.means, !means.isEmpty {
      evidence += "; a data layer says \(means.map(\.shortest)) instead"
    }
    return evidence
  }

  /// Three digits behind the point, for people; the model has the number itself.
  private static func rounded(_ number: Double) -> Double { (number * 1000).rounded() / 1000 }

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

extension Float {
  /// The number that was written as text and rounded to this one: 103.939, not 103.93900299072266.
  fileprivate var shortest: Double { Double("\(self)") ?? Double(self) }
}
