internal import Synchronization

/// Calls a function for each index on all processors and returns the results in order.
///
/// - Throws: The error of the lowest index that fails, so that it is the same one in every run.
package func concurrentMap<Result: Sendable, Failure: Error>(
  _ count: Int, _ body: @Sendable (Int) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  typealias State = (results: [Result?], failure: (index: Int, error: Failure)?)
  let state = Mutex<State>((Array(repeating: nil, count: count), nil))
  @Sendable func work(_ index: Int) {
    let isPointless = state.withLock { state in state.failure.map { $0.index < index } ?? false }
    if isPointless { return }
    do throws(Failure) {
      let result = try body(index)
      state.withLock { $0.results[index] = result }
    } catch {
      state.withLock { state in
        if let earlier = state.failure, earlier.index < index { return }
        state.failure = (index, error)
      }
    }
  }
  performInParallel(count, work)
  let done = state.withLock { $0 }
  if let failure = done.failure { throw failure.error }
  return done.results.compactMap { $0 }
}
