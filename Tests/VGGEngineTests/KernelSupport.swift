import CVGGKernels
import TestSupport
import Testing

/// The instruction sets that this machine can run: each kernel is tested on every one.
let availableISAs = [VGKISA.portable, .neon, .avx2, .avx512].filter(vgk_isa_is_available)

extension SeededGenerator {
  /// Values in -1 ... 1.
  mutating func values(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float.random(in: -1...1, using: &self) }
  }

  /// A number of the range.
  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// Calls a kernel for uneven parts of `0 ..< count`, the last first, as threads may, with an output whose ends are guarded.
///
/// - Returns: the output; values that no part has written are NaN.
func outputInParts(
  elementCount: Int, rangeCount count: Int, _ kernel: (UnsafeMutablePointer<Float>, Int, Int) -> Void
) -> [Float] {
  let guardCount = 40
  let canary: Float = -12345.5
  var output = [Float](repeating: canary, count: elementCount + 2 * guardCount)
  for index in guardCount..<guardCount + elementCount { output[index] = .nan }
  output.withUnsafeMutableBufferPointer { buffer in
    guard let start = buffer.baseAddress.map({ $0 + guardCount }) else { return }
    let split = count / 3
    kernel(start, split, count)
    kernel(start, split, split)
    kernel(start, 0, split)
  }
  #expect(output.prefix(guardCount).allSatisfy { $0 == canary })
  #expect(output.suffix(guardCount).allSatisfy { $0 == canary })
  return Array(output[guardCount..<guardCount + elementCount])
}

/// Whether two arrays hold the same bits.
func sameBits(_ first: [Float], _ second: [Float]) -> Bool {
  first.map(\.bitPattern) == second.map(\.bitPattern)
}
