public import VGGModel
public import VGGTensors

/// Where the maps between the layers of a network lie in one piece of memory, and how large that must be.
///
/// The layers follow one another, so no more than two maps hold values at a time: a layer's input and its output. They
/// lie at the two ends of the memory in turns, and the memory is as large as the largest such pair: no plan takes less
/// that computes layer by layer and overwrites no input.
public struct MemoryPlan: Equatable, Sendable {
  /// The memory of one map.
  public struct Buffer: Equatable, Sendable {
    /// The layer whose output it holds, or `input`.
    public let name: String
    /// The layers while which it holds values, by their index: the one that writes it and the one that reads it.
    public let lifetime: ClosedRange<Int>
    /// Where it begins.
    public let offset: Int
    /// How long it is.
    public let byteCount: Int

    /// The bytes that it takes.
    public var range: Range<Int> { offset..<offset + byteCount }
  }

  /// The input and the output of each layer, in order.
  public let buffers: [Buffer]
  /// The bytes that hold values at the same time, at most: the length of the memory.
  public let peakByteCount: Int
  /// The first layer while which there are so many.
  public let peakLayer: String

  /// Plans the memory of a network.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - extent: The extent of the pictures.
  ///   - batch: The number of pictures, at least 1.
  ///   - elementByteCount: The bytes of one value: 4 for float32.
  /// - Throws: Where the pictures do not fit the network, or 64 bits cannot count the bytes.
  public init(
    of network: Network, for extent: Extent, batch: Int = 1,
    elementByteCount: Int = MemoryLayout<Float>.size
  ) throws(ShapeError) {
    let input = FeatureShape(extent: extent, channels: network.inputChannels)
    let names = ["input"] + network.layers.map(\.name)
    var sizes: [Int] = []
    for (name, shape) in zip(names, [input] + (try network.outputShapes(for: extent))) {
      let (pictures, overflow) = shape.count.multipliedReportingOverflow(by: batch)
      let (byteCount, overflows) = pictures.multipliedReportingOverflow(by: elementByteCount)
      // A pair of maps must be counted, too.
      guard !overflow, !overflows, byteCount <= Int.max / 2 else {
        throw ShapeError(layer: name, problem: "needs more bytes than 64 bits can count")
      }
      sizes.append(byteCount)
    }
    let pairs = zip(sizes, sizes.dropFirst()).map(+)
    let peak = pairs.max() ?? sizes[0]
    peakByteCount = peak
    peakLayer = pairs.firstIndex(of: peak).map { names[$0 + 1] } ?? names[0]
    let last = max(0, network.layers.count - 1)
    buffers = sizes.enumerated().map { index, size in
      Buffer(
        name: names[index], lifetime: max(0, index - 1)...min(index, last),
        offset: index % 2 == 0 ? 0 : peak - size, byteCount: size)
    }
  }
}
