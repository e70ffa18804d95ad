internal import VGGBytes

/// Splits work that consists of independent parts over threads.
struct Threads: Sendable {
  /// The number of threads that work at the same time.
  let count: Int

  /// Takes a wish for a number of threads; more than 1024 are of no use to anybody.
  init(count: Int) { self.count = min(max(1, count), 1024) }

  /// Calls a body for ranges that together are `0..<total`, and returns when all are done.
  ///
  /// - Parameters:
  ///   - total: The length of all ranges together.
  ///   - granularity: What all bounds but the last are multiples of.
  ///   - body: Called on several threads at the same time; writes only what belongs to its range.
  func perform(_ total: Int, granularity: Int = 1, body: (Range<Int>) -> Void) {
    let units = (total + granularity - 1) / granularity
    let pieces = min(units, count == 1 ? 1 : count * 4)
    guard pieces > 1 else {
      if total > 0 { body(0..<total) }
      return
    }
    performInParallel(pieces, threadCount: count) { piece in
      body(piece * units / pieces * granularity..<min(total, (piece + 1) * units / pieces * granularity))
    }
  }
}
