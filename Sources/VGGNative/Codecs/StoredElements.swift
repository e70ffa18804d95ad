internal import CVGGRules
internal import VGGBytes
internal import VGGTensors

/// The elements of a tensor of a native file as they are stored, zeros put back where it is sparse. Codes of four bits are in
/// pairs: what is an element here is a byte.
///
/// Any range is read by itself. Bytes that were damaged after the file was opened give a typed error or other elements, as
/// digests can tell; never a trap.
struct StoredElements: Sendable {
  private let record: TensorRecord
  private let bytes: ByteRegion
  private let path: String
  /// Where the bytes begin in the file.
  private let offset: Int
  /// The number of elements, of bytes where two elements share one.
  let count: Int
  private let elementByteCount: Int

  /// Creates elements from stored bytes, which end the tensor's.
  ///
  /// - Throws: Where the bytes of a sparse tensor cannot be what its manifest says: checked once, before anything is read.
  init(_ record: TensorRecord, bytes: ByteRegion, path: String) throws(FileError) {
    self.record = record
    self.bytes = bytes
    self.path = path
    offset = record.offset + record.storedBytes - bytes.count
    elementByteCount = record.elementType.unitByteCount
    count = record.elementType.byteCount(of: record.count) / elementByteCount
    switch record.storage {
    case .sparse: try checkTable()
    case .raw:
      guard bytes.count == count * elementByteCount else {
        throw failure(
          "stored_length", "has a wrong length", seen: "\(bytes.count)",
          allowed: "\(count * elementByteCount)")
      }
    }
  }

  /// The stored bytes where they are the elements one after the other; nil for a sparse tensor.
  var raw: ByteRegion? { record.storage == .raw ? bytes : nil }

  /// Reads a range of a sparse tensor's elements; `output` has room for them.
  func readSparse(_ range: Range<Int>, into output: UnsafeMutableRawPointer) throws(FileError) {
    switch elementByteCount {
    case 1: try readSparse(range, as: UInt8.self, into: output)
    case 2: try readSparse(range, as: UInt16.self, into: output)
    default: try readSparse(range, as: UInt32.self, into: output)
    }
  }

  // MARK: Sparse tensors

  private func readSparse<Pattern: FixedWidthInteger>(
    _ range: Range<Int>, as type: Pattern.Type, into output: UnsafeMutableRawPointer
  ) throws(FileError) {
    var start = range.lowerBound
    while start < range.upperBound {
      let block = sparse.block(start / SparseLayout.blockLength)
      let end = min(block.upperBound, range.upperBound)
      try readSparse(
        start..<end, of: block, into: output.assumingMemoryBound(to: type) + (start - range.lowerBound))
      start = end
    }
  }

  private var sparse: SparseLayout {
    SparseLayout(count: count, elementByteCount: elementByteCount)
  }

  /// The number of stored elements before a block.
  private func start(ofBlock index: Int) -> Int {
    index == sparse.blockCount
      ? (bytes.count - sparse.elementsOffset) / sparse.elementByteCount
      : Int(truncatingIfNeeded: bytes.integer(at: index * 8, as: UInt64.self) ?? 0)
  }

  private func checkTable() throws(FileError) {
    let (fixed, elements) = (sparse.elementsOffset, bytes.count - sparse.elementsOffset)
    guard elements >= 0, elements % sparse.elementByteCount == 0, elements / sparse.elementByteCount <= count
    else {
      throw failure(
        "stored_length", "has a wrong length", seen: "\(bytes.count)",
        allowed: "\(fixed) to \(sparse.byteCount(storing: count)) by \(sparse.elementByteCount)")
    }
    guard start(ofBlock: 0) == 0 else {
      throw failure(
        "table", "has a table that does not begin with 0", seen: "\(start(ofBlock: 0))", allowed: "0")
    }
    for index in 0..<sparse.blockCount {
      let (low, high) = (start(ofBlock: index), start(ofBlock: index + 1))
      // The starts before this one were found to be in order, so `low` is small and the difference cannot overflow.
      guard high >= low, high - low <= sparse.block(index).count else {
        throw failure(
          "table", "has a table that does not ascend by what a block holds", offset: (index + 1) * 8,
          seen: "\(high)", allowed: "\(low) to \(low + sparse.block(index).count)")
      }
    }
    let unused = sparse.wordCount * 64 - count
    let last = bytes.integer(at: sparse.elementsOffset - 8, as: UInt64.self) ?? 0
    guard unused == 0 || last >> UInt64(64 - unused) == 0 else {
      throw failure("bitmap", "has bits for elements that are not there", offset: sparse.elementsOffset - 8)
    }
  }

