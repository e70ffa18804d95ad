public import VGGBytes

extension TensorValues {
  /// Reads all values in pieces of whole rows, on several threads, and combines what is made of them in order.
  ///
  /// The result does not depend on the number of threads (`Workers.current`). Values that lie in memory are lent without
  /// a copy; otherwise each thread needs the memory of one piece.
  ///
  /// - Parameters:
  ///   - rowLength: The length of a row, such as the number of output channels; divides the count.
  ///   - initial: What the results are combined with, first to last.
  ///   - map: Makes a result of a piece; gets the index of its first value and its values.
  ///   - combine: Adds the next piece's result.
  public func reducePieces<Partial: Sendable, Result>(
    rowLength: Int, into initial: Result,
    map: @Sendable (Int, UnsafeBufferPointer<Float>) throws(FileError) -> Partial,
    combine: (inout Result, Partial) -> Void
  ) throws(FileError) -> Result {
    let pieceLength = max(1, (1 << 20) / max(1, rowLength)) * max(1, rowLength)
    let pieceCount = (count + pieceLength - 1) / pieceLength
    let partials = try Workers.current.map(pieceCount) { (index) throws(FileError) in
      let range = index * pieceLength..<min(count, (index + 1) * pieceLength)
      return try withValues(range) { (values) throws(FileError) in try map(range.lowerBound, values) }
    }
    var result = initial
    for partial in partials { combine(&result, partial) }
    return result
  }

  /// Lends a range of the values: those in memory as they are, others read into a buffer.
  public func withValues<Result>(
    _ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    if let inMemory {
      return try inMemory.withBytes { (bytes) throws(FileError) in
        try body(UnsafeBufferPointer(rebasing: bytes.assumingMemoryBound(to: Float.self)[range]))
      }
    }
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: range.count)
    defer { buffer.deallocate() }
    try read(range, into: buffer)
    return try body(UnsafeBufferPointer(buffer))
  }
}
