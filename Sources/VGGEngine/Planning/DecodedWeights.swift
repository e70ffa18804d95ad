internal import VGGBytes
internal import VGGTensors

/// A range of a weight tensor as floats in memory: lent where it lies there already, decoded otherwise.
enum DecodedWeights {
  case lent(ByteRegion)
  case decoded(AlignedMemory<Float>)

  /// Gets a range of whole rows; rows are decoded on all threads.
  init(
    _ values: any TensorValues, _ range: Range<Int>, rowLength: Int, _ threads: Workers
  ) throws(EngineError) {
    let size = MemoryLayout<Float>.size
    if let region = values.inMemory?.slice(at: range.lowerBound * size, count: range.count * size) {
      self = .lent(region)
      return
    }
    let memory = try AlignedMemory<Float>(count: range.count)
    do throws(FileError) {
      if values.isTransposed, range.count == values.count {
        let tiles = values.tiles(rowLength: rowLength)
        try threads.perform(tiles.count) { (index) throws(FileError) in
          guard let start = memory.buffer.baseAddress else { return }
          let tile = tiles[index]
          try values.read(
            tile, rowLength: rowLength,
            into: start + tile.rows.lowerBound * rowLength + tile.columns.lowerBound, rowStride: rowLength)
        }
        self = .decoded(memory)
        return
      }
      try threads.perform(range.count, granularity: max(1, rowLength)) { (part) throws(FileError) in
        try values.read(
          range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound,
          into: UnsafeMutableBufferPointer(rebasing: memory.buffer[part]))
      }
    } catch {
      throw .weights(error)
    }
    self = .decoded(memory)
  }

  /// Lends the values for the time of the call; not called where there are none.
  func withPointer(_ body: (UnsafePointer<Float>) -> Void) {
    switch self {
    case .lent(let region):
      region.withBytes { bytes in
        if let start = bytes.baseAddress { body(start.assumingMemoryBound(to: Float.self)) }
      }
    case .decoded(let memory):
      if let start = memory.buffer.baseAddress { body(UnsafePointer(start)) }
      withExtendedLifetime(memory) {}
    }
  }
}
