public import VGGBytes

/// The codes of a tensor in a source file that is quantised itself, in the native order.
public struct SourceCodes: TensorCodes {
  private let values: any TensorValues

  /// The number of codes.
  public var count: Int { values.count }

  /// Whether all codes of a column are neighbours in the source.
  public var isTransposed: Bool { values.isTransposed }

  /// Creates a view of a tensor.
  ///
  /// - Precondition: Its numbers are signed bytes that nothing scales.
  public init(_ source: SourceTensor) {
    precondition(source.format.kind == .int8 && source.scaling == nil)
    values = source.canonicalValues
  }

  /// Reads a range; each number is exact as a float on the way.
  public func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError)
  {
    try values.withValues(range) { values in
      for (index, value) in values.enumerated() { destination[index] = Int8(value) }
    }
  }

  /// Reads a tile as the source has it close together.
  public func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Int8>, rowStride: Int
  ) throws(FileError) {
    let columnCount = tile.columns.count
    let buffer = UnsafeMutablePointer<Float>.allocate(capacity: tile.count)
    defer { buffer.deallocate() }
    try values.read(tile, rowLength: rowLength, into: buffer, rowStride: columnCount)
    for row in 0..<tile.rows.count {
      for column in 0..<columnCount {
        destination[row * rowStride + column] = Int8(buffer[row * columnCount + column])
      }
    }
  }
}
