internal import Glibc

/// Memory for numbers, aligned to 64 bytes and undefined at first.
///
/// From 1 MB on it lies in huge pages where the system has them: the tables of so many small pages cost a network 5 to
/// 10 % of its time.
final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  // Safe to share: whoever writes is the only owner, or writes a part that nobody else reads.
  let buffer: UnsafeMutableBufferPointer<Element>
  private let isMapped: Bool

  /// Memory for nothing.
  init() { (buffer, isMapped) = (UnsafeMutableBufferPointer(start: nil, count: 0), false) }

  init(count: Int) throws(EngineError) {
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard !overflow else { throw .memory(byteCount: .max) }
    isMapped = byteCount >= AlignedMemory.hugePage / 2
    let memory = isMapped ? AlignedMemory.map(byteCount) : AlignedMemory.allocate(byteCount)
    guard let memory else { throw .memory(byteCount: byteCount) }
    buffer = UnsafeMutableBufferPointer(
      start: memory.bindMemory(to: Element.self, capacity: count), count: count)
  }

  deinit {
    if isMapped {
      munmap(buffer.baseAddress, AlignedMemory.wholePages(buffer.count * MemoryLayout<Element>.stride))
    } else {
      free(buffer.baseAddress)
    }
  }

  private static var hugePage: Int { 1 << 21 }

  private static func wholePages(_ byteCount: Int) -> Int { (byteCount + hugePage - 1) & ~(hugePage - 1) }

  private static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    var memory: UnsafeMutableRawPointer?
    return posix_memalign(&memory, 64, max(byteCount, 64)) == 0 ? memory : nil
  }

  /// Maps huge pages, of which none stays behind when they are given back, as it may with the heap.
  private static func map(_ byteCount: Int) -> UnsafeMutableRawPointer? {
    guard byteCount <= Int.max / 2 else { return nil }
    let size = wholePages(byteCount)
    // More than is needed, so that it can begin with a huge page; the rest is given back at once.
    let mapped = mmap(nil, size + hugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return nil }
    let skipped = -Int(bitPattern: mapped) & (hugePage - 1)
    if skipped > 0 { munmap(mapped, skipped) }
    munmap(mapped + skipped + size, hugePage - skipped)
    // A wish: without huge pages everything works as well.
    madvise(mapped + skipped, size, MADV_HUGEPAGE)
    return mapped + skipped
  }
}
