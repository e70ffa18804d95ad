public import VGGTensors

/// What is done to a picture before the first layer: `(pixel - mean[channel]) * scale[channel]`.
public struct Preprocessing: Equatable, Sendable {
  /// The order of the colour channels.
  public enum ChannelOrder: String, CaseIterable, Sendable {
    case bgr
    case rgb
    case gray
  }
  /// The order of the colour channels in the network's input.
  public var channelOrder: ChannelOrder
  /// What is subtracted from the channels, in the network's channel order, for pixels of 0 to 255.
  public var mean: [Double]
  /// What the channels are multiplied by after that.
  public var scale: [Double]
  /// How a picture of another size is brought to the network's.
  public var resize: Resize

  /// How a picture of another size is brought to the network's input.
  public enum Resize: Equatable, Sendable {
    /// Both sides are scaled to the input's, whatever the picture's proportions.
    case stretch
    /// The shorter side is scaled to a length, then the centre is cut out (section 3.2 of the paper).
    case shorterSide(Int)
  }

  /// Creates a rule.
  public init(channelOrder: ChannelOrder, mean: [Double], scale: [Double]? = nil, resize: Resize) {
    self.channelOrder = channelOrder
    self.mean = mean
    self.scale = scale ?? Array(repeating: 1, count: mean.count)
    self.resize = resize
  }

  /// The mean colour of ILSVRC's training pictures in the order blue, green, red, as the released VGG models have it.
  public static let imageNetMeanBGR = [103.939, 116.779, 123.68]

  /// What the released VGG models need: BGR less the mean colour, unscaled.
  ///
  /// A shorter side of 256 for an input of 224, and the same proportion for other inputs.
  public static func released(for input: Extent?) -> Preprocessing {
    let side = min(input?.height ?? 224, input?.width ?? 224)
    return Preprocessing(
      channelOrder: .bgr, mean: imageNetMeanBGR, resize: .shorterSide((side * 256 + 223) / 224))
  }

  /// What torchvision's models need: RGB of 0 to 1, less a mean and by a deviation; the size as for the released ones.
  public static func torchvision(for input: Extent?) -> Preprocessing {
    Preprocessing(
      channelOrder: .rgb, mean: [0.485, 0.456, 0.406].map { $0 * 255 },
      scale: [0.229, 0.224, 0.225].map { 1 / ($0 * 255) }, resize: released(for: input).resize)
  }

  /// The same for pictures whose channels are in another order.
  public func inOrder(_ order: ChannelOrder) -> Preprocessing {
    guard Set([order, channelOrder]) == [.bgr, .rgb] else { return self }
    return Preprocessing(channelOrder: order, mean: mean.reversed(), scale: scale.reversed(), resize: resize)
  }
}
