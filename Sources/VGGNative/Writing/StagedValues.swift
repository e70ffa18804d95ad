internal import VGGBytes
internal import VGGTensors

/// The values of a tensor in memory, read in long ranges where they are not there yet.
///
/// Some values are cheap only in long ranges: a transposed matrix of 400 MB is walked in its source's order. Memory
/// for more than a few megabytes is a scratch file, which is not private memory.
struct StagedValues {
  /// The number of values that are worked on at a time: one block of the digest.
  static let pieceLength = BlockDigest.blockLength / MemoryLayout<Float>.size

  /// Float32, little-endian.
  let bytes: ByteRegion

  /// Stages a tensor's values.
  ///
  /// - Parameters:
  ///   - tensor: Whose values to stage.
  ///   - folder: Where scratch files live.
  ///   - path: The file on whose behalf it is done, for errors.
  init(_ tensor: Tensor, folder: String, path: String) throws(FileError) {
    if let bytes = tensor.values.inMemory {
      self.bytes = bytes
      return
    }
    let byteCount = tensor.count * MemoryLayout<Float>.size
    if tensor.count <= StagedValues.pieceLength {
      let values = try tensor.values.array()
      bytes = ByteRegion(copying: values.withUnsafeBytes { Array($0) })
      return
    }
    let scratch = try ScratchFile(byteCount: byteCount, in: folder, for: path)
    try StagedValues.read(tensor) { scratch.mutableBytes }
    bytes = scratch.bytes
  }

  /// Reads all values of a tensor, on several threads, each in a range as long as can be.
  ///
  /// The ranges are whole slices of the first axis, which is what sources with other orders of axes are good at.
  static func read(
    _ tensor: Tensor, into memory: @Sendable () -> UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    let slices = tensor.shape.first ?? 1
    let parts = tensor.count <= pieceLength ? 1 : max(1, min(slices, Workers.current.count))
    let sliceLength = slices == 0 ? 0 : tensor.count / slices
    try Workers.current.perform(parts) { (part) throws(FileError) in
      let range = slices * part / parts * sliceLength..<slices * (part + 1) / parts * sliceLength
      let floats = memory().assumingMemoryBound(to: Float.self)
      try tensor.values.read(range, into: UnsafeMutableBufferPointer(rebasing: floats[range]))
    }
  }

  /// The number of pieces of some values.
  static func pieceCount(_ count: Int) -> Int { max(1, (count + pieceLength - 1) / pieceLength) }

  /// The values of a piece.
  static func piece(_ index: Int, of count: Int) -> Range<Int> {
    index * pieceLength..<min(count, (index + 1) * pieceLength)
  }

  /// The number of pieces.
  var pieceCount: Int { BlockDigest.blockCount(bytes.count) }

  /// Lends a piece of the values, and tells the index of its first one.
  func withPiece<Result>(
    _ index: Int, _ body: (Int, UnsafeBufferPointer<Float>) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    try bytes.withBytes { bytes throws(FileError) in
      let piece = UnsafeRawBufferPointer(rebasing: bytes[BlockDigest.block(index, of: bytes.count)])
      return try body(index * StagedValues.pieceLength, piece.assumingMemoryBound(to: Float.self))
    }
  }
}
