public import VGGEngine
public import VGGModel

/// Inputs that show mistakes: no symmetry, every channel different, the whole range of values that pictures have.
public enum VerificationInputs {
  /// Makes a batch of three pictures from a seed.
  ///
  /// Noise over the whole preprocessed range; a few bright pixels off the centre, in one channel each, on black; and
  /// ramps that differ in every channel. A flipped kernel, swapped channels or a transposed map changes all of them.
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
    var noise: [Float] = []
    var ramps: [Float] = []
    var impulses: [Float] = []
    for row in 0..<extent.height {
      for column in 0..<extent.width {
        for channel in 0..<channels {
          noise.append(value(Double(random.next() >> 40) / Double(1 << 24) * 255, channel))
          impulses.append(value(0, channel))
          let (down, right) = (Double(row) / Double(extent.height), Double(column) / Double(extent.width))
          let share = Double(channel + 1) / Double(channels + 1)
          ramps.append(value(255 * (share * down + (1 - share) * right * right), channel))
        }
      }
    }
    for channel in 0..<channels {
      for _ in 0..<4 {
        let row = Int(random.next() % UInt64(extent.height))
        let column = Int(random.next() % UInt64(extent.width))
        impulses[(row * extent.width + column) * channels + channel] = value(255, channel)
      }
    }
    return try FeatureMap(count: 3, shape: shape, values: noise + impulses + ramps)
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
