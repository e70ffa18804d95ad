internal import Glibc
internal import Synchronization

/// A value that is computed on a thread of its own while its creator does other things.
///
/// One that nobody asks for is computed to its end all the same.
package final class BackgroundWork<Value: Sendable>: Sendable {
  private let result: Result
  private let thread: Mutex<pthread_t?>

  /// What the thread keeps, which may outlive its creator.
  private final class Result: Sendable {
    let value = Mutex<Value?>(nil)
  }

  /// Starts to compute; at once and here where the system gives no thread.
  ///
  /// - Parameters:
  ///   - needsProcessor: Whether it computes, and does not only wait for a device: then a thread of its own would be one too
  ///     many where ``Workers/current`` is one thread.
  ///   - body: Computes the value; its loops are one thread.
  package init(needsProcessor: Bool, _ body: @escaping @Sendable () -> Value) {
    let result = Result()
    self.result = result
    @Sendable func work() {
      let value = Workers.$current.withValue(Workers(count: 1), operation: body)
      result.value.withLock { $0 = value }
    }
    let thread = needsProcessor && Workers.current.count == 1 ? nil : startThread(work)
    self.thread = Mutex(thread)
    if thread == nil { work() }
  }

  deinit {
    if let thread = thread.withLock({ $0 }) { pthread_detach(thread) }
  }

  /// The value, where it is there already.
  package var valueIfDone: Value? { result.value.withLock { $0 } }

  /// The value, as soon as it is there.
  package func wait() -> Value {
    thread.withLock { thread in
      if let running = thread { pthread_join(running, nil) }
      thread = nil
    }
    guard let value = valueIfDone else { preconditionFailure("a thread that has ended has left its value") }
    return value
  }
}
