public import VGGBytes
public import VGGModel
internal import VGGTensors

/// How large a native file is.
public struct FileSize: Equatable, Sendable {
  /// The bytes of the whole file.
  public let byteCount: Int
  /// The stored bytes of each tensor, by name.
  public let tensorBytes: [String: Int]
}

/// Finds how large the files of models would be, to the byte, without writing them.
///
/// Only sparse tensors have to be read for it. What was counted of one is kept for the next model, so all models that one value
/// is asked about must have the same tensor where they have one of the same name and type.
public struct FileSizes {
  private let tool: String
  private let scratchFolder: String
  /// The stored bytes of sparse tensors, by name and type.
  private var counted: [Key: Int] = [:]

  private struct Key: Hashable {
    let name: String
    let elementType: ElementType
  }

  /// Creates a value that knows of no tensors.
  ///
  /// - Parameters:
  ///   - tool: The program that would write, which the manifest names.
  ///   - scratchFolder: Where scratch files live.
  public init(tool: String = "vggconv", scratchFolder: String = ScratchFile.standardFolder) {
    (self.tool, self.scratchFolder) = (tool, scratchFolder)
  }

  /// The size of the file that ``VGGWFile/stage(_:to:overwrite:tool:sources:progress:)`` would write, with the digests of its
  /// sources.
  ///
  /// - Throws: What reading sparse tensors throws.
  public mutating func size(of model: Model) throws(FileError) -> FileSize {
    let path = model.provenance.sourceName
    // The length of a digest is known, and so is what it would take to write it.
    let unknown = Digest(of: [])
    var records: [TensorRecord] = []
    var end = Header.byteCount
    for tensor in model.tensors.sorted(by: { DataArea.isOrdered($0.name, before: $1.name) }) {
      let offset = try aligned(end, path)
      let storedBytes = try storedByteCount(tensor, path)
      records.append(
        TensorRecord(
          name: tensor.name, role: tensor.role, shape: tensor.shape, layout: tensor.layout,
          elementType: tensor.elementType, storage: tensor.storage, parameters: tensor.codeParameters,
          offset: offset, storedBytes: storedBytes,
          blockDigests: Array(repeating: unknown, count: BlockDigest.blockCount(storedBytes)),
          valuesDigest: unknown))
      end = offset + storedBytes
    }
    var provenance = model.provenance
    if provenance.sourceSHA256.isEmpty {
      provenance.sourceSHA256 = unknown.bytes
      for index in provenance.companions.indices { provenance.companions[index].sha256 = unknown.bytes }
    }
    for index in model.foldedSources.indices { provenance.folded[index].valuesDigest = unknown.bytes }
    let manifest = Manifest(
      tool: tool, network: model.network, tensors: records, preprocessing: model.preprocessing,
      labels: model.labels, integerArithmetic: model.integerArithmetic, provenance: provenance)
    return FileSize(
      byteCount: try aligned(end, path) + manifest.packed.count,
      tensorBytes: Dictionary(uniqueKeysWithValues: records.map { ($0.name, $0.storedBytes) }))
  }

  private mutating func storedByteCount(_ tensor: Tensor, _ path: String) throws(FileError) -> Int {
    let parameterBytes = tensor.quantization.map { CodeParameters($0).storedByteCount } ?? 0
    guard tensor.storage == .sparse else {
      return parameterBytes + tensor.elementType.byteCount(of: tensor.count)
    }
    let key = Key(name: tensor.name, elementType: tensor.elementType)
    if let known = counted[key] { return known }
    let byteCount = parameterBytes + (try sparseByteCount(TensorElements(tensor, path: path), tensor, path))
    counted[key] = byteCount
    return byteCount
  }

  /// The bytes of a tensor's sparse form, without scales and zero points.
  private func sparseByteCount(
    _ elements: TensorElements, _ tensor: Tensor, _ path: String
  ) throws(FileError) -> Int {
    // What a file stores by itself: an element, or as many of those in memory as share a byte.
    let sharing = max(1, 8 / tensor.elementType.bitCount)
    let unitByteCount = elements.byteCount * sharing
    let layout = SparseLayout(
      count: (elements.count + sharing - 1) / sharing, elementByteCount: elements.byteCount)
    let staged = try StagedElements(elements, folder: scratchFolder, path: path)
    let nonzeroCount = try staged.withBytes { staged throws(FileError) in
      nonisolated(unsafe) let bytes = UnsafeRawBufferPointer(
        start: staged, count: elements.count * elements.byteCount)
      return Workers.current.map(layout.blockCount) { index in
        layout.block(index).count { unit in
          let first = unit * unitByteCount
          return bytes[first..<min(bytes.count, first + unitByteCount)].contains { $0 != 0 }
        }
      }.reduce(0, +)
    }
    return layout.byteCount(storing: nonzeroCount)
  }

  private func aligned(_ end: Int, _ path: String) throws(FileError) -> Int {
    guard let offset = DataArea.aligned(end) else {
      throw FileError(.unsupported, code: "vggw.size", file: path, "would be larger than any file")
    }
    return offset
  }
}
