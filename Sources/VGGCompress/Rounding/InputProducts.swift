internal import VGGTensors

/// The sums of products of what a layer reads, two inputs at a time: X^T X for rows X, of which only blocks along the diagonal are
/// kept. All 25,088 inputs of fc6 with each other would take 2.5 GB.
///
/// The sums are the same bits on every machine and for any number of threads: products of two float32 are exact in double
/// precision, fused with the addition or not, and are added in the order of the rows.
final class InputProducts: @unchecked Sendable {
  // Safe to share: each thread writes blocks of its own.

  /// The inputs of a block: a megabyte of sums.
  static let blockLength = 512

  /// The number of inputs.
  let inputCount: Int
  /// The lower triangles of the blocks, row after row, one behind the other.
  private let sums: UnsafeMutableBufferPointer<Double>
  private let starts: [Int]

  /// Begins with zeros.
  init(inputCount: Int) {
    self.inputCount = inputCount
    var (starts, count) = ([Int](), 0)
    for first in stride(from: 0, to: inputCount, by: Self.blockLength) {
      let length = min(Self.blockLength, inputCount - first)
      starts.append(count)
      count += length * (length + 1) / 2
    }
    self.starts = starts
    sums = .allocate(capacity: count)
    sums.initialize(repeating: 0)
  }

  deinit { sums.deallocate() }

  /// The number of blocks.
  var blockCount: Int { starts.count }

  /// The inputs of a block.
  func inputs(ofBlock index: Int) -> Range<Int> {
    index * Self.blockLength..<min(inputCount, (index + 1) * Self.blockLength)
  }

  /// The sum of the products of two inputs of a block, counted from its first one.
  func sum(ofBlock index: Int, _ first: Int, _ second: Int) -> Double {
    let (low, high) = (min(first, second), max(first, second))
    return sums[starts[index] + high * (high + 1) / 2 + low]
  }

  /// Whether all sums are finite numbers, as they are unless an input is not.
  var isFinite: Bool { sums.allSatisfy(\.isFinite) }

  /// Adds the products of rows of inputs to those of a block; several blocks may be added to at the same time.
  func add(_ rows: [Float], toBlock index: Int) {
    let inputs = inputs(ofBlock: index)
    guard let triangle = sums.baseAddress.map({ $0 + starts[index] }) else { return }
    withUnsafeTemporaryAllocation(of: Double.self, capacity: inputs.count) { row in
      guard let values = row.baseAddress else { return }
      for start in stride(from: 0, to: rows.count, by: inputCount) {
        for place in 0..<inputs.count { values[place] = Double(rows[start + inputs.lowerBound + place]) }
        for place in 0..<inputs.count where values[place] != 0 {
          let (value, target) = (values[place], triangle + place * (place + 1) / 2)
          for other in 0...place { target[other] += value * values[other] }
        }
      }
    }
  }
}
