internal import VGGBytes
internal import VGGTensors

/// The elements of a tensor that is being written, as a file stores them, but each code in a byte of its own.
struct TensorElements: Sendable {
  private let content: Tensor.Content
  private let name: String
  private let path: String
  /// The number of bytes of an element.
  let byteCount: Int
  /// The number of elements.
  let count: Int
  /// The number of output channels.
  private let rowLength: Int

  init(_ tensor: Tensor, path: String) {
    content = tensor.content
    name = tensor.name
    byteCount = tensor.elementType.unitByteCount
    count = tensor.count
    rowLength = tensor.shape.last ?? 1
    self.path = path
  }

  /// Writes all elements to memory, on all processors, tile by tile.
  ///
  /// - Parameter memory: Room for all of them, aligned for one.
  /// - Throws: What reading throws; `fault` where a number cannot be represented in the type of the elements.
  func write(to memory: UnsafeMutableRawPointer) throws(FileError) {
    nonisolated(unsafe) let memory = memory
    let tiles =
      switch content {
      case .real(let values, _): values.tiles(rowLength: rowLength)
      case .codes(let codes, _): codes.tiles(rowLength: rowLength)
      case .bias: [Tile(rows: 0..<1, columns: 0..<count)]
      }
    try Workers.current.perform(tiles.count) { (index) throws(FileError) in
      let tile = tiles[index]
      let first = memory + (tile.rows.lowerBound * rowLength + tile.columns.lowerBound) * byteCount
      switch content {
      case .codes(let codes, _):
        let target = first.assumingMemoryBound(to: Int8.self)
        try codes.read(tile, rowLength: rowLength, into: target, rowStride: rowLength)
      case .bias(let bias):
        let target = first.assumingMemoryBound(to: Int32.self)
        bias.withCodes { codes in
          for (place, column) in tile.columns.enumerated() { target[place] = codes[column].littleEndian }
        }
      case .real(let values, .float32):
        let target = first.assumingMemoryBound(to: Float.self)
        try values.read(tile, rowLength: rowLength, into: target, rowStride: rowLength)
      case .real(let values, let type):
        try values.forEachBlock(of: tile, rowLength: rowLength) { block, values throws(FileError) in
          try encode(values, of: block, as: type, into: memory)
        }
      }
    }
  }

  private func encode(
    _ values: UnsafeBufferPointer<Float>, of block: Block, as type: RealType,
    into memory: UnsafeMutableRawPointer
  ) throws(FileError) {
    try block.forEachRun(rowLength: rowLength) { place, run throws(FileError) in
      try encode(
        UnsafeBufferPointer(rebasing: values[run]), firstIndex: place, as: type,
        into: memory + place * byteCount)
    }
  }

  /// Encodes values that are neighbours in the tensor.
  private func encode(
    _ values: UnsafeBufferPointer<Float>, firstIndex: Int, as type: RealType,
    into memory: UnsafeMutableRawPointer
  ) throws(FileError) {
    guard let wrong = type.encode(values, into: memory) else { return }
    throw FileError(
      .fault, code: "vggw.encode.inexact", file: path,
      "was to hold a value that its encoding cannot represent",
      place: "tensor \(name), element \(firstIndex + wrong)", seen: "\(values[wrong])",
      allowed: "values of \(type.rawValue)")
  }

  /// Lends values that are neighbours in the tensor as a file stores them.
  ///
  /// - Parameters:
  ///   - values: The values.
  ///   - firstIndex: The index of the first of them.
  ///   - type: What they are stored as.
  ///   - body: Gets their bytes.
  /// - Throws: `fault` where a number cannot be represented in the type; what the body throws.
  func withBytes(
    of values: UnsafeBufferPointer<Float>, firstIndex: Int, as type: RealType,
    _ body: (UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) {
    if type == .float32 { return try body(UnsafeRawBufferPointer(values)) }
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: values.count * byteCount, alignment: byteCount)
    defer { bytes.deallocate() }
    guard let first = bytes.baseAddress else { return }
    try encode(values, firstIndex: firstIndex, as: type, into: first)
    try body(UnsafeRawBufferPointer(bytes))
  }

  /// The digests of the values that the elements stand for, piece by piece, on all processors.
  ///
  /// - Parameters:
  ///   - memory: All elements.
  ///   - progress: Called with the number of bytes that are done, counted as float32.
  func valueDigests(_ memory: UnsafeRawPointer, progress: @Sendable (Int) -> Void) -> [Digest] {
    let pieces = PieceLayout(elementCount: count)
    nonisolated(unsafe) let memory = memory
    return Workers.current.map(pieces.count) { index in
      let range = pieces.range(index)
      defer { progress(range.count * MemoryLayout<Float>.size) }
      if case .real(_, .float32) = content {
        let elements = memory + range.lowerBound * byteCount
        return Digest(of: UnsafeRawBufferPointer(start: elements, count: range.count * byteCount))
      }
      // In parts that stay in a cache until they are digested.
      let partLength = min(range.count, 1 << 16)
      let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: partLength)
      defer { values.deallocate() }
      return Digest { add in
        for first in stride(from: range.lowerBound, to: range.upperBound, by: partLength) {
          let part = first..<min(range.upperBound, first + partLength)
          let values = UnsafeMutableBufferPointer(rebasing: values[..<part.count])
          decode(memory, part, into: values)
          add(UnsafeRawBufferPointer(values))
        }
      }
    }
  }

  /// Computes the values that a range of the elements stand for.
  private func decode(
    _ memory: UnsafeRawPointer, _ range: Range<Int>, into values: UnsafeMutableBufferPointer<Float>
  ) {
    let elements = memory + range.lowerBound * byteCount
    switch content {
    case .real(_, let type): type.decode(elements, into: values)
    case .codes(_, let quantization):
      let codes = UnsafeBufferPointer(
        start: elements.assumingMemoryBound(to: Int8.self), count: range.count)
      quantization.dequantize(codes, firstIndex: range.lowerBound, rowLength: rowLength, into: values)
    case .bias(let bias): bias.dequantize(range, into: values)
    }
  }
}

/// How a tensor's elements are split for digests of their values: into as many as one block has as float32.
struct PieceLayout {
  /// The number of elements of all pieces but the last.
  static let length = BlockDigest.blockLength / MemoryLayout<Float>.size

  let elementCount: Int

  /// The number of pieces; at least one.
  var count: Int { max(1, (elementCount + PieceLayout.length - 1) / PieceLayout.length) }

  /// The elements of a piece.
  func range(_ index: Int) -> Range<Int> {
    index * PieceLayout.length..<min(elementCount, (index + 1) * PieceLayout.length)
  }
}
