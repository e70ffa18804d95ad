public import VGGBytes

/// Where a tensor's codes come from: part of a mapped file, or a computation on values or other codes.
///
/// Codes are signed bytes in the tensor's canonical order, produced on demand and in ranges as ``TensorValues`` are.
public protocol TensorCodes: Sendable {
  /// The number of codes.
  var count: Int { get }

  /// The codes as they lie in memory, where they do so already, one byte each in canonical order.
  var inMemory: ByteRegion? { get }

  /// Lends the codes to kernels as they lie in memory, packed or not, where they do so already; nil where they are made as they
  /// are read.
  ///
  /// - Throws: What reading all of them would find wrong.
  func lent() throws(FileError) -> LentCodes?

  /// Whether tiles of columns are cheap and short ranges are not, see ``TensorValues/isTransposed``.
  var isTransposed: Bool { get }

  /// Writes a range of the codes; safe to call from several threads.
  ///
  /// - Precondition: The range lies within `0..<count` and the destination has as many elements as the range.
  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError)

  /// Writes a tile of the codes; see ``TensorValues/read(_:rowLength:into:rowStride:)``.
  func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Int8>, rowStride: Int
  ) throws(FileError)
}

extension TensorCodes {
  /// Most codes are computed or unpacked as they are read.
  public var inMemory: ByteRegion? { nil }

  /// What lies in memory is lent as it is.
  public func lent() -> LentCodes? { inMemory.map { LentCodes(region: $0, isPacked: false) } }

  /// Most codes are stored in the order in which they are read.
  public var isTransposed: Bool { false }

  /// Tiles that together are all codes, each of them cheap to read.
  public func tiles(rowLength: Int) -> [Tile] {
    Tile.tiles(count, rowLength: rowLength, isTransposed: isTransposed)
  }

  /// Reads a tile row by row, as codes that are stored in the native order do it.
  public func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Int8>, rowStride: Int
  ) throws(FileError) {
    try tile.forEachRange(rowLength: rowLength, rowStride: rowStride) { range, place throws(FileError) in
      try read(range, into: UnsafeMutableBufferPointer(start: destination + place, count: range.count))
    }
  }

  /// Lends a range of the codes: those in memory as they are, others read into a buffer.
  public func withCodes<Result>(
    _ range: Range<Int>, _ body: (UnsafeBufferPointer<Int8>) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    if let inMemory {
      return try inMemory.withBytes { (bytes) throws(FileError) in
        try body(UnsafeBufferPointer(rebasing: bytes.assumingMemoryBound(to: Int8.self)[range]))
      }
    }
    let buffer = UnsafeMutableBufferPointer<Int8>.allocate(capacity: range.count)
    defer { buffer.deallocate() }
    try read(range, into: buffer)
    return try body(UnsafeBufferPointer(buffer))
  }

  /// All codes, as a new array; for small tensors.
  public func array() throws(FileError) -> [Int8] {
    try withCodes(0..<count) { codes throws(FileError) in Array(codes) }
  }
}

/// Codes that lie in memory in canonical order, in the form that kernels read.
public struct LentCodes: Sendable {
  /// The bytes of the codes.
  public let region: ByteRegion
  /// Whether two codes of four bits share a byte, the first of them in the lower half.
  public let isPacked: Bool

  /// Describes codes.
  public init(region: ByteRegion, isPacked: Bool) { (self.region, self.isPacked) = (region, isPacked) }
}

/// Codes that lie in memory in canonical order.
public struct MemoryCodes: TensorCodes {
  /// The bytes of the codes.
  public let region: ByteRegion

  /// The number of codes.
  public var count: Int { region.count }
  /// The bytes of the codes.
  public var inMemory: ByteRegion? { region }

  /// Creates codes over a region.
  public init(_ region: ByteRegion) { self.region = region }

  /// Creates codes from an array; for small tensors.
  public init(_ codes: [Int8]) { region = ByteRegion(copying: codes.map(UInt8.init(bitPattern:))) }

  /// Copies a range of the codes.
  public func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) {
    region.withBytes { bytes in
      UnsafeMutableRawBufferPointer(destination).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
  }
}
