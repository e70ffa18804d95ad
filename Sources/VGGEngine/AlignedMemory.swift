internal import Glibc

/// Memory for numbers, aligned to 64 bytes and undefined at first.
final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  // Safe to share: whoever writes is the only owner, or writes a part that nobody else reads.
  let buffer: UnsafeMutableBufferPointer<Element>

  /// Memory for nothing.
  init() { buffer = UnsafeMutableBufferPointer(start: nil, count: 0) }

  init(count: Int) throws(EngineError) {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    var memory: UnsafeMutableRawPointer?
    guard !overflow, posix_memalign(&memory, 64, max(byteCount, 64)) == 0, let memory else {
      throw .memory(byteCount: overflow ? .max : byteCount)
    }
    buffer = UnsafeMutableBufferPointer(
      start: memory.bindMemory(to: Element.self, capacity: count), count: count)
  }

  deinit { free(buffer.baseAddress) }
}
