internal import VGGBytes
internal import VGGTensors

/// The values of a tensor of a native file that is not raw float32, decoded as they are read.
///
/// Any range is decoded by itself. Bytes that were damaged after the file was opened give a typed error or other
/// values, as digests can tell; never a trap.
struct EncodedValues: TensorValues {
  private let record: TensorRecord
  private let bytes: ByteRegion
  private let path: String
  let count: Int

  /// Creates values from stored bytes.
  ///
  /// - Throws: Where the bytes of a sparse tensor cannot be what its manifest says: checked once, before anything is read.
  init(_ record: TensorRecord, bytes: ByteRegion, path: String) throws(FileError) {
    self.record = record
    self.bytes = bytes
    self.path = path
    count = record.count
    if record.encoding.isSparse {
      try checkTable()
    } else if bytes.count != count * record.encoding.element.byteCount {
      throw failure(
        "stored_length", "has a wrong length", seen: "\(bytes.count)",
        allowed: "\(count * record.encoding.element.byteCount)")
    }
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    guard !range.isEmpty else { return }
    if record.encoding.isSparse {
      var start = range.lowerBound
      while start < range.upperBound {
        let block = sparse.block(start / SparseLayout.blockLength)
        let end = min(block.upperBound, range.upperBound)
        let part = start - range.lowerBound..<end - range.lowerBound
        let output = UnsafeMutableBufferPointer(rebasing: destination[part])
        switch record.encoding.element.byteCount {
        case 1: try readSparse(start..<end, of: block, UInt8.self, into: output)
        case 2: try readSparse(start..<end, of: block, UInt16.self, into: output)
        default: try readSparse(start..<end, of: block, UInt32.self, into: output)
        }
        start = end
      }
    } else {
      bytes.withBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        record.encoding.element.decode(
          base + range.lowerBound * record.encoding.element.byteCount, firstIndex: range.lowerBound,
          into: destination)
      }
    }
  }

  // MARK: Sparse tensors

  private var sparse: SparseLayout {
    SparseLayout(count: count, elementByteCount: record.encoding.element.byteCount)
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
    _ range: Range<Int>, of block: Range<Int>, _ type: Pattern.Type,
    into destination: UnsafeMutableBufferPointer<Float>
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
        record.encoding.element.decode(
          UnsafeRawPointer(start + (range.lowerBound - firstElement)), firstIndex: range.lowerBound,
          into: destination)
        return isSound
      }
      if !isSound {
        throw failure(
          "elements", "stores an element that is zero", offset: sparse.byteCount(storing: low + skipped))
      }
    }
  }

  private func failure(
    _ field: String, _ problem: String, offset: Int = 0, seen: String? = nil, allowed: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "vggw.tensor.\(field)", file: path, problem, offset: record.offset + offset,
      place: "tensor \(record.name)", seen: seen, allowed: allowed)
  }
}
