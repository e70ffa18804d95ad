public import VGGBytes

/// The rows of a matrix that stand at the same places in each of some groups of equally many rows: what a source in another
/// order has close together, and a file has in one run for each group.
///
/// The rows of a kernel in `[H, W, I, O]` are `H * W` groups of `I`; where the source is `[O, I, H, W]`, some of the input
/// channels are a band whose numbers are neighbours in it, for each output channel.
public struct RowBand: Equatable, Sendable {
  /// The number of groups.
  public let groupCount: Int
  /// The number of rows of a group.
  public let groupLength: Int
  /// The places in each group.
  public let rows: Range<Int>

  /// The number of rows in all groups.
  public var rowCount: Int { groupCount * rows.count }

  /// The runs of rows that the band is made of: where each begins in the band, and its rows in the matrix.
  public var runs: some Sequence<(start: Int, rows: Range<Int>)> {
    (0..<groupCount).lazy.map { group in
      let first = group * groupLength + rows.lowerBound
      return (group * rows.count, first..<first + rows.count)
    }
  }
}

extension TensorValues {
  /// Splits a matrix into bands that cost little each where their values are produced.
  ///
  /// - Parameters:
  ///   - rowLength: The number of output channels.
  ///   - elementCount: What a band is to have at most, unless one row of each group is more.
  public func bands(rowLength: Int, ofAtMost elementCount: Int) -> [RowBand] {
    let groupLength = rowGroupLength(rowLength: rowLength)
    guard groupLength > 0 else { return [] }
    let groupCount = count / rowLength / groupLength
    let rowsAtOnce = max(1, elementCount / (groupCount * rowLength))
    return stride(from: 0, to: groupLength, by: rowsAtOnce).map { row in
      RowBand(
        groupCount: groupCount, groupLength: groupLength, rows: row..<min(groupLength, row + rowsAtOnce))
    }
  }

  /// All rows are one group where the source has them in order.
  public func rowGroupLength(rowLength: Int) -> Int { count / rowLength }

  /// Reads a band, run by run.
  public func read(
    _ band: RowBand, rowLength: Int, into destination: UnsafeMutablePointer<Float>
  ) throws(FileError) {
    for (start, rows) in band.runs {
      try read(
        rows.lowerBound * rowLength..<rows.upperBound * rowLength,
        into: UnsafeMutableBufferPointer(
          start: destination + start * rowLength, count: rows.count * rowLength))
    }
  }
}
