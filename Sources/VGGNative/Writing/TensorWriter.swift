internal import VGGBytes
internal import VGGTensors

/// Encodes one tensor into its place in a file, and computes its digests.
struct TensorWriter {
  /// How much is written before the disk begins to work on it, a whole number of blocks.
  private static let syncLength = 16 * BlockDigest.blockLength

  let tensor: Tensor
  let path: String
  let progress: @Sendable (Int) -> Void

  /// Writes the tensor at an offset.
  ///
  /// - Parameters:
  ///   - output: The file to write to.
  ///   - offset: Where the tensor begins in it.
  ///   - folder: Where scratch files live.
  func write(
    to output: AtomicFile, at offset: Int, folder: String
  ) throws(FileError) -> TensorRecord {
    let storedBytes: Int
    let (stored, values): ([Digest], [Digest])
    if tensor.encoding == .float32 {
      storedBytes = tensor.count * MemoryLayout<Float>.size
      try output.reserve(offset + storedBytes)
      stored = try writeRaw(to: output, at: offset..<offset + storedBytes)
      values = stored
    } else {
      let staged = try StagedValues(tensor, folder: folder, path: path)
      let plan = try plan(staged)
      storedBytes = plan.storedBytes
      try output.reserve(offset + storedBytes)
      let mapping = try output.map(offset..<offset + storedBytes)
      values = try Workers.current.map(staged.pieceCount) { (index) throws(FileError) in
        try staged.withPiece(index) { firstIndex, piece throws(FileError) in
          defer { progress(piece.count * MemoryLayout<Float>.size) }
          try encode(piece, firstIndex, plan, into: mapping.bytes)
          return Digest(of: UnsafeRawBufferPointer(piece))
        }
      }
      stored = Workers.current.map(BlockDigest.blockCount(storedBytes)) { index in
        Digest(
          of: UnsafeRawBufferPointer(rebasing: mapping.bytes[BlockDigest.block(index, of: storedBytes)]))
      }
    }
    return TensorRecord(
      name: tensor.name, role: tensor.role, shape: tensor.shape, layout: tensor.layout,
      encoding: tensor.encoding, offset: offset, storedBytes: storedBytes, blockDigests: stored,
      valuesDigest: BlockDigest.combine(values))
  }

  /// Writes float32 values to where they belong, and returns the digests of their blocks.
  private func writeRaw(to output: AtomicFile, at range: Range<Int>) throws(FileError) -> [Digest] {
    if let source = tensor.values.inMemory {
      return try forEachBlock(of: source) { block, bytes throws(FileError) in
        try output.write(bytes, at: range.lowerBound + block.lowerBound)
        if block.upperBound.isMultiple(of: TensorWriter.syncLength) { output.startSync() }
      }
    }
    // Read straight into the file's pages: a source in another order fills them best in long ranges.
    let mapping = try output.map(range)
    try StagedValues.read(tensor) { mapping.bytes }
    if range.count >= TensorWriter.syncLength { output.startSync() }
    return try forEachBlock(of: ByteRegion(owner: mapping, bytes: UnsafeRawBufferPointer(mapping.bytes))) {
      _, _ throws(FileError) in
    }
  }

  /// Does something with each block, and computes its digest while it is still in the cache.
  private func forEachBlock(
    of region: ByteRegion, _ body: @Sendable (Range<Int>, UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) -> [Digest] {
    try Workers.current.map(BlockDigest.blockCount(region.count)) { (index) throws(FileError) in
      let block = BlockDigest.block(index, of: region.count)
      defer { progress(block.count) }
      return try region.withBytes { bytes throws(FileError) in
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[block])
        try body(block, bytes)
        return Digest(of: bytes)
      }
    }
  }

  // MARK: Other encodings

  /// What must be known before the first byte is stored.
  private struct Plan {
    var storedBytes: Int
    /// For each block of a sparse tensor how many elements that are not zero precede it.
    var starts: [Int] = []
  }

