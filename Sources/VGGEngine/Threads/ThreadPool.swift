internal import CVGGKernels
internal import Glibc
internal import Synchronization
internal import VGGBytes

/// Threads that stay at hand between the layers of a run.
///
/// A thread that waits for the next layer spins for a moment, since that comes within microseconds, and then sleeps.
/// One caller at a time.
final class ThreadPool: ThreadTeam {
  let count: Int
  private let shared = Shared()
  private let threads: [pthread_t]

  /// Starts threads; fewer where the system gives no more.
  init(count: Int) {
    var threads: [pthread_t] = []
    for index in 1..<max(1, count) + 1 where index < count {
      let worker = Worker(shared: shared, index: index)
      guard let thread = startThread({ worker.run() }) else { break }
      threads.append(thread)
    }
    self.threads = threads
    self.count = threads.count + 1
  }

  deinit {
    shared.stop()
    for thread in threads { pthread_join(thread, nil) }
  }

  /// Calls a body on all threads, however few would do: they find out faster than others could be told apart.
  func callOnEach(atMost limit: Int, _ body: (_ thread: Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      shared.perform(body, helpers: threads.count)
    }
  }
}

/// One thread's way to the shared state.
private final class Worker: Sendable {
  let shared: Shared
  let index: Int

  init(shared: Shared, index: Int) {
    self.shared = shared
    self.index = index
  }

  func run() {
    var generation: UInt64 = 0
    while true {
      generation = shared.awaitChange(of: generation)
      if shared.isStopping { return }
      shared.work(thread: index)
      shared.unfinished.subtract(1, ordering: .acquiringAndReleasing)
    }
  }
}

private final class Shared: @unchecked Sendable {
  // Safe to share: `job` is written only while no helper is at work, and published by `generation`.
  private var job: ((Int) -> Void)?
  private let generation = Atomic<UInt64>(0)
  private let stops = Atomic(false)
  private let sleepers = Atomic(0)
  /// The number of helpers that are not done with the job.
  let unfinished = Atomic(0)
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  var isStopping: Bool { stops.load(ordering: .acquiring) }

  func stop() {
    stops.store(true, ordering: .releasing)
    wakeAll()
  }

  func perform(_ job: @escaping (Int) -> Void, helpers: Int) {
    self.job = job
    unfinished.store(helpers, ordering: .relaxed)
    wakeAll()
    work(thread: 0)
    var turns = 0
    while unfinished.load(ordering: .acquiring) > 0 {
      turns += 1
      // A helper that the system has taken off its processor needs one.
      if turns < 4000 { vgk_pause() } else { sched_yield() }
    }
    self.job = nil
  }

  /// Does a thread's part. A call of its own, so that nothing holds the job when it returns.
  @inline(never) func work(thread: Int) { job?(thread) }

  /// Waits for another generation than the one that is known, and returns it.
  func awaitChange(of known: UInt64) -> UInt64 {
    for _ in 0..<4000 {
      let current = generation.load(ordering: .acquiring)
      if current != known { return current }
      vgk_pause()
    }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    sleepers.add(1, ordering: .sequentiallyConsistent)
    defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
    while true {
      let current = generation.load(ordering: .sequentiallyConsistent)
      if current != known { return current }
      pthread_cond_wait(condition, mutex)
    }
  }

  private func wakeAll() {
    generation.add(1, ordering: .sequentiallyConsistent)
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }
}
