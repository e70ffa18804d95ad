import Synchronization
import Testing
import VGGBytes

@testable import VGGEngine

/// Threads that stay at hand do what threads do that are started for a loop.
@Suite struct ThreadPoolTests {
  private struct Refusal: Error, Equatable {
    let index: Int
  }

  @Test(arguments: [1, 2, 3, 5]) func loopsFollowEachOther(threads: Int) {
    let workers = Workers(ThreadPool(count: threads))
    for count in [0, 1, 2, 100, 3, 1000] {
      #expect(workers.map(count) { -$0 } == (0..<count).map { -$0 })
    }
  }

  @Test(arguments: [1, 2, 3, 5]) func theFirstErrorInOrderWins(threads: Int) {
    let workers = Workers(ThreadPool(count: threads))
    for _ in 0..<50 {
      #expect(throws: Refusal(index: 11)) {
        try workers.perform(400) { (index) throws(Refusal) in
          if index % 20 == 11 { throw Refusal(index: index) }
        }
      }
    }
  }

  @Test func eachThreadHasANumberOfItsOwn() {
    let workers = Workers(ThreadPool(count: 3))
    let busy = Mutex<Set<Int>>([])
    workers.perform(300, pieceLength: 1) { thread, _ in
      #expect(busy.withLock { $0.insert(thread).inserted })
      busy.withLock { _ = $0.remove(thread) }
    }
  }
}
