public import VGGBytes
public import VGGModel
internal import VGGTensors

extension NativeFile {
  /// Compares all stored bytes with their digests, on several threads, and requires that padding is zero.
  ///
  /// - Parameter progress: Called from any thread with the number of stored bytes that were checked since the last call.
  /// - Throws: `malformed`, naming the first tensor that is damaged and the offset of its first damaged block.
  public func checkStoredBytes(
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    let blocks = tensorRecords.flatMap { record in
      record.blockDigests.enumerated().map { (record: record, index: $0, digest: $1) }
    }
    try Workers.current.perform(blocks.count) { (number) throws(FileError) in
      let (record, index, expected) = blocks[number]
      let block = BlockDigest.block(index, of: record.storedBytes)
      let offset = record.offset + block.lowerBound
      let found = bytes.slice(at: offset, count: block.count).map { sha256(of: $0) }
      guard found == expected else {
        throw FileError(
          .malformed, code: "vggw.tensor.digest", file: path, "is damaged", offset: offset,
          place: "tensor \(record.name), block \(index) of \(record.blockDigests.count)",
          seen: "SHA-256 \(found?.description ?? "none")", allowed: expected.description,
          advice: "fetch or write it again")
      }
      progress(block.count)
    }
    try checkPadding()
  }

  private func checkPadding() throws(FileError) {
    for record in tensorRecords {
      let end = record.offset + record.storedBytes
      for offset in end..<(DataArea.aligned(end) ?? end) where bytes.byte(at: offset) != 0 {
        throw FileError(
          .malformed, code: "vggw.padding", file: path, "has padding that is not zero", offset: offset,
          place: "behind tensor \(record.name)", seen: "\(bytes.byte(at: offset) ?? 0)", allowed: "0")
      }
    }
  }

  /// Decodes all tensors that are not raw float32 and compares their values with their digests, on several threads: that
  /// the weights are those that the file's identity says. The others' digests are those of the stored bytes.
  ///
  /// - Parameter progress: Called from any thread with the number of bytes that were checked since the last call,
  ///   counted as float32.
  /// - Throws: `malformed`, naming the first tensor whose values are others.
  public func checkValues(
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    for record in tensorRecords {
      guard let tensor = model.tensor(record.name) else { continue }
      guard record.isEncoded else {
        progress(record.count * MemoryLayout<Float>.size)
        continue
      }
      let pieces = PieceLayout(elementCount: tensor.count)
      let digests = try Workers.current.map(pieces.count) { index throws(FileError) in
        let piece = pieces.range(index)
        defer { progress(piece.count * MemoryLayout<Float>.size) }
        return try tensor.values.withValues(piece) { Digest(of: UnsafeRawBufferPointer($0)) }
      }
      let found = BlockDigest.combine(digests)
      guard found == record.valuesDigest else {
        throw FileError(
          .malformed, code: "vggw.tensor.values", file: path, "has values that do not fit their digest",
          offset: record.offset, place: "tensor \(record.name)", seen: found.description,
          allowed: record.valuesDigest.description)
      }
    }
  }
}

extension VGGWFile {
  /// The identity of a model's weights, as a file of it would have it.
  ///
  /// - Parameters:
  ///   - model: The model, from any file.
  ///   - scratchFolder: Where temporary files live; only for tensors that are not in memory.
  ///   - progress: As in `write`.
  public static func weightsDigest(
    of model: Model, scratchFolder: String = ScratchFile.standardFolder,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) -> Digest {
    var tensors: [(name: String, shape: [Int], values: Digest)] = []
    for tensor in model.tensors {
      let digest = try valuesDigest(
        of: tensor, path: model.provenance.sourceName, scratchFolder: scratchFolder, progress: progress)
      tensors.append((tensor.name, tensor.shape, digest))
    }
    return VGGNative.weightsDigest(tensors)
  }

  /// The entries of tensors that were worked into others, with the digests of their values.
  public static func foldedTensors(
    of model: Model, scratchFolder: String = ScratchFile.standardFolder
  ) throws(FileError) -> [Provenance.FoldedTensor] {
    var folded = model.provenance.folded
    for (index, source) in model.foldedSources.enumerated() {
      let tensor = Tensor(name: source.name, role: .weight, source: source)
      folded[index].valuesDigest = try valuesDigest(
        of: tensor, path: model.provenance.sourceName, scratchFolder: scratchFolder
      ).bytes
    }
    return folded
  }

  /// The block digest of a tensor's values.
  private static func valuesDigest(
    of tensor: Tensor, path: String, scratchFolder: String,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) -> Digest {
    let pieces = PieceLayout(elementCount: tensor.count)
    if tensor.values.isTransposed, pieces.count > 1 {
      let float32 = TensorElements(tensor.replacing(values: tensor.values), path: path)
      let staged = try StagedElements(float32, folder: scratchFolder, path: path)
      return BlockDigest.combine(
        try staged.withBytes { bytes throws(FileError) in float32.valueDigests(bytes, progress: progress) })
    }
    let digests = try Workers.current.map(pieces.count) { index throws(FileError) in
      let piece = pieces.range(index)
      defer { progress(piece.count * MemoryLayout<Float>.size) }
      return try tensor.values.withValues(piece) { Digest(of: UnsafeRawBufferPointer($0)) }
    }
    return BlockDigest.combine(digests)
  }
}
