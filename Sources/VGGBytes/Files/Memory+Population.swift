internal import Glibc

extension UnsafeMutableRawBufferPointer {
  /// Makes the system provide all pages of a mapped file that is about to be written as a whole, on all processors.
  ///
  /// Where pages are first touched in another order than theirs, a fault provides each of them alone, and that costs more than
  /// to write them. Only speed depends on it, so it is no error where the system cannot do it (Linux before 5.14).
  package func populate() {
    guard let start = baseAddress else { return }
    nonisolated(unsafe) let base = start
    let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    Workers.current.perform(count, pieceLength: 1 << 22) { _, piece in
      let first = base + piece.lowerBound
      let skipped = Int(bitPattern: first) % pageSize
      madvise(first - skipped, skipped + piece.count, MADV_POPULATE_WRITE)
    }
  }
}
