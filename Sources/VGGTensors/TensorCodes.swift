internal import CVGGKernels
public import VGGBytes

/// Where a tensor's codes come from: part of a mapped file, or a computation on values or other codes.
///
/// Codes are signed bytes in the tensor's canonical order, produced on demand and in ranges as ``TensorValues`` are.
public protocol TensorCodes: Sendable {
  /// The number of codes.
  var count: Int { get }

  /// The codes as they lie in memory, where they do so already, one byte each in canonical order.
  var inMemory: ByteRegion? { get }

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
    if tile.columns == 0..<rowLength, rowStride == rowLength {
      let range = tile.rows.lowerBound * rowLength..<tile.rows.upperBound * rowLength
      return try read(range, into: UnsafeMutableBufferPointer(start: destination, count: range.count))
    }
    for (index, row) in tile.rows.enumerated() {
      let start = row * rowLength
      try read(
        start + tile.columns.lowerBound..<start + tile.columns.upperBound,
        into: UnsafeMutableBufferPointer(start: destination + index * rowStride, count: tile.columns.count))
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

/// The values that codes stand for, computed as they are read.
struct DequantizedValues: TensorValues {
  let codes: any TensorCodes
  let quantization: Quantization

  var count: Int { codes.count }
  var isTransposed: Bool { codes.isTransposed }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try codes.withCodes(range) { codes throws(FileError) in
      quantization.dequantize(codes, firstIndex: range.lowerBound, into: destination)
    }
  }
}

extension Quantization {
  /// Computes the values that some codes of a tensor stand for.
  ///
  /// - Parameters:
  ///   - codes: The codes.
  ///   - firstIndex: The index of the first of them in the tensor: it tells the channel.
  ///   - values: Room for as many values.
  package func dequantize(
    _ codes: UnsafeBufferPointer<Int8>, firstIndex: Int, into values: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(values.count >= codes.count)
    let isa = vgk_best_isa()
    scales.withUnsafeBufferPointer { scales in
      guard let scale = scales.baseAddress, let input = codes.baseAddress, let output = values.baseAddress
      else {
        return
      }
      forEachRowBlock(of: codes.count, from: firstIndex) { block, rows, channel in
        vgk_dequantize_columns_s8(
          isa, input + block.lowerBound, rows, block.count / rows, scale + channel, output + block.lowerBound)
      }
    }
  }

  /// Computes the codes that are nearest to some values of a tensor: ties to even, at most 127 either way, 0 for NaN.
  ///
  /// - Parameters:
  ///   - values: The values.
  ///   - firstIndex: The index of the first of them in the tensor: it tells the channel.
  ///   - codes: Room for as many codes.
  package func quantize(
    _ values: UnsafeBufferPointer<Float>, firstIndex: Int, into codes: UnsafeMutableBufferPointer<Int8>
  ) {
    precondition(codes.count >= values.count)
    let isa = vgk_best_isa()
    scales.withUnsafeBufferPointer { scales in
      guard let scale = scales.baseAddress, let input = values.baseAddress, let output = codes.baseAddress
      else {
        return
      }
      forEachRowBlock(of: values.count, from: firstIndex) { block, rows, channel in
        vgk_quantize_columns_s8(
          isa, input + block.lowerBound, rows, block.count / rows, scale + channel, output + block.lowerBound)
      }
    }
  }

  /// Computes the codes that are nearest to the values of a block.
  ///
  /// - Parameters:
  ///   - values: The block's values, row by row.
  ///   - block: Which they are.
  ///   - tile: The tile that the block is of.
  ///   - codes: Where the tile's first code goes.
  ///   - rowStride: From a row's first code to that of the next one.
  package func quantize(
    _ values: UnsafeBufferPointer<Float>, of block: Block, in tile: Tile,
    into codes: UnsafeMutablePointer<Int8>,
    rowStride: Int
  ) {
    let isa = vgk_best_isa()
    let columns = block.columns.count
    scales.withUnsafeBufferPointer { scales in
      guard let scale = scales.baseAddress.map({ $0 + block.columns.lowerBound }),
        let input = values.baseAddress
      else { return }
      if let rows = block.rows, rowStride == columns {
        let first = codes + (rows.lowerBound - tile.rows.lowerBound) * rowStride
        return vgk_quantize_columns_s8(isa, input, rows.count, columns, scale, first)
      }
      withUnsafeTemporaryAllocation(of: Int8.self, capacity: values.count) { quantized in
        guard let quantized = quantized.baseAddress else { return }
        vgk_quantize_columns_s8(isa, input, block.rowCount, columns, scale, quantized)
        for index in 0..<block.rowCount {
          let row = codes + (block.row(index) - tile.rows.lowerBound) * rowStride
          row.update(from: quantized + index * columns, count: columns)
        }
      }
    }
  }

  /// Splits elements into whole rows of output channels and the parts of rows in front of and behind them.
  private func forEachRowBlock(
    of count: Int, from firstIndex: Int,
    _ body: (_ block: Range<Int>, _ rows: Int, _ firstChannel: Int) -> Void
  ) {
    let rowLength = scales.count
    let channel = firstIndex % rowLength
    let head = channel == 0 ? 0 : min(count, rowLength - channel)
    let rows = (count - head) / rowLength
    let tail = head + rows * rowLength
    if head > 0 { body(0..<head, 1, channel) }
    if rows > 0 { body(head..<tail, rows, 0) }
    if tail < count { body(tail..<count, 1, 0) }
  }
}
