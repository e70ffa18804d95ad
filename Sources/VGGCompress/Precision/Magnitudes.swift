internal import Synchronization
internal import VGGBytes
internal import VGGTensors

extension Float {
  /// The bit pattern without the sign: it grows with the magnitude.
  var magnitudeBits: UInt32 { bitPattern & 0x7FFF_FFFF }
}

extension TensorValues {
  /// The bit pattern of the largest magnitude of which no more than some number of values are smaller.
  ///
  /// Found exactly and in little memory: a histogram of the upper half of the bit patterns, then one of the lower
  /// half within the bin where the number is reached.
  func magnitude(ofAtMost number: Int) throws(FileError) -> UInt32 {
    let upper = try histogram { $0 >> 16 }
    var smaller = 0
    var upperBits: UInt32 = 0
    while Int(upperBits) < upper.count, smaller + upper[Int(upperBits)] <= number {
      smaller += upper[Int(upperBits)]
      upperBits += 1
    }
    if Int(upperBits) == upper.count { return .max }
    let bin = upperBits
    let lower = try histogram { $0 >> 16 == bin ? $0 & 0xFFFF : nil }
    var lowerBits: UInt32 = 0
    while Int(lowerBits) < lower.count, smaller + lower[Int(lowerBits)] <= number {
      smaller += lower[Int(lowerBits)]
      lowerBits += 1
    }
    return bin << 16 + lowerBits
  }

  private func histogram(_ bin: @Sendable (UInt32) -> UInt32?) throws(FileError) -> [Int] {
    // Sums of counts do not depend on the order, so that only what is being counted takes memory.
    let total = Mutex([Int](repeating: 0, count: 1 << 16))
    try reducePieces(rowLength: 1, into: ()) { (_, values) throws(FileError) in
      var counts = [Int](repeating: 0, count: 1 << 16)
      for value in values {
        if let index = bin(value.magnitudeBits) { counts[Int(index)] += 1 }
      }
      total.withLock { total in
        for index in total.indices { total[index] += counts[index] }
      }
    } combine: { _, _ in
    }
    return total.withLock { $0 }
  }
}
