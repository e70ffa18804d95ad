internal import Synchronization
internal import VGGBytes
internal import VGGTensors

/// A range of a weight tensor as floats in memory: lent where it lies there already, decoded otherwise.
enum DecodedWeights {
  case lent(ByteRegion)
  case decoded(AlignedMemory<Float>)

  /// Gets a range of whole rows; rows are decoded on all threads.
  init(
    _ values: any TensorValues, _ range: Range<Int>, rowLength: Int, _ threads: Threads
  ) throws(EngineError) {
    let size = MemoryLayout<Float>.size
    if let region = values.inMemory?.slice(at: range.lowerBound * size, count: range.count * size) {
      self = .lent(region)
      return
    }
    let memory = try AlignedMemory<Float>(count: range.count)
    let failure = Mutex<FileError?>(nil)
    threads.perform(range.count, granularity: max(1, rowLength)) { part in
      do throws(FileError) {
        try values.read(
          range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound,
          into: UnsafeMutableBufferPointer(rebasing: memory.buffer[part]))
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw .weights(error) }
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
