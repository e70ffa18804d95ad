public import VGGBytes

/// In which order a weight's rows stand in another program's files.
///
/// Rows are indices of all axes but the last in the native order: row, column, input channel of a kernel, and of the map that
/// a dense layer reads.
public struct RowOrder: Sendable {
  /// The native row at each place.
  fileprivate let rows: [UInt32]

  /// The number of rows.
  public var count: Int { rows.count }

  /// Creates an order in which axes vary otherwise.
  ///
  /// - Parameters:
  ///   - shape: The lengths of the native axes of rows.
  ///   - axes: For each axis of the new order, the slowest first, which native one it is.
  /// - Precondition: `axes` names each axis once; there are fewer rows than 2^32.
  public init(shape: [Int], axes: [Int]) {
    precondition(axes.sorted() == Array(shape.indices))
    var strides = Array(repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
    rows = axes.reduce([0]) { rows, axis in
      rows.flatMap { row in (0..<shape[axis]).map { row + UInt32($0 * strides[axis]) } }
    }
  }

  /// The native order.
  public init(count: Int) { rows = (0..<UInt32(count)).map(\.self) }

  /// Brings the columns of a tile of all rows into this order, one after the other.
  ///
  /// - Parameters:
  ///   - range: Which elements of the columns together are wanted.
  ///   - tile: The tile row by row.
  ///   - columnCount: The number of its columns.
  fileprivate func transpose<Element>(
    _ range: Range<Int>, of tile: UnsafeMutablePointer<Element>, columnCount: Int,
    into destination: UnsafeMutablePointer<Element>
  ) {
    // Of a few rows at a time, all columns are taken while their cache lines are at hand.
    for first in stride(from: 0, to: count, by: 64) {
      for column in 0..<columnCount {
        let start = column * count
        let end = min(first + 64, count, range.upperBound - start)
        for place in stride(from: max(first, range.lowerBound - start), to: end, by: 1) {
          destination[start + place - range.lowerBound] = tile[Int(rows[place]) * columnCount + column]
        }
      }
    }
  }
}

extension RowOrder {
  /// Reads some elements of a tensor whose output channels come first and whose rows are in this order.
  ///
  /// - Parameters:
  ///   - range: Which elements.
  ///   - destination: Room for them.
  ///   - readTile: Reads a tile of all rows in the native order, row by row.
  fileprivate func read<Element>(
    _ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Element>,
    _ readTile: (Tile, UnsafeMutablePointer<Element>) throws(FileError) -> Void
  ) throws(FileError) {
    guard let target = destination.baseAddress, !range.isEmpty else { return }
    let columns = range.lowerBound / count..<(range.upperBound + count - 1) / count
    let tile = UnsafeMutablePointer<Element>.allocate(capacity: count * columns.count)
    defer { tile.deallocate() }
    try readTile(Tile(rows: 0..<count, columns: columns), tile)
    let start = columns.lowerBound * count
    transpose(
      range.lowerBound - start..<range.upperBound - start, of: tile, columnCount: columns.count, into: target)
  }
}

/// A tensor's values with the output channels first and the rows in some order: what most programs but TensorFlow store.
public struct TransposedValues: TensorValues {
  private let values: any TensorValues
  private let rows: RowOrder

  /// The number of values.
  public var count: Int { values.count }

  /// Creates a view of values.
  ///
  /// - Precondition: There is a value for each row and output channel.
  public init(_ values: any TensorValues, rows: RowOrder) {
    precondition(rows.count > 0 && values.count % rows.count == 0)
    (self.values, self.rows) = (values, rows)
  }

  /// Reads a tile of all rows, and turns it.
  public func read(
    _ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>
  ) throws(FileError) {
    try rows.read(range, into: destination) { tile, room throws(FileError) in
      try values.read(tile, rowLength: count / rows.count, into: room, rowStride: tile.columns.count)
    }
  }
}

/// A tensor's codes with the output channels first and the rows in some order; see ``TransposedValues``.
public struct TransposedCodes: TensorCodes {
  private let codes: any TensorCodes
  private let rows: RowOrder

  /// The number of codes.
  public var count: Int { codes.count }

  /// Creates a view of codes.
  ///
  /// - Precondition: There is a code for each row and output channel.
  public init(_ codes: any TensorCodes, rows: RowOrder) {
    precondition(rows.count > 0 && codes.count % rows.count == 0)
    (self.codes, self.rows) = (codes, rows)
  }

  /// Reads a tile of all rows, and turns it.
  public func read(
    _ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>
  ) throws(FileError) {
    try rows.read(range, into: destination) { tile, room throws(FileError) in
      try codes.read(tile, rowLength: count / rows.count, into: room, rowStride: tile.columns.count)
    }
  }
}
