internal import CVGGKernels
internal import VGGBytes

/// What the machine can do at best, on the threads and with the instruction set of an engine. The caller takes the time.
public final class MachineProbe: Sendable {
  private let pool: Workers
  private let instructionSet: VGKISA
  private let values: AlignedMemory<Float>

  /// Prepares a probe; it has 256 MB of memory, which no cache holds.
  public init(options: EngineOptions) throws(EngineError) {
    guard options.instructionSet.isAvailable else { throw .unavailable(options.instructionSet) }
    pool = Workers(ThreadPool(count: options.threadCount))
    instructionSet = options.instructionSet.kernelValue
    values = try AlignedMemory(count: 1 << 26)
    let values = values.buffer
    pool.perform(values.count, pieceLength: 1 << 20) { _, piece in
      UnsafeMutableBufferPointer(rebasing: values[piece]).update(repeating: 1)
    }
  }

  /// Multiplies and adds in the registers of all cores.
  ///
  /// - Returns: The number of floating-point operations that were done.
  public func calculate() -> Double {
    let (pieces, stepCount) = (pool.count * 8, 1 << 18)
    pool.perform(pieces, pieceLength: 1) { _, range in
      var result: Float = 1
      for _ in range { _ = vgk_probe_arithmetic(instructionSet, stepCount, &result) }
    }
    var result: Float = 1
    return Double(pieces) * vgk_probe_arithmetic(instructionSet, 1, &result) * Double(stepCount)
  }

  /// Reads memory on all cores.
  ///
  /// - Returns: The number of bytes that were read.
  public func read() -> Double {
    pool.perform(values.buffer.count, pieceLength: 1 << 20) { _, range in
      guard let start = values.buffer.baseAddress else { return }
      var result: Float = 1
      vgk_probe_reading(instructionSet, start + range.lowerBound, range.count, &result)
    }
    return Double(values.buffer.count * MemoryLayout<Float>.stride)
  }
}
