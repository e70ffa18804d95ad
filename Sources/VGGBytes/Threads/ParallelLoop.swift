internal import CMemoryFaults
package import Glibc
internal import Synchronization

/// The number of processors that are at hand.
public var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

/// Calls a body for each index below a count, on several threads, and returns when all calls have.
///
/// A thread takes the next index as soon as it is done with one: one that is held up delays nobody. Where the system
/// gives no threads, as under a limit on memory, the caller's does everything.
///
/// - Parameters:
///   - count: The number of calls.
///   - threadCount: How many threads work at the same time, the caller's among them.
///   - body: Called on several threads at the same time; writes only what belongs to its index.
public func performInParallel(_ count: Int, threadCount: Int = processorCount, _ body: (Int) -> Void) {
  let next = Atomic(0)
  func work() {
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index)
    }
  }
  let helperCount = min(count, threadCount) - 1
  guard helperCount > 0 else { return work() }
  withoutActuallyEscaping(work) { work in
    // Bodies write through pointers, each to what is its own, which the compiler cannot see.
    nonisolated(unsafe) let work = work
    var helpers: [pthread_t] = []
    while helpers.count < helperCount, let helper = startThread({ work() }) { helpers.append(helper) }
    work()
    for helper in helpers { pthread_join(helper, nil) }
  }
}

/// Gives the system back memory that was freed and is kept for later: what comes next may need it in one piece.
package func returnFreeMemory() { cmf_return_free_memory() }

/// Starts a thread, nil where the system gives none.
///
/// Its stack is small: one of the usual 8 MB is refused where little memory is allowed.
package func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
  var attributes = pthread_attr_t()
  guard pthread_attr_init(&attributes) == 0 else { return nil }
  defer { pthread_attr_destroy(&attributes) }
  pthread_attr_setstacksize(&attributes, 1 << 20)
  var thread = pthread_t()
  let context = Unmanaged.passRetained(ThreadBody(body))
  let status = pthread_create(
    &thread, &attributes,
    { context in
      guard let context else { return nil }
      Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
      return nil
    }, context.toOpaque())
  guard status == 0 else {
    context.release()
    return nil
  }
  return thread
}

/// What a new thread is handed.
private final class ThreadBody: Sendable {
  let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
