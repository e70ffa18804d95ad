public import VGGBytes

/// A rectangle of a tensor's elements, seen as a matrix with a row for each index of all axes but the last, and a column for
/// each output channel.
public struct Tile: Equatable, Sendable {
  /// The rows.
  public var rows: Range<Int>
  /// The output channels.
  public var columns: Range<Int>

  /// Creates a tile.
  public init(rows: Range<Int>, columns: Range<Int>) { (self.rows, self.columns) = (rows, columns) }

  /// The number of elements.
  public var count: Int { rows.count * columns.count }

  /// The number of columns that are turned at a time.
  package static let transposedColumns = 64

  /// Splits a matrix into tiles that cost little each where its elements are produced.
  ///
  /// - Parameters:
  ///   - count: The number of elements.
  ///   - rowLength: The number of output channels.
  ///   - isTransposed: Whether all elements of a column are neighbours in the source, not those of a row.
  static func tiles(_ count: Int, rowLength: Int, isTransposed: Bool) -> [Tile] {
    guard count > 0 else { return [] }
    let rowCount = count / rowLength
    // Columns of a tile share cache lines and pages of the target; rows fill a digest's block.
    let columnsAtOnce = isTransposed ? min(rowLength, transposedColumns) : rowLength
    let rowsAtOnce = isTransposed ? rowCount : max(1, (1 << 20) / rowLength)
    return stride(from: 0, to: rowLength, by: columnsAtOnce).flatMap { column in
      stride(from: 0, to: rowCount, by: rowsAtOnce).map { row in
        Tile(
          rows: row..<min(rowCount, row + rowsAtOnce),
          columns: column..<min(rowLength, column + columnsAtOnce))
      }
    }
  }

  /// Calls a body for each range of the tensor's elements that the tile is made of, and where it goes in memory whose rows
  /// have a stride: the tile as a whole where that is one range both here and there.
  func forEachRange<Failure: Error>(
    rowLength: Int, rowStride: Int, _ body: (_ range: Range<Int>, _ place: Int) throws(Failure) -> Void
  ) throws(Failure) {
    if columns == 0..<rowLength, rowStride == rowLength {
      return try body(rows.lowerBound * rowLength..<rows.upperBound * rowLength, 0)
    }
    for (index, row) in rows.enumerated() {
      let start = row * rowLength
      try body(start + columns.lowerBound..<start + columns.upperBound, index * rowStride)
    }
  }

  /// The tile cut into blocks of whole rows with a limited number of elements.
  func blocks(of most: Int = 1 << 16) -> [Tile] {
    let rowsAtOnce = max(1, most / max(1, columns.count))
    return stride(from: rows.lowerBound, to: rows.upperBound, by: rowsAtOnce).map { row in
      Tile(rows: row..<min(rows.upperBound, row + rowsAtOnce), columns: columns)
    }
  }
}

/// A part of a tile whose elements are lent together: some of its rows, in the order of the source.
public struct Block: Sendable {
  /// The output channels.
  public let columns: Range<Int>
  /// The number of rows.
  public let rowCount: Int
  private let firstRow: Int
  /// How far each row is behind the first one; nil where they follow each other.
  private let steps: ArraySlice<UInt32>?

  /// A block of rows that follow each other.
  init(rows: Range<Int>, columns: Range<Int>) {
    (self.columns, rowCount, firstRow, steps) = (columns, rows.count, rows.lowerBound, nil)
  }

  /// A block of rows at some steps behind a first one.
  init(firstRow: Int, steps: ArraySlice<UInt32>, columns: Range<Int>) {
    (self.columns, rowCount, self.firstRow, self.steps) = (columns, steps.count, firstRow, steps)
  }

  /// The row of the tensor that a row of the block is.
  public func row(_ index: Int) -> Int {
    guard let steps else { return firstRow + index }
    return firstRow + Int(steps[steps.startIndex + index])
  }

  /// The rows where they follow each other; nil where they do not.
  public var rows: Range<Int>? { steps == nil ? firstRow..<firstRow + rowCount : nil }

  /// Calls a body for each run of the block's elements that are neighbours in the tensor.
  ///
  /// - Parameters:
  ///   - rowLength: The number of output channels.
  ///   - body: Gets the index of the run's first element in the tensor, and the run in the block, row by row.
  public func forEachRun<Failure: Error>(
    rowLength: Int, _ body: (_ place: Int, _ run: Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    if let rows, columns == 0..<rowLength {
      return try body(rows.lowerBound * rowLength, 0..<rowCount * rowLength)
    }
    for index in 0..<rowCount {
      let run = index * columns.count..<(index + 1) * columns.count
      try body(row(index) * rowLength + columns.lowerBound, run)
    }
  }
}

extension TensorValues {
  /// Tiles that together are all values, each of them cheap to read; for loops over all values on all processors.
  ///
  /// - Parameter rowLength: The number of output channels, which divides the count.
  public func tiles(rowLength: Int) -> [Tile] {
    Tile.tiles(count, rowLength: rowLength, isTransposed: isTransposed)
  }

  /// Lends a tile in blocks of rows in the native order.
  public func forEachBlock(
    of tile: Tile, rowLength: Int, _ body: (Block, UnsafeBufferPointer<Float>) throws(FileError) -> Void
  ) throws(FileError) {
    try lendInOrder(tile, rowLength: rowLength, body)
  }

  /// Lends a tile in blocks of rows, one after the other; what lies in memory is lent without a copy.
  func lendInOrder(
    _ tile: Tile, rowLength: Int, _ body: (Block, UnsafeBufferPointer<Float>) throws(FileError) -> Void
  ) throws(FileError) {
    let parts = tile.blocks()
    if tile.columns == 0..<rowLength, inMemory != nil {
      for part in parts {
        let range = part.rows.lowerBound * rowLength..<part.rows.upperBound * rowLength
        try withValues(range) { values throws(FileError) in
          try body(Block(rows: part.rows, columns: part.columns), values)
        }
      }
      return
    }
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: parts.map(\.count).max() ?? 0)
    defer { buffer.deallocate() }
    guard let start = buffer.baseAddress else { return }
    for part in parts {
      try read(part, rowLength: rowLength, into: start, rowStride: part.columns.count)
      try body(
        Block(rows: part.rows, columns: part.columns),
        UnsafeBufferPointer(rebasing: buffer.prefix(part.count)))
    }
  }

  /// Reads a block run by run.
  public func read(
    _ block: Block, rowLength: Int, into destination: UnsafeMutableBufferPointer<Float>
  ) throws(FileError) {
    try readRuns(of: block, rowLength: rowLength, into: destination)
  }

  /// Reads a block run by run.
  func readRuns(
    of block: Block, rowLength: Int, into destination: UnsafeMutableBufferPointer<Float>
  ) throws(FileError) {
    try block.forEachRun(rowLength: rowLength) { place, run throws(FileError) in
      try read(place..<place + run.count, into: UnsafeMutableBufferPointer(rebasing: destination[run]))
    }
  }

  /// Reads a tile row by row, as values that are stored in the native order do it.
  public func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Float>, rowStride: Int
  ) throws(FileError) {
    try tile.forEachRange(rowLength: rowLength, rowStride: rowStride) { range, place throws(FileError) in
      try read(range, into: UnsafeMutableBufferPointer(start: destination + place, count: range.count))
    }
  }
}
