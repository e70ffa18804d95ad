internal import CVGGKernels
public import VGGModel
internal import VGGTensors

/// The values between two layers for a batch of pictures: float32, order picture, row, column, channel (NHWC).
///
/// A value type: a copy costs nothing and never changes behind its owner's back.
public struct FeatureMap: Sendable {
  /// The number of pictures.
  public private(set) var count: Int
  /// Rows, columns and channels of one picture.
  public private(set) var shape: FeatureShape
  private var storage: AlignedMemory<Float>

  /// Creates a map of values in NHWC order.
  ///
  /// - Throws: `shape` where their number is not what the shape and the number of pictures need.
  public init(count: Int, shape: FeatureShape, values: [Float]) throws(EngineError) {
    let needed = FeatureMap.valueCount(count: count, shape: shape)
    guard needed == values.count else {
      throw .shape(
        ShapeError(
          layer: "input",
          problem:
            "has \(values.count) values, but \(count) pictures of \(shape.extent)x\(shape.channels) have "
            + (needed.map(String.init) ?? "more than 64 bits can count")))
    }
    self.init()
    try reshape(count: count, shape: shape)
    withMutableValues { $0.baseAddress?.update(from: values, count: values.count) }
  }

  /// Creates a map of no pictures, to be reshaped.
  init() {
    count = 0
    shape = FeatureShape(extent: Extent(side: 0), channels: 0)
    storage = AlignedMemory<Float>()
  }

  /// The number of all values.
  public var valueCount: Int { count * shape.count }

  /// All values, as a new array.
  public var values: [Float] { withValues { Array($0) } }

  /// Lends all values for the time of the call, aligned to 64 bytes.
  public func withValues<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(start: storage.buffer.baseAddress, count: valueCount))
  }

  /// Makes room for another number and shape; the values are undefined afterwards.
  ///
  /// The memory is reused where it suffices, nobody else holds it, and it is not many times too large: a few
  /// logits that somebody keeps must not keep the memory of a whole feature map.
  mutating func reshape(count: Int, shape: FeatureShape) throws(EngineError) {
    guard let valueCount = FeatureMap.valueCount(count: count, shape: shape) else {
      throw .memory(byteCount: .max)
    }
    let isSuitable = storage.buffer.count >= valueCount && storage.buffer.count / 16 <= valueCount
    if !isSuitable || !isKnownUniquelyReferenced(&storage) {
      storage = try AlignedMemory<Float>(count: valueCount)
    }
    self.count = count
    self.shape = shape
  }

  /// The number of values of so many pictures, nil where 64 bits cannot count it or a length is negative.
  private static func valueCount(count: Int, shape: FeatureShape) -> Int? {
    var product = 1
    for length in [shape.extent.height, shape.extent.width, shape.channels, count] {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      guard length >= 0, !overflow else { return nil }
      product = next
    }
    return product
  }

  /// The mean of each channel over a picture, in double precision.
  func spatialMean() throws(EngineError) -> FeatureMap {
    let (channels, pixelCount) = (shape.channels, shape.extent.height * shape.extent.width)
    let means = withValues { values in
      (0..<count * channels).map { index in
        let start = index / channels * pixelCount * channels + index % channels
        let sum = (0..<pixelCount).reduce(0.0) { $0 + Double(values[start + $1 * channels]) }
        return Float(sum / Double(pixelCount))
      }
    }
    return try FeatureMap(
      count: count, shape: FeatureShape(extent: Extent(side: 1), channels: channels), values: means)
  }

  /// The softmax over the channels of each pixel.
  func softmax() throws(EngineError) -> FeatureMap {
    var result = FeatureMap()
    try result.reshape(count: count, shape: shape)
    let rows = count * shape.extent.height * shape.extent.width
    withValues { source in
      result.withMutableValues { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        vgk_reference_softmax(shape.channels, source, target, 0, rows)
      }
    }
    return result
  }

  /// The logistic function of each value.
  func sigmoid() throws(EngineError) -> FeatureMap {
    var result = FeatureMap()
    try result.reshape(count: count, shape: shape)
    withValues { source in
      result.withMutableValues { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        vgk_reference_sigmoid(valueCount, source, target)
      }
    }
    return result
  }

  /// Lends all values for writing.
  ///
  /// - Precondition: No copy of the map has been made since it was reshaped.
  mutating func withMutableValues<Result, Failure: Error>(
    _ body: (UnsafeMutableBufferPointer<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeMutableBufferPointer(start: storage.buffer.baseAddress, count: valueCount))
  }
}
