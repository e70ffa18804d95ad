internal import VGGModel

/// Tensors made of other tensors as they are read, so that bounds and hypotheses need no memory of a model's size.

/// The magnitudes of values.
struct Magnitudes: TensorValues {
  let base: any TensorValues

  var count: Int { base.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try base.read(range, into: destination)
    for index in destination.indices { destination[index] = destination[index].magnitude }
  }
}

/// A run of the output channels of a weight, which are its last axis.
struct ChannelSlice: TensorValues {
  let base: any TensorValues
  /// The number of all output channels.
  let channelCount: Int
  let channels: Range<Int>

  var count: Int { base.count / channelCount * channels.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let (row, channel) = position.quotientAndRemainder(dividingBy: channels.count)
      let length = min(channels.count - channel, range.upperBound - position)
      let start = row * channelCount + channels.lowerBound + channel
      let offset = position - range.lowerBound
      try base.read(
        start..<start + length,
        into: UnsafeMutableBufferPointer(rebasing: destination[offset..<offset + length]))
      position += length
    }
  }
}

extension TensorValues {
  /// A run of the output channels, which are the last axis.
  func channels(_ channels: Range<Int>, of channelCount: Int) -> any TensorValues {
    channels == 0..<channelCount
      ? self : ChannelSlice(base: self, channelCount: channelCount, channels: channels)
  }
}

/// How far the values of a tensor may be from their source's, by the encoding: half a step of it.
struct EncodingAllowance: TensorValues {
  let tensor: Tensor
  /// The source's values, where there are any: pruned values and those at the end of a scale are as far as they are.
  let source: (any TensorValues)?

  var count: Int { tensor.count }

  /// Whether an encoding holds every value as it is.
  static func isZero(for encoding: Encoding) -> Bool { encoding == .float32 }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try tensor.values.read(range, into: destination)
    let outputs = tensor.shape[tensor.shape.count - 1]
    func fill(_ original: UnsafeBufferPointer<Float>?) {
      for offset in destination.indices {
        let (value, channel) = (destination[offset], (range.lowerBound + offset) % outputs)
        var allowance = tensor.encoding.element.halfStep(at: value, channel: channel)
        let isPruned = tensor.encoding.isSparse && value == 0
        if isPruned || tensor.encoding.element.isAtEnd(value, channel: channel), let original {
          allowance = max(allowance, (original[offset] - value).magnitude.nextUp)
        }
        destination[offset] = allowance
      }
    }
    guard let source else { return fill(nil) }
    try source.withValues(range) { (original) throws(FileError) in fill(original) }
  }
}

extension Encoding.Element {
  /// The largest difference between a value and what was rounded to it.
  fileprivate func halfStep(at value: Float, channel: Int) -> Float {
    switch self {
    case .float32: 0
    // Half a unit in the last place of 11 or 8 significant bits, and of the subnormal numbers.
    case .float16: max(value.magnitude * 0x1p-11, 0x1p-25)
    case .bfloat16: max(value.magnitude * 0x1p-8, 0x1p-134)
    // Half a step, and the roundings of the quotient and of the product: 3 of 2^-24 of at most 127 steps.
    case .int8(let scales): scales[channel] * 0.50003
    }
  }

  /// Whether a value is the largest that there is, which larger ones become.
  fileprivate func isAtEnd(_ value: Float, channel: Int) -> Bool {
    switch self {
    case .float32: false
    case .float16: value.magnitude >= 65504
    case .bfloat16: value.magnitude >= 0x1.fep127
    case .int8(let scales): value.magnitude >= scales[channel] * 126.5
    }
  }
}

/// Values that stand at other places in another tensor.
struct RearrangedValues: TensorValues {
  let base: any TensorValues
  /// The place in `base` of the value at a place here.
  let place: @Sendable (Int) -> Int

  var count: Int { base.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    if let inMemory = base.inMemory {
      inMemory.withBytes { bytes in
        let values = bytes.assumingMemoryBound(to: Float.self)
        for (offset, index) in range.enumerated() { destination[offset] = values[place(index)] }
      }
      return
    }
    for (offset, index) in range.enumerated() {
      let source = place(index)
      try base.read(
        source..<source + 1, into: UnsafeMutableBufferPointer(rebasing: destination[offset..<offset + 1]))
    }
  }
}

/// Values of which some are changed.
struct OverwrittenValues: TensorValues {
  let base: any TensorValues
  let range: Range<Int>
  let outputs: Int
  /// Gets a value and its output channel.
  let transform: @Sendable (Float, Int) -> Float

  var count: Int { base.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try base.read(range, into: destination)
    for index in range.clamped(to: self.range) {
      destination[index - range.lowerBound] = transform(
        destination[index - range.lowerBound], index % outputs)
    }
  }
}
