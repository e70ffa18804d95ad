package import Glibc

/// How the threads of ``Workers`` come to work: started for each loop, or kept at hand between loops.
package protocol ThreadTeam: Sendable {
  /// The number of threads, the caller's among them.
  var count: Int { get }

  /// Calls a body once on each thread, at the same time, and returns when all calls have.
  ///
  /// - Parameters:
  ///   - limit: More threads than this are of no use.
  ///   - body: Gets the number of its thread, below `count`; does everything even where it is called only once.
  func callOnEach(atMost limit: Int, _ body: (_ thread: Int) -> Void)
}

/// Threads that are started for each loop.
///
/// Where the system gives none, as under a limit on memory, the caller's does everything.
struct StartedThreads: ThreadTeam {
  let count: Int

  func callOnEach(atMost limit: Int, _ body: (_ thread: Int) -> Void) {
    let helperCount = min(count, limit) - 1
    guard helperCount > 0 else { return body(0) }
    withoutActuallyEscaping(body) { body in
      // Bodies write through pointers, each to what is its own, which the compiler cannot see.
      nonisolated(unsafe) let body = body
      var helpers: [pthread_t] = []
      while helpers.count < helperCount {
        let number = helpers.count + 1
        guard let helper = startThread({ body(number) }) else { break }
        helpers.append(helper)
      }
      body(0)
      for helper in helpers { pthread_join(helper, nil) }
    }
  }
}

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
