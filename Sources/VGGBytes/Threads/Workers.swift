internal import Glibc
internal import Synchronization

/// The number of processors that are at hand.
public var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

/// The threads that share the work of a loop over independent parts: the only kind of parallel loop there is.
///
/// A thread takes the next part as soon as it is done with one: one that is held up delays nobody. Results do not depend on
/// the number of threads, and neither do errors: the one of the first part that fails is thrown, and parts behind it are
/// not begun any more.
public struct Workers: Sendable {
  /// The threads of the loops that are not handed any: as many as there are processors, unless somebody up the stack says
  /// otherwise.
  ///
  /// A tool binds it for the time of a command. It is not handed from function to function because the loops lie at the bottom,
  /// under lazy values and protocols that have nothing to do with threads; it is not a global variable so that two callers
  /// in one process, such as tests, can have different numbers. Within a loop it is one thread: loops in loops do not
  /// multiply the number.
  @TaskLocal public static var current = Workers(count: processorCount)

  /// The caller's thread alone.
  private static let single = Workers(count: 1)

  private let team: any ThreadTeam

  /// The number of threads that work at the same time, the caller's among them.
  public var count: Int { team.count }

  /// Threads that are started for each loop.
  ///
  /// - Parameter count: A wish: at least 1, and more than 1024 are of no use to anybody.
  public init(count: Int) { team = StartedThreads(count: min(max(1, count), 1024)) }

  /// The threads of a team.
  package init(_ team: any ThreadTeam) { self.team = team }

  /// Calls a body for each index below a count, and returns when all calls have.
  ///
  /// - Parameters:
  ///   - count: The number of calls.
  ///   - body: Called on several threads at the same time; writes only what belongs to its index.
  public func perform<Failure: Error>(
    _ count: Int, _ body: (Int) throws(Failure) -> Void
  ) throws(Failure) {
    try perform(count, pieceLength: 1) { (_, piece) throws(Failure) in
      for index in piece { try body(index) }
    }
  }

  /// Calls a function for each index below a count, and returns the results in order.
  public func map<Result: Sendable, Failure: Error>(
    _ count: Int, _ body: @Sendable (Int) throws(Failure) -> Result
  ) throws(Failure) -> [Result] {
    var results = [Result?](repeating: nil, count: count)
    try results.withUnsafeMutableBufferPointer { (results) throws(Failure) in
      // Each call has a place of its own.
      nonisolated(unsafe) let results = results
      try perform(count) { (index) throws(Failure) in results[index] = try body(index) }
    }
    return results.compactMap { $0 }
  }

  /// Calls a body for ranges that together are `0..<total`, about four for each thread, and returns when all are done.
  ///
  /// - Parameters:
  ///   - total: The length of all ranges together.
  ///   - granularity: What all bounds but the last are multiples of.
  ///   - body: Called on several threads at the same time; writes only what belongs to its range.
  public func perform<Failure: Error>(
    _ total: Int, granularity: Int, _ body: (Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    let units = (total + granularity - 1) / granularity
    let pieceLength = max(1, (units + 4 * count - 1) / (4 * count)) * granularity
    try perform(total, pieceLength: pieceLength) { (_, piece) throws(Failure) in try body(piece) }
  }

  /// Calls a body for pieces that together are `0..<total`, and returns when all are done.
  ///
  /// - Parameters:
  ///   - total: The length of all pieces together.
  ///   - pieceLength: The length of all pieces but the last; one thread alone takes everything at once.
  ///   - body: Gets the number of its thread, below `count`, and a piece; writes only what belongs to these.
  public func perform<Failure: Error>(
    _ total: Int, pieceLength: Int, _ body: (_ thread: Int, _ piece: Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    guard count > 1, total > pieceLength else {
      if total > 0 { try body(0, 0..<total) }
      return
    }
    let next = Atomic(0)
    // Pieces are begun in order, so all in front of one that fails are done or under way, and fail by themselves.
    let end = Atomic(total)
    let failure = Mutex<(start: Int, error: Failure)?>(nil)
    team.callOnEach(atMost: (total - 1) / pieceLength + 1) { thread in
      Workers.$current.withValue(Workers.single) {
        while true {
          let start = next.add(pieceLength, ordering: .relaxed).oldValue
          guard start < end.load(ordering: .relaxed) else { return }
          do throws(Failure) {
            try body(thread, start..<min(total, start + pieceLength))
          } catch {
            failure.withLock { failure in
              if let earlier = failure, earlier.start < start { return }
              failure = (start, error)
              end.store(start, ordering: .relaxed)
            }
          }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }
}
