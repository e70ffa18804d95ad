internal import CVGGKernels

/// The sparse form of a tensor: a table, a bit map, and those elements that are not zero; `schemas/FORMAT.md`, section 5.
///
/// Elements are encoded first, then those of all-zero bits are left out, so this serves every type of element.
struct SparseLayout {
  /// The number of elements whose bits and starts are kept together, so that each such block decodes by itself.
  static let blockLength = 1 << 16

  /// The number of elements, zeros included.
  let count: Int
  /// The number of bytes of an element.
  let elementByteCount: Int

  /// The number of blocks; the table has an entry for each: how many elements that are not zero precede it.
  var blockCount: Int { (count + SparseLayout.blockLength - 1) / SparseLayout.blockLength }
  /// The offset of the bit map, in words of 64 bits, the first element's bit lowest.
  var bitMapOffset: Int { blockCount * MemoryLayout<UInt64>.size }
  /// The number of words of the bit map.
  var wordCount: Int { (count + 63) / 64 }
  /// The offset of the elements that are not zero.
  var elementsOffset: Int { bitMapOffset + wordCount * MemoryLayout<UInt64>.size }

  /// The elements of a block.
  func block(_ index: Int) -> Range<Int> {
    index * SparseLayout.blockLength..<min(count, (index + 1) * SparseLayout.blockLength)
  }

  /// The number of stored bytes with a number of elements that are not zero.
  func byteCount(storing elements: Int) -> Int { elementsOffset + elements * elementByteCount }
}

extension SparseLayout {
  /// The number of a block's elements that are not zero.
  static func nonzeroCount<Pattern: FixedWidthInteger>(_ elements: UnsafeBufferPointer<Pattern>) -> Int {
    elements.reduce(0) { $0 + ($1 == 0 ? 0 : 1) }
  }

  /// Leaves the zeros out of a block's elements.
  ///
  /// - Parameters:
  ///   - elements: The elements of the block.
  ///   - words: Where to put their bits.
  ///   - output: Room for those that are not zero, aligned in no way.
  static func compact<Pattern: FixedWidthInteger>(
    _ elements: UnsafeBufferPointer<Pattern>, bits words: UnsafeMutablePointer<UInt64>,
    into output: UnsafeMutableRawPointer
  ) {
    // Each element is written, and overwritten by the next one if it is zero; so there must be room for one more.
    let kept = UnsafeMutablePointer<Pattern>.allocate(capacity: elements.count + 1)
    defer { kept.deallocate() }
    var count = 0
    for first in stride(from: 0, to: elements.count, by: 64) {
      var word: UInt64 = 0
      for index in first..<min(first + 64, elements.count) {
        let isKept = elements[index] != 0
        (kept + count).initialize(to: elements[index])
        count += isKept ? 1 : 0
        word |= (isKept ? 1 : 0) << UInt64(index - first)
      }
      words[first / 64] = word.littleEndian
    }
    output.copyMemory(from: kept, byteCount: count * MemoryLayout<Pattern>.size)
  }

  /// Puts the zeros back.
  ///
  /// - Parameters:
  ///   - words: The bits of the elements, in whole words.
  ///   - stored: As many elements as there are bits set.
  ///   - elements: Room for 64 elements for each word.
  /// - Returns: Whether none of the stored elements is zero.
  static func expand<Pattern: FixedWidthInteger>(
    bits words: UnsafeRawBufferPointer, _ stored: UnsafeRawPointer,
    into elements: UnsafeMutablePointer<Pattern>
  ) -> Bool {
    var next = stored
    var allDiffer = true
    for index in 0..<words.count / 8 {
      var word = UInt64(littleEndian: words.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      let output = elements + index * 64
      output.update(repeating: 0, count: 64)
      while word != 0 {
        let element = next.loadUnaligned(as: Pattern.self)
        allDiffer = allDiffer && element != 0
        output[word.trailingZeroBitCount] = element
        next += MemoryLayout<Pattern>.size
        word &= word - 1
      }
    }
    return allDiffer
  }
}

extension UnsafeRawBufferPointer {
  /// The number of bits that are set in whole words of 64 bits.
  var nonzeroBitCount: Int {
    guard let words = baseAddress else { return 0 }
    return vgk_count_bits(vgk_best_isa(), words, count / 8)
  }
}