  /// Reads a range of one block.
  private func readSparse<Pattern: FixedWidthInteger>(
    _ range: Range<Int>, of block: Range<Int>, into output: UnsafeMutablePointer<Pattern>
  ) throws(FileError) {
    let index = block.lowerBound / SparseLayout.blockLength
    let (low, high) = (start(ofBlock: index), start(ofBlock: index + 1))
    func words(_ elements: Range<Int>, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
      let words = elements.lowerBound / 64..<(elements.upperBound + 63) / 64
      return UnsafeRawBufferPointer(
        rebasing: bytes[
          sparse.bitMapOffset + words.lowerBound * 8..<sparse.bitMapOffset + words.upperBound * 8])
    }
    let firstElement = range.lowerBound & ~63
    try bytes.withBytes { bytes throws(FileError) in
      let needed = words(firstElement..<range.upperBound, in: bytes)
      let skipped = words(block.lowerBound..<firstElement, in: bytes).nonzeroBitCount
      let seen = skipped + needed.nonzeroBitCount
      // All elements of the block if it is read to its end, else no more than it has.
      guard seen <= high - low, range.upperBound < block.upperBound || seen == high - low,
        let base = bytes.baseAddress
      else {
        throw failure(
          "bitmap", "has a bit map that does not fit its table",
          offset: sparse.bitMapOffset + block.lowerBound / 8, seen: "\(seen) bits", allowed: "\(high - low)")
      }
      let stored = base + sparse.byteCount(storing: low + skipped)
      let isSound = withUnsafeTemporaryAllocation(of: Pattern.self, capacity: needed.count * 8) { elements in
        guard let start = elements.baseAddress else { return true }
        let isSound = SparseLayout.expand(bits: needed, stored, into: start)
        output.update(from: start + (range.lowerBound - firstElement), count: range.count)
        return isSound
      }
      if !isSound {
        throw failure(
          "elements", "stores an element that is zero", offset: sparse.byteCount(storing: low + skipped))
      }
    }
  }

  func failure(
    _ field: String, _ problem: String, offset: Int = 0, seen: String? = nil, allowed: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "vggw.tensor.\(field)", file: path, problem, offset: self.offset + offset,
      place: "tensor \(record.name)", seen: seen, allowed: allowed)
  }
}

/// The values of a tensor of a native file that is not raw float32, decoded as they are read.
struct StoredValues: TensorValues {
  let elements: StoredElements
  let type: RealType

  var count: Int { elements.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    guard !range.isEmpty else { return }
    let size = ElementType.real(type).unitByteCount
    if let raw = elements.raw {
      return raw.withBytes { bytes in
        if let base = bytes.baseAddress { type.decode(base + range.lowerBound * size, into: destination) }
      }
    }
    guard type != .float32 else {
      guard let output = destination.baseAddress else { return }
      return try elements.readSparse(range, into: output)
    }
    try withUnsafeTemporaryAllocation(of: UInt16.self, capacity: SparseLayout.blockLength) {
      patterns throws(FileError) in
      guard let patterns = patterns.baseAddress else { return }
      var start = range.lowerBound
      while start < range.upperBound {
        let end = min(range.upperBound, start + SparseLayout.blockLength)
        try elements.readSparse(start..<end, into: patterns)
        type.decode(
          patterns,
          into: UnsafeMutableBufferPointer(
            rebasing: destination[start - range.lowerBound..<end - range.lowerBound]))
        start = end
      }
    }
  }
}

/// The codes of a sparse tensor of a native file, put back in their places as they are read.
struct StoredCodes: TensorCodes {
  let elements: StoredElements

  var count: Int { elements.count }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    guard let output = destination.baseAddress, !range.isEmpty else { return }
    try elements.readSparse(range, into: output)
  }
}

/// Codes of four bits of a native file, two in a byte, taken apart as they are read.
struct PackedCodes: TensorCodes {
  let elements: StoredElements
  /// The number of codes.
  let count: Int

  func lent() throws(FileError) -> LentCodes? {
    guard let raw = elements.raw else { return nil }
    // Only the last byte can be wrong, of an odd number.
    if count > 0 { try withCodes(count - 1..<count) { _ in } }
    return LentCodes(region: raw, isPacked: true)
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    // An even number of codes at a time, the first of them at an even place.
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(range.upperBound, (start & ~1) + 2 * SparseLayout.blockLength)
      let codes = UnsafeMutableBufferPointer(
        rebasing: destination[start - range.lowerBound..<end - range.lowerBound])
      let bytes = start / 2..<(end + 1) / 2
      if let raw = elements.raw {
        try raw.withBytes { raw throws(FileError) in
          try unpack(UnsafeRawBufferPointer(rebasing: raw[bytes]), from: start, into: codes)
        }
      } else {
        try withUnsafeTemporaryAllocation(byteCount: bytes.count, alignment: 1) { buffer throws(FileError) in
          guard let base = buffer.baseAddress else { return }
          try elements.readSparse(bytes, into: base)
          try unpack(UnsafeRawBufferPointer(buffer), from: start, into: codes)
        }
      }
      start = end
    }
  }

  /// Takes bytes apart of which the first one holds the code at `start`.
  private func unpack(
    _ bytes: UnsafeRawBufferPointer, from start: Int, into codes: UnsafeMutableBufferPointer<Int8>
  ) throws(FileError) {
    let skipped = start % 2
    for index in codes.indices {
      let byte = bytes[(index + skipped) / 2]
      let isFirst = (index + skipped) % 2 == 0
      codes[index] = Int8(truncatingIfNeeded: isFirst ? vgr_first_nibble(byte) : vgr_second_nibble(byte))
    }
    if start + codes.count == count, count % 2 == 1, let last = bytes.last, last >> 4 != 0 {
      throw elements.failure(
        "elements", "has half a byte behind its last element that is not zero", seen: "\(last >> 4)",
        allowed: "0")
    }
  }
}
