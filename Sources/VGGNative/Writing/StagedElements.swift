internal import VGGBytes
internal import VGGTensors

/// All elements of a tensor in memory: a scratch file where they are many, which is not private memory.
struct StagedElements {
  private let bytes: ByteRegion

  /// Reads the elements.
  ///
  /// - Parameters:
  ///   - elements: What to read.
  ///   - folder: Where scratch files live.
  ///   - path: The file on whose behalf it is done, for errors.
  init(_ elements: TensorElements, folder: String, path: String) throws(FileError) {
    let byteCount = elements.count * elements.byteCount
    let scratch = try ScratchFile(byteCount: byteCount, in: folder, for: path)
    scratch.mutableBytes.populate()
    if let base = scratch.mutableBytes.baseAddress { try elements.write(to: base) }
    bytes = scratch.bytes
  }

  /// Lends the elements for the time of the call.
  func withBytes<Result>(_ body: (UnsafeRawPointer) throws(FileError) -> Result) throws(FileError) -> Result {
    try bytes.withBytes { bytes throws(FileError) in
      // A tensor has at least one element.
      guard let base = bytes.baseAddress else { preconditionFailure("a tensor without elements") }
      return try body(base)
    }
  }
}
