public import VGGBytes
public import VGGModel
internal import VGGTensors

/// The native format; `schemas/FORMAT.md` specifies it.
public enum VGGWFile {
  /// Writes a model to a file, which appears under its name when it is complete and safely on the disk, or not at all;
  /// parameters and errors are those of `stage`.
  public static func write(
    _ model: Model, to path: String, overwrite: Bool = false, tool: String = "vggconv",
    sources: [ByteRegion] = [], progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) {
    try stage(
      model, to: path, overwrite: overwrite, tool: tool, sources: sources, progress: progress
    ).publish()
  }

  /// Writes a model to a file that has no name yet, so that it can be judged before it gets one.
  ///
  /// Equal models give equal bytes. Values are streamed: private memory does not grow with the model. Tensors that
  /// are neither in memory nor stored as raw float32 need temporary space in the same folder, one at a time.
  ///
  /// - Parameters:
  ///   - model: The model. Each tensor's values must be what its encoding can represent.
  ///   - path: Where to write it.
  ///   - overwrite: Whether a file of that name is replaced.
  ///   - tool: The program that writes, such as "vggconv 1.0.0", for the manifest.
  ///   - sources: The source file, then the provenance's companions in order; or none. Where the provenance has no
  ///     digests of them, they are computed meanwhile.
  ///   - progress: Called from any thread with the number of bytes that were done since the last call, counted as
  ///     float32: in all four times `model.parameterCount`.
  /// - Throws: `cannotCreate` where the file exists and is not to be replaced, or its folder takes none; `inputOutput`
  ///   where the disk is full or fails; `fault` where a value cannot be represented in its tensor's encoding.
  public static func stage(
    _ model: Model, to path: String, overwrite: Bool = false, tool: String = "vggconv",
    sources: [ByteRegion] = [], progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(FileError) -> StagedFile {
    let output = try AtomicFile(path: path, overwrite: overwrite)
    let sourceDigests =
      model.provenance.sourceSHA256.isEmpty
      ? sources.map { source in BackgroundWork(needsProcessor: true) { sha256(of: source) } } : []
    try output.reserve(leastDataEnd(model))
    var records: [TensorRecord] = []
    var end = Header.byteCount
    for tensor in model.tensors.sorted(by: { DataArea.isOrdered($0.name, before: $1.name) }) {
      let offset = try aligned(end, path)
      let writer = TensorWriter(tensor: tensor, path: path, progress: progress)
      let record = try writer.write(to: output, at: offset, folder: AtomicFile.folder(of: path))
      records.append(record)
      end = offset + record.storedBytes
    }
    var provenance = model.provenance
    provenance.folded = try foldedTensors(of: model, scratchFolder: AtomicFile.folder(of: path))
    for (index, digest) in sourceDigests.enumerated() {
      if index == 0 {
        provenance.sourceSHA256 = digest.wait().bytes
      } else if provenance.companions.indices.contains(index - 1) {
        provenance.companions[index - 1].sha256 = digest.wait().bytes
      }
    }
    let manifest = Manifest(
      tool: tool, network: model.network, tensors: records, preprocessing: model.preprocessing,
      labels: model.labels, integerArithmetic: model.integerArithmetic, provenance: provenance)
    let manifestOffset = try aligned(end, path)
    let packed = try manifest.packedAndChecked(path: path, offset: manifestOffset)
    // The manifest is the last to be written, and the header tells that it is there.
    let header = Header(
      manifestOffset: manifestOffset, manifest: packed, minorVersion: manifest.minorVersion,
      requiredFeatures: manifest.requiredFeatures)
    for (bytes, offset) in [(packed, manifestOffset), (header.bytes, 0)] {
      try ByteRegion(copying: bytes).withBytes { bytes throws(FileError) in
        try output.write(bytes, at: offset)
      }
    }
    output.startSync()
    let contents = try output.contents(header.manifest.upperBound)
    return StagedFile(file: try open(contents, path: path), output: output, sources: sources)
  }

  /// The end of the data area, sparse tensors left out: their size is known only when they have been read.
  private static func leastDataEnd(_ model: Model) -> Int {
    model.tensors.filter { $0.storage == .raw }.reduce(Header.byteCount) {
      $0 + $1.elementType.byteCount(of: $1.count)
    }
  }

  private static func aligned(_ end: Int, _ path: String) throws(FileError) -> Int {
    guard let offset = DataArea.aligned(end) else {
      throw FileError(.unsupported, code: "vggw.size", file: path, "would be larger than any file")
    }
    return offset
  }
}

/// A native file that is complete, but does not have its name yet; it is gone when nobody refers to it any more.
public struct StagedFile: Sendable {
  /// What was written, read back.
  public let file: NativeFile
  private let output: AtomicFile
  private let sources: [ByteRegion]

  fileprivate init(file: NativeFile, output: AtomicFile, sources: [ByteRegion]) {
    (self.file, self.output, self.sources) = (file, output, sources)
  }

  /// Gives the file its name, when it is safely on the disk.
  ///
  /// - Throws: `inputOutput` where that fails, or where a source has become shorter since it was opened.
  public func publish() throws(FileError) {
    // What is cut off within a page reads as zeros.
    if sources.contains(where: \.isCutOff) {
      throw MappedFile.shortened(file.model.provenance.sourceName)
    }
    try output.publish()
  }
}

extension Manifest {
  /// The bytes of the manifest, after they were read back as any reader would: no file is written that is not accepted.
  fileprivate func packedAndChecked(path: String, offset: Int) throws(FileError) -> [UInt8] {
    let bytes = packed
    func fault(_ problem: String) -> FileError {
      FileError(
        .fault, code: "vggw.write.manifest", file: path,
        "was to have a manifest that no reader accepts: \(problem)")
    }
    guard bytes.count <= Header.longestManifest else { throw fault("it is \(bytes.count) bytes long") }
    let reread: Manifest
    do throws(FileError) {
      reread = try Manifest(unpacking: ByteRegion(copying: bytes), path: path, offset: offset)
      try reread.checkTensors(manifestOffset: offset, path: path)
    } catch {
      throw fault(error.description)
    }
    guard reread == self else { throw fault("it reads as another one") }
    return bytes
  }
}
