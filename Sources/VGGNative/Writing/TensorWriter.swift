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
  func write(to output: AtomicFile, at offset: Int, folder: String) throws(FileError) -> TensorRecord {
    let digests: (stored: [Digest], values: [Digest])
    let storedBytes: Int
    switch tensor.storage {
    case .raw:
      storedBytes = elements.count * elements.byteCount
      try output.reserve(offset + storedBytes)
      digests = try writeRaw(to: output, at: offset..<offset + storedBytes)
    case .sparse:
      (storedBytes, digests) = try writeSparse(to: output, at: offset, folder: folder)
    }
    return TensorRecord(
      name: tensor.name, role: tensor.role, shape: tensor.shape, layout: tensor.layout,
      elementType: tensor.elementType, storage: tensor.storage, scales: tensor.quantization?.scales ?? [],
      offset: offset, storedBytes: storedBytes, blockDigests: digests.stored,
      valuesDigest: BlockDigest.combine(digests.values))
  }

  private var elements: TensorElements { TensorElements(tensor, path: path) }

  // MARK: All elements

  private func writeRaw(
    to output: AtomicFile, at range: Range<Int>
  ) throws(FileError) -> (stored: [Digest], values: [Digest]) {
    let isFloat32 = tensor.elementType == .real(.float32)
    if isFloat32, let source = tensor.values.inMemory {
      let digests = try write(source, to: output, at: range.lowerBound)
      return (digests, digests)
    }
    // Straight into the file's pages: where the source has another order, from many places at a time.
    let mapping = try output.map(range)
    guard let base = mapping.bytes.baseAddress else { return (BlockDigest.blocks(of: mapping.bytes), []) }
    try elements.write(to: base)
    if range.count >= TensorWriter.syncLength { output.startSync() }
    let values = elements.valueDigests(base, progress: progress)
    return (isFloat32 ? values : BlockDigest.blocks(of: mapping.bytes), values)
  }

  /// Writes float32 values that lie in memory, and computes the digest of each block while it is still in the cache.
  private func write(
    _ source: ByteRegion, to output: AtomicFile, at offset: Int
  ) throws(FileError) -> [Digest] {
    try Workers.current.map(BlockDigest.blockCount(source.count)) { index throws(FileError) in
      let block = BlockDigest.block(index, of: source.count)
      defer { progress(block.count) }
      return try source.withBytes { bytes throws(FileError) in
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[block])
        try output.write(bytes, at: offset + block.lowerBound)
        if block.upperBound.isMultiple(of: TensorWriter.syncLength) { output.startSync() }
        return Digest(of: bytes)
      }
    }
  }

  // MARK: Elements other than zero

  private func writeSparse(
    to output: AtomicFile, at offset: Int, folder: String
  ) throws(FileError) -> (storedBytes: Int, digests: (stored: [Digest], values: [Digest])) {
    // How many elements are not zero is known only when all are there.
    let staged = try StagedElements(elements, folder: folder, path: path)
    return try staged.withBytes { staged throws(FileError) in
      let values = elements.valueDigests(staged, progress: progress)
      let stored: (count: Int, digests: [Digest])
      switch elements.byteCount {
      case 1: stored = try writeSparse(staged.assumingMemoryBound(to: UInt8.self), to: output, at: offset)
      case 2: stored = try writeSparse(staged.assumingMemoryBound(to: UInt16.self), to: output, at: offset)
      default: stored = try writeSparse(staged.assumingMemoryBound(to: UInt32.self), to: output, at: offset)
      }
      return (stored.count, (stored.digests, values))
    }
  }

  private func writeSparse<Pattern: FixedWidthInteger & Sendable>(
    _ patterns: UnsafePointer<Pattern>, to output: AtomicFile, at offset: Int
  ) throws(FileError) -> (count: Int, digests: [Digest]) {
    let layout = SparseLayout(count: elements.count, elementByteCount: elements.byteCount)
    let blocks = SparseBlocks(patterns: patterns, layout: layout)
    let counts = Workers.current.map(layout.blockCount) { SparseLayout.nonzeroCount(blocks[$0]) }
    var (starts, total): ([Int], Int) = ([], 0)
    for count in counts {
      starts.append(total)
      total += count
    }
    let storedBytes = layout.byteCount(storing: total)
    try output.reserve(offset + storedBytes)
    let mapping = try output.map(offset..<offset + storedBytes)
    if let base = mapping.bytes.baseAddress {
      nonisolated(unsafe) let base = base
      let starts = starts
      _ = Workers.current.map(layout.blockCount) { index in
        base.storeBytes(of: UInt64(starts[index]).littleEndian, toByteOffset: index * 8, as: UInt64.self)
        let words = (base + layout.bitMapOffset + layout.block(index).lowerBound / 8)
        SparseLayout.compact(
          blocks[index], bits: words.assumingMemoryBound(to: UInt64.self),
          into: base + layout.byteCount(storing: starts[index]))
      }
    }
    return (storedBytes, BlockDigest.blocks(of: mapping.bytes))
  }
}

/// All elements of a tensor, by the blocks of its sparse form.
private struct SparseBlocks<Pattern: FixedWidthInteger & Sendable>: @unchecked Sendable {
  // Safe to share: nobody writes the elements while there are blocks of them.
  let patterns: UnsafePointer<Pattern>
  let layout: SparseLayout

  subscript(index: Int) -> UnsafeBufferPointer<Pattern> {
    let block = layout.block(index)
    return UnsafeBufferPointer(start: patterns + block.lowerBound, count: block.count)
  }
}
