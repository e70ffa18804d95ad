internal import Glibc

/// Memory for numbers, aligned to 64 bytes and undefined at first.
///
/// From 1 MB on it lies in huge pages where the system has them: the tables of so many small pages cost a network 5 to
/// 10 % of its time.
final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  // Safe to share: whoever writes is the only owner, or writes a part that nobody else reads.
  let buffer: UnsafeMutableBufferPointer<Element>

  /// Memory for nothing.
  init() { buffer = UnsafeMutableBufferPointer(start: nil, count: 0) }

  init(count: Int) throws(EngineError) {
    let hugePage = 1 << 21
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    let isLarge = byteCount >= hugePage / 2
    let alignment = isLarge ? hugePage : 64
    let (rounded, overflowRounding) = max(byteCount, 64).addingReportingOverflow(alignment - 1)
    var memory: UnsafeMutableRawPointer?
    guard !overflow, !overflowRounding,
      posix_memalign(&memory, alignment, rounded / alignment * alignment) == 0, let memory
    else {
      throw .memory(byteCount: overflow ? .max : byteCount)
    }
    // A wish: without huge pages everything works as well.
    if isLarge { madvise(memory, rounded / alignment * alignment, MADV_HUGEPAGE) }
    buffer = UnsafeMutableBufferPointer(
      start: memory.bindMemory(to: Element.self, capacity: count), count: count)
  }

  deinit { free(buffer.baseAddress) }
}
