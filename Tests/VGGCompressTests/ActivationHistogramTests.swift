import TestSupport
import Testing
import VGGModel

@testable import VGGCompress

/// What is counted of a layer's outputs.
@Suite struct ActivationHistogramTests {
  static func histogram(_ values: [Float]) throws -> ActivationHistogram {
    try #require(values.withUnsafeBufferPointer { ActivationHistogram($0) })
  }

  /// Numbers of both signs over many orders of magnitude, zeros among them.
  private static func numbers(_ count: Int, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      let exponent = Int.random(in: -40...10, using: &generator)
      let sign = Int.random(in: -1...1, using: &generator)
      return Float(sign) * Float.random(in: 1...2, using: &generator)
        * Float(sign: .plus, exponent: exponent, significand: 1)
    }
  }

  @Test(arguments: [1, 7, 100, 5000])
  func neitherOrderNorDivisionMatters(_ length: Int) throws {
    let numbers = Self.numbers(5000, seed: 3)
    let whole = try Self.histogram(numbers)
    for values in [numbers, numbers.reversed(), numbers.sorted()] {
      var parts = ActivationHistogram()
      for start in stride(from: 0, to: values.count, by: length) {
        parts.add(try Self.histogram(Array(values[start..<min(start + length, values.count)])))
      }
      #expect(parts == whole)
    }
    #expect(whole.count == 5000 && whole.zeroCount == numbers.count { $0 == 0 })
    #expect(whole.bins.reduce(whole.zeroCount, +) == 5000)
    #expect(whole.minimum == numbers.min() && whole.maximum == numbers.max())
  }

  @Test func binsAreWhatTheySay() throws {
    let histogram = try Self.histogram([3, 0.5, 0.4999, 0, -0.0, -0.5])
    #expect(histogram.width == 4.0 / 8192 && histogram.zeroCount == 2)
    let filled = histogram.bins.indices.filter { histogram.bins[$0] > 0 }.map { $0 - 8192 }
    #expect(filled == [-1025, 1023, 1024, 6144])
    #expect(histogram.positiveCount == 6145 && histogram.negativeCount == 1025)
  }

  @Test func theEndsOfFloatAreCounted() throws {
    let smallest = Float.leastNonzeroMagnitude
    var histogram = try Self.histogram([smallest, -smallest])
    #expect(histogram.positiveCount == 4097 && histogram.negativeCount == 4097)
    histogram.add(try Self.histogram([.greatestFiniteMagnitude]))
    #expect(histogram.positiveCount == 8192 && histogram.negativeCount == 1)
    #expect(histogram.range(by: .minMax) == ActivationRange(low: -smallest, high: .greatestFiniteMagnitude))
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, -.nan])
  func whatIsNoNumberIsNotCounted(_ value: Float) {
    #expect([1, value, 2].withUnsafeBufferPointer { ActivationHistogram($0) } == nil)
  }

  @Test func valuesOutsideAreCounted() throws {
    let histogram = try Self.histogram([-4, -2, -1, 0, 1, 2, 3, 8])
    #expect(histogram.count(outside: histogram.range(by: .minMax)) == 0)
    // Ends at bins: the bin that begins with 2 is beyond 2.
    #expect(histogram.count(outside: ActivationRange(low: -8, high: 2)) == 3)
    #expect(histogram.count(outside: ActivationRange(low: -1.5, high: 20)) == 2)
    #expect(histogram.count(outside: ActivationRange(low: 0, high: 0)) == 7)
  }
}
