public import VGGBytes

/// Where a tensor's values come from: part of a mapped file in some order, or a computation on another tensor.
///
/// Values are float32 in the tensor's canonical order. They are produced on demand and in ranges, so asking for a
/// shape costs nothing and work proceeds in pieces that fit the cache.
public protocol TensorValues: Sendable {
  /// The number of values.
  var count: Int { get }

  /// The values as they lie in memory, where they do so already: float32, little-endian, canonical order, aligned.
  var inMemory: ByteRegion? { get }

  /// Whether neighbours in the source are in one column of the native order, not in one row: then tiles of columns are
  /// cheap, and short ranges cost many times as much for each value as long ones.
  var isTransposed: Bool { get }

  /// Writes a range of the values; safe to call from several threads.
  ///
  /// Long ranges are cheaper per value than short ones.
  ///
  /// - Precondition: The range lies within `0..<count` and the destination has as many elements as the range.
  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError)

  /// Writes a tile of the values; safe to call from several threads.
  ///
  /// - Parameters:
  ///   - tile: The rows and columns, which lie within the tensor.
  ///   - rowLength: The number of output channels.
  ///   - destination: Where the tile's first value goes.
  ///   - rowStride: From a row's first value to that of the next one.
  func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Float>, rowStride: Int
  ) throws(FileError)

  /// Lends a tile in blocks, in whatever order is cheapest; safe to call from several threads.
  ///
  /// - Parameters:
  ///   - tile: One of ``tiles(rowLength:)``.
  ///   - rowLength: The number of output channels.
  ///   - body: Gets a block and its values, row by row.
  func forEachBlock(
    of tile: Tile, rowLength: Int, _ body: (Block, UnsafeBufferPointer<Float>) throws(FileError) -> Void
  ) throws(FileError)

  /// The number of rows of the groups of which a band takes the same rows; see ``RowBand``.
  ///
  /// - Parameter rowLength: The number of output channels.
  func rowGroupLength(rowLength: Int) -> Int

  /// Writes a band of the values, run by run; safe to call from several threads.
  ///
  /// - Parameters:
  ///   - band: One of ``bands(rowLength:ofAtMost:)``.
  ///   - rowLength: The number of output channels.
  ///   - destination: Room for all of its rows.
  func read(
    _ band: RowBand, rowLength: Int, into destination: UnsafeMutablePointer<Float>
  ) throws(FileError)

  /// Writes the values of a block of another tensor of the same shape; safe to call from several threads.
  ///
  /// - Parameters:
  ///   - block: Which values.
  ///   - rowLength: The number of output channels.
  ///   - destination: Room for all of them, row by row.
  func read(
    _ block: Block, rowLength: Int, into destination: UnsafeMutableBufferPointer<Float>
  ) throws(FileError)
}

extension TensorValues {
  /// Most values are computed or converted as they are read.
  public var inMemory: ByteRegion? { nil }

  /// Most values are stored in the order in which they are read.
  public var isTransposed: Bool { false }

  /// All values, as a new array; for small tensors.
  public func array() throws(FileError) -> [Float] {
    var failure: FileError?
    let values = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(FileError) {
        try read(0..<count, into: UnsafeMutableBufferPointer(rebasing: buffer.prefix(count)))
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return values
  }
}

/// Float32 values that lie in memory in canonical order.
public struct MemoryValues: TensorValues {
  /// The bytes of the values: little-endian, aligned to 4.
  public let region: ByteRegion

  /// The number of values.
  public var count: Int { region.count / MemoryLayout<Float>.size }
  /// The bytes of the values.
  public var inMemory: ByteRegion? { region }

  /// Creates values over a region, nil where it is not aligned or no whole number of floats.
  public init?(_ region: ByteRegion) {
    let isAligned = region.withBytes {
      UInt(bitPattern: $0.baseAddress) % UInt(MemoryLayout<Float>.alignment) == 0
    }
    guard isAligned, region.count % MemoryLayout<Float>.size == 0 else { return nil }
    self.region = region
  }

  /// Creates values from an array; for small tensors.
  public init(_ values: [Float]) {
    region = ByteRegion(copying: values.withUnsafeBytes { Array($0) })
  }

  /// Copies a range of the values.
  public func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    region.withBytes { bytes in
      let part = bytes[
        range.lowerBound * MemoryLayout<Float>.size..<range.upperBound * MemoryLayout<Float>.size]
      UnsafeMutableRawBufferPointer(destination).copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
    }
  }
}
