internal import VGGBytes
internal import VGGTensors

/// Encodes one tensor into its place in a file, and computes its digests.
struct TensorWriter {
  /// How much is written before the disk begins to work on it, a whole number of blocks.
  private static let syncLength = 16 * BlockDigest.blockLength
  /// The number of elements that are brought into order at a time.
  private static let bandLength = 1 << 20

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
    if parameterByteCount > 0 { try checkStoredParameters() }
    switch tensor.storage {
    case .raw:
      storedBytes = parameterByteCount + tensor.elementType.byteCount(of: tensor.count)
      try output.reserve(offset + storedBytes)
      digests = try writeRaw(to: output, at: offset..<offset + storedBytes, folder: folder)
    case .sparse:
      (storedBytes, digests) = try writeSparse(to: output, at: offset, folder: folder)
    }
    return TensorRecord(
      name: tensor.name, role: tensor.role, shape: tensor.shape, layout: tensor.layout,
      elementType: tensor.elementType, storage: tensor.storage,
      parameters: tensor.codeParameters, offset: offset, storedBytes: storedBytes,
      blockDigests: digests.stored,
      valuesDigest: BlockDigest.combine(digests.values))
  }

  private var elements: TensorElements { TensorElements(tensor, path: path) }

  /// The number of bytes of scales and zero points in front of the elements.
  private var parameterByteCount: Int {
    tensor.quantization.map { CodeParameters($0).storedByteCount } ?? 0
  }

  /// Writes scales and zero points that do not stand in the manifest; returns where the elements go.
  private func writeParameters(to base: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    let count = parameterByteCount
    if count > 0 { tensor.quantization?.writeParameters(to: base) }
    return base + count
  }

  // MARK: All elements

  private func writeRaw(
    to output: AtomicFile, at range: Range<Int>, folder: String
  ) throws(FileError) -> (stored: [Digest], values: [Digest]) {
    let isFloat32 = tensor.elementType == .real(.float32)
    if isFloat32, let source = tensor.values.inMemory {
      let digests = try write(source, to: output, at: range.lowerBound)
      return (digests, digests)
    }
    let mapping = try output.map(range)
    guard let base = mapping.bytes.baseAddress else { return (BlockDigest.blocks(of: mapping.bytes), []) }
    let first: UnsafeMutableRawPointer
    if case .real(let values, let type) = tensor.content {
      try writeBands(of: values, as: type, to: output, at: range.lowerBound)
      first = base
    } else {
      // Straight into the file's pages: where the source has another order, from many places at a time.
      mapping.bytes.populate()
      first = writeParameters(to: base)
      if !isPacked { try elements.write(to: first) }
    }
    if isPacked {
      let staged = try StagedElements(elements, folder: folder, path: path)
      let values = try staged.withBytes { staged throws(FileError) in
        try pack(staged, into: first)
        return elements.valueDigests(staged, progress: progress)
      }
      return (BlockDigest.blocks(of: mapping.bytes), values)
    }
    if range.count >= TensorWriter.syncLength { output.startSync() }
    let values = elements.valueDigests(first, progress: progress)
    return (isFloat32 ? values : BlockDigest.blocks(of: mapping.bytes), values)
  }

  /// Writes real numbers in bands, each of which is brought into order in memory that stays in a cache.
  ///
  /// Pages of a mapped file would be filled with zeros first, and be taken from all processors again to be brought to the disk.
  private func writeBands(
    of values: any TensorValues, as type: RealType, to output: AtomicFile, at offset: Int
  ) throws(FileError) {
    let (elements, rowLength) = (elements, tensor.shape.last ?? 1)
    let bands = values.bands(rowLength: rowLength, ofAtMost: TensorWriter.bandLength)
    try Workers.current.perform(bands.count) { (index) throws(FileError) in
      let band = bands[index]
      let numbers = UnsafeMutableBufferPointer<Float>.allocate(capacity: band.rowCount * rowLength)
      defer { numbers.deallocate() }
      guard let first = numbers.baseAddress else { return }
      try values.read(band, rowLength: rowLength, into: first)
      for (start, rows) in band.runs {
        let run = UnsafeBufferPointer(
          rebasing: numbers[start * rowLength..<(start + rows.count) * rowLength])
        let place = rows.lowerBound * rowLength
        try elements.withBytes(of: run, firstIndex: place, as: type) { bytes throws(FileError) in
          try output.write(bytes, at: offset + place * elements.byteCount)
        }
      }
    }
  }

  /// Writes float32 values that lie in memory, and computes the digest of each block meanwhile.
  ///
  /// One thread writes: the system lets only one of them into a file at a time.
  private func write(
    _ source: ByteRegion, to output: AtomicFile, at offset: Int
  ) throws(FileError) -> [Digest] {
    let writing = BackgroundWork<FileError?>(needsProcessor: true) {
      do throws(FileError) {
        for start in stride(from: 0, to: source.count, by: TensorWriter.syncLength) {
          let part = start..<min(source.count, start + TensorWriter.syncLength)
          try source.withBytes { bytes throws(FileError) in
            try output.write(UnsafeRawBufferPointer(rebasing: bytes[part]), at: offset + start)
          }
          if part.count == TensorWriter.syncLength { output.startSync() }
        }
        return nil
      } catch {
        return error
      }
    }
    let digests = Workers.current.map(BlockDigest.blockCount(source.count)) { index in
      let block = BlockDigest.block(index, of: source.count)
      defer { progress(block.count) }
      return source.withBytes { Digest(of: UnsafeRawBufferPointer(rebasing: $0[block])) }
    }
    if let error = writing.wait() { throw error }
    return digests
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
      if isPacked {
        let byteCount = tensor.elementType.byteCount(of: tensor.count)
        let packed = try ScratchFile(byteCount: byteCount, in: folder, for: path)
        if let base = packed.mutableBytes.baseAddress { try pack(staged, into: base) }
        stored = try packed.bytes.withBytes { packed throws(FileError) in
          try writeSparse(packed.bindMemory(to: UInt8.self), to: output, at: offset)
        }
        return (stored.count, (stored.digests, values))
      }
      switch elements.byteCount {
      case 1: stored = try writeSparse(patterns(staged, UInt8.self), to: output, at: offset)
      case 2: stored = try writeSparse(patterns(staged, UInt16.self), to: output, at: offset)
      default: stored = try writeSparse(patterns(staged, UInt32.self), to: output, at: offset)
      }
      return (stored.count, (stored.digests, values))
    }
  }

  private func patterns<Pattern>(
    _ memory: UnsafeRawPointer, _ type: Pattern.Type
  ) -> UnsafeBufferPointer<Pattern> {
    UnsafeBufferPointer(start: memory.assumingMemoryBound(to: type), count: elements.count)
  }

  private func writeSparse<Pattern: FixedWidthInteger & Sendable>(
    _ patterns: UnsafeBufferPointer<Pattern>, to output: AtomicFile, at offset: Int
  ) throws(FileError) -> (count: Int, digests: [Digest]) {
    let layout = SparseLayout(count: patterns.count, elementByteCount: elements.byteCount)
    let blocks = SparseBlocks(patterns: patterns, layout: layout)
    let counts = Workers.current.map(layout.blockCount) { SparseLayout.nonzeroCount(blocks[$0]) }
    var (starts, total): ([Int], Int) = ([], 0)
    for count in counts {
      starts.append(total)
      total += count
    }
    let storedBytes = parameterByteCount + layout.byteCount(storing: total)
    try output.reserve(offset + storedBytes)
    let mapping = try output.map(offset..<offset + storedBytes)
    if let base = mapping.bytes.baseAddress {
      nonisolated(unsafe) let base = writeParameters(to: base)
      let starts = starts
      Workers.current.perform(layout.blockCount) { index in
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
  let patterns: UnsafeBufferPointer<Pattern>
  let layout: SparseLayout

  subscript(index: Int) -> UnsafeBufferPointer<Pattern> {
    let block = layout.block(index)
    return UnsafeBufferPointer(rebasing: patterns[block])
  }
}
