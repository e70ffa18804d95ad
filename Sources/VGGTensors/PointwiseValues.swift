public import VGGBytes

/// Values that are computed from others one by one, each from the one of the same index.
public protocol PointwiseValues: TensorValues {
  /// What they are computed from.
  var base: any TensorValues { get }
  /// Computes values in the place of those that they are computed from.
  ///
  /// - Parameters:
  ///   - run: Values that are neighbours in the tensor.
  ///   - firstIndex: The index of the first of them.
  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int)
}

extension PointwiseValues {
  /// As many as there are to compute from.
  public var count: Int { base.count }
  /// As those that they are computed from.
  public var isTransposed: Bool { base.isTransposed }

  /// Reads and transforms a range.
  public func read(
    _ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>
  ) throws(FileError) {
    try base.read(range, into: destination)
    transform(destination, firstIndex: range.lowerBound)
  }

  /// Reads and transforms a tile.
  public func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Float>, rowStride: Int
  ) throws(FileError) {
    try base.read(tile, rowLength: rowLength, into: destination, rowStride: rowStride)
    tile.forEachRange(rowLength: rowLength, rowStride: rowStride) { range, place in
      transform(
        UnsafeMutableBufferPointer(start: destination + place, count: range.count),
        firstIndex: range.lowerBound)
    }
  }

  /// As those of what they are computed from.
  public func rowGroupLength(rowLength: Int) -> Int { base.rowGroupLength(rowLength: rowLength) }

  /// Reads and transforms a band.
  public func read(
    _ band: RowBand, rowLength: Int, into destination: UnsafeMutablePointer<Float>
  ) throws(FileError) {
    try base.read(band, rowLength: rowLength, into: destination)
    for (start, rows) in band.runs {
      transform(
        UnsafeMutableBufferPointer(start: destination + start * rowLength, count: rows.count * rowLength),
        firstIndex: rows.lowerBound * rowLength)
    }
  }

  /// Lends the blocks of what they are computed from, transformed.
  public func forEachBlock(
    of tile: Tile, rowLength: Int, _ body: (Block, UnsafeBufferPointer<Float>) throws(FileError) -> Void
  ) throws(FileError) {
    try base.forEachBlock(of: tile, rowLength: rowLength) { block, values throws(FileError) in
      let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
      defer { copy.deallocate() }
      _ = copy.initialize(from: values)
      block.forEachRun(rowLength: rowLength) { place, run in
        transform(UnsafeMutableBufferPointer(rebasing: copy[run]), firstIndex: place)
      }
      try body(block, UnsafeBufferPointer(copy))
    }
  }
}
