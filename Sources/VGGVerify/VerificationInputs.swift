public import VGGEngine
public import VGGModel
internal import VGGTensors

/// Inputs that show mistakes: no symmetry, every channel different, the whole range of values that pictures have.
public enum VerificationInputs {
  /// What the generated pictures show, in order.
  public static let names = ["noise", "impulses", "constants"]

  /// Makes a batch of three pictures from a seed.
  ///
  /// Noise over the whole preprocessed range, with negative values where a mean is taken off; a few bright pixels off the
  /// centre, in one channel each, on black; and areas of constant colour, different in every channel, whose borders are
  /// nowhere in the middle. A flipped kernel, swapped channels, a wrong mean or a transposed map changes all of them.
  ///
  /// - Parameters:
  ///   - network: The network that they are for.
  ///   - preprocessing: Gives the range of the values; without it -128 to 127.
  ///   - seed: Equal seeds give equal inputs.
  public static func generated(
    for network: Network, preprocessing: Preprocessing?, seed: UInt64
  ) throws(EngineError) -> FeatureMap {
    let extent = network.inputExtent ?? Extent(side: 64)
    let channels = network.inputChannels
    let shape = FeatureShape(extent: extent, channels: channels)
    func value(_ pixel: Double, _ channel: Int) -> Float {
      guard let preprocessing, preprocessing.mean.count == channels else { return Float(pixel - 128) }
      return Float((pixel - preprocessing.mean[channel]) * preprocessing.scale[channel])
    }
    var random = SplitMix64(state: seed)
    var (noise, impulses, constants): ([Float], [Float], [Float]) = ([], [], [])
    for row in 0..<extent.height {
      // Bands that get higher towards the bottom; in each of them another channel is bright.
      let part = Double(row) / Double(extent.height)
      let bright = min(channels - 1, Int(part.squareRoot() * Double(channels)))
      for column in 0..<extent.width {
        let isRight = column * 8 > extent.width * 5
        for channel in 0..<channels {
          noise.append(value(Double(random.next() >> 40) / Double(1 << 24) * 255, channel))
          impulses.append(value(0, channel))
          let shade = Double((channel * 37 + (isRight ? 96 : 24)) % 160)
          constants.append(value(channel == bright ? 255 : shade, channel))
        }
      }
    }
    for channel in 0..<channels {
      for _ in 0..<4 {
        // Off the centre: never in the middle row or column, which a flip leaves where they are.
        let row = Int(random.next() % UInt64(max(1, extent.height / 2)))
        let column = Int(random.next() % UInt64(max(1, extent.width / 2)))
        impulses[(row * extent.width + column) * channels + channel] = value(255, channel)
      }
    }
    return try FeatureMap(count: 3, shape: shape, values: noise + impulses + constants)
  }
}

/// SplitMix64 (Steele, Lea and Flood 2014): a short generator whose sequence is the same everywhere.
struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
