import Synchronization
import Testing
import VGGBytes

/// The loop over independent parts: everything once, in order where there is an order, and the first error.
@Suite struct WorkersTests {
  private struct Refusal: Error, Equatable {
    let index: Int
  }

  @Test(arguments: [1, 2, 3, 16], [0, 1, 2, 7, 1000]) func eachIndexIsCalledOnce(threads: Int, count: Int) {
    let calls = Mutex([Int](repeating: 0, count: count))
    Workers(count: threads).perform(count) { index in calls.withLock { $0[index] += 1 } }
    #expect(calls.withLock { $0 } == [Int](repeating: 1, count: count))
  }

  @Test(arguments: [1, 2, 3, 16], [0, 1, 2, 7, 1000]) func resultsAreInOrder(threads: Int, count: Int) {
    #expect(Workers(count: threads).map(count) { -$0 } == (0..<count).map { -$0 })
  }

  @Test(arguments: [1, 2, 3, 16], [(0, 4), (3, 4), (1000, 1), (1001, 7), (64, 64), (65, 64)])
  func rangesTileTheWhole(threads: Int, whole: (total: Int, granularity: Int)) {
    let seen = Mutex<[Range<Int>]>([])
    Workers(count: threads).perform(whole.total, granularity: whole.granularity) { range in
      seen.withLock { $0.append(range) }
    }
    let ranges = seen.withLock { $0 }.sorted { $0.lowerBound < $1.lowerBound }
    #expect(ranges.flatMap(Array.init) == Array(0..<whole.total))
    #expect(ranges.dropFirst().allSatisfy { $0.lowerBound.isMultiple(of: whole.granularity) })
    #expect(ranges.count <= threads * 4)
  }

  @Test func threadsHaveNumbers() {
    let seen = Mutex<Set<Int>>([])
    let workers = Workers(count: 3)
    workers.perform(100, pieceLength: 3) { thread, _ in seen.withLock { _ = $0.insert(thread) } }
    #expect(seen.withLock { $0 }.isSubset(of: 0..<workers.count))
  }

  /// An error that comes later but belongs to an earlier index is the one that counts.
  @Test func theFirstErrorInOrderWins() {
    let laterHasFailed = Atomic(false)
    #expect(throws: Refusal(index: 3)) {
      try Workers(count: 4).perform(100) { (index) throws(Refusal) in
        switch index {
        case 3:
          while !laterHasFailed.load(ordering: .acquiring) {}
          throw Refusal(index: index)
        case 5:
          laterHasFailed.store(true, ordering: .releasing)
          throw Refusal(index: index)
        default: break
        }
      }
    }
  }

  @Test(arguments: [1, 2, 3, 16]) func theFirstErrorIsTheSameForEveryNumberOfThreads(threads: Int) {
    for _ in 0..<50 {
      #expect(throws: Refusal(index: 11)) {
        try Workers(count: threads).map(400) { (index) throws(Refusal) in
          if index % 20 == 11 { throw Refusal(index: index) }
          return index
        }
      }
    }
  }

  @Test(arguments: [1, 4]) func nothingIsBegunBehindAnError(threads: Int) {
    let calls = Atomic(0)
    #expect(throws: Refusal(index: 0)) {
      try Workers(count: threads).perform(1 << 20) { (index) throws(Refusal) in
        calls.add(1, ordering: .relaxed)
        if index == 0 { throw Refusal(index: 0) }
      }
    }
    #expect(calls.load(ordering: .relaxed) < 1 << 20)
  }

  @Test func aCallerDecidesOnAllLoopsBelow() {
    let loops = { Workers.current.count }
    #expect(loops() == processorCount)
    #expect(Workers.$current.withValue(Workers(count: 3), operation: loops) == 3)
    #expect(loops() == processorCount)
  }

  @Test func loopsInLoopsAreOneThread() {
    let counts = Workers(count: 3).map(20) { _ in Workers.current.count }
    #expect(counts == [Int](repeating: 1, count: 20))
  }

  @Test(arguments: [(-1, 1), (0, 1), (7, 7), (5000, 1024)]) func wishesAreLimited(wish: (Int, Int)) {
    #expect(Workers(count: wish.0).count == wish.1)
  }
}