  private var element: Encoding.Element { tensor.encoding.element }

  private var sparse: SparseLayout {
    SparseLayout(count: tensor.count, elementByteCount: element.byteCount)
  }

  private func plan(_ staged: StagedValues) throws(FileError) -> Plan {
    if case .int8(let scales) = element, scales.count != tensor.shape.last {
      throw FileError(
        .fault, code: "vggw.encode.scales", file: path, "was to hold a tensor with a wrong number of scales",
        place: "tensor \(tensor.name)", seen: "\(scales.count)", allowed: "\(tensor.shape.last ?? 0)")
    }
    guard tensor.encoding.isSparse else { return Plan(storedBytes: tensor.count * element.byteCount) }
    let counts = try Workers.current.map(staged.pieceCount) { (index) throws(FileError) in
      try staged.withPiece(index) { _, piece in
        stride(from: 0, to: piece.count, by: SparseLayout.blockLength).map {
          SparseLayout.nonzeroCount(piece[$0..<min(piece.count, $0 + SparseLayout.blockLength)])
        }
      }
    }
    var (starts, total): ([Int], Int) = ([], 0)
    for count in counts.joined() {
      starts.append(total)
      total += count
    }
    return Plan(storedBytes: sparse.byteCount(storing: total), starts: starts)
  }

  /// Encodes a piece into its place.
  private func encode(
    _ piece: UnsafeBufferPointer<Float>, _ firstIndex: Int, _ plan: Plan,
    into stored: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    guard let base = stored.baseAddress else { return }
    if !tensor.encoding.isSparse {
      return try encode(piece, firstIndex, into: base + firstIndex * element.byteCount)
    }
    for start in stride(from: 0, to: piece.count, by: SparseLayout.blockLength) {
      let block = UnsafeBufferPointer(
        rebasing: piece[start..<min(piece.count, start + SparseLayout.blockLength)])
      switch element.byteCount {
      case 1: try encodeSparse(block, firstIndex + start, plan.starts, UInt8.self, into: base)
      case 2: try encodeSparse(block, firstIndex + start, plan.starts, UInt16.self, into: base)
      default: try encodeSparse(block, firstIndex + start, plan.starts, UInt32.self, into: base)
      }
    }
  }

  private func encodeSparse<Pattern: FixedWidthInteger>(
    _ block: UnsafeBufferPointer<Float>, _ firstIndex: Int, _ starts: [Int], _ type: Pattern.Type,
    into base: UnsafeMutableRawPointer
  ) throws(FileError) {
    let index = firstIndex / SparseLayout.blockLength
    base.storeBytes(
      of: UInt64(starts[index]).littleEndian, toByteOffset: index * MemoryLayout<UInt64>.size, as: UInt64.self
    )
    try withUnsafeTemporaryAllocation(of: Pattern.self, capacity: block.count) { elements throws(FileError) in
      guard let first = elements.baseAddress else { return }
      try encode(block, firstIndex, into: first)
      let words = (base + sparse.bitMapOffset + firstIndex / 8).assumingMemoryBound(to: UInt64.self)
      let kept = SparseLayout.compact(elements, bits: words)
      (base + sparse.byteCount(storing: starts[index])).copyMemory(
        from: first, byteCount: kept * MemoryLayout<Pattern>.size)
    }
  }

  /// Encodes every element of some values, and requires that this is exact.
  private func encode(
    _ values: UnsafeBufferPointer<Float>, _ firstIndex: Int, into output: UnsafeMutableRawPointer
  ) throws(FileError) {
    guard let wrong = element.encode(values, firstIndex: firstIndex, into: output) else { return }
    throw FileError(
      .fault, code: "vggw.encode.inexact", file: path,
      "was to hold a value that its encoding cannot represent",
      place: "tensor \(tensor.name), element \(firstIndex + wrong)", seen: "\(values[wrong])",
      allowed: "values of \(element.name)")
  }
}
