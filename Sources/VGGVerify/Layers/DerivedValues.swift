internal import VGGBytes
internal import VGGTensors

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

/// The distances of the values of two tensors, rounded up.
struct Distances: TensorValues {
  let left: any TensorValues
  let right: any TensorValues

  var count: Int { left.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try left.read(range, into: destination)
    try right.withValues(range) { (right) throws(FileError) in
      for index in destination.indices {
        let (own, other) = (destination[index], right[index])
        destination[index] = own == other ? 0 : (own - other).magnitude.nextUp
      }
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

/// Codes that stand at other places in another tensor.
struct RearrangedCodes: TensorCodes {
  let base: any TensorCodes
  /// The place in `base` of the code at a place here.
  let place: @Sendable (Int) -> Int

  var count: Int { base.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    if let inMemory = base.inMemory {
      inMemory.withBytes { bytes in
        let codes = bytes.assumingMemoryBound(to: Int8.self)
        for (offset, index) in range.enumerated() { destination[offset] = codes[place(index)] }
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

/// Codes of which some are changed.
struct OverwrittenCodes: TensorCodes {
  let base: any TensorCodes
  let range: Range<Int>
  /// Gets a code and its index.
  let transform: @Sendable (Int8, Int) -> Int8

  var count: Int { base.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    try base.read(range, into: destination)
    for index in range.clamped(to: self.range) {
      destination[index - range.lowerBound] = transform(
        destination[index - range.lowerBound], index)
    }
  }
}
