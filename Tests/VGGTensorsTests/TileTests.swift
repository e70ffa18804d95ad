import TestSupport
import Testing
import VGGBytes
import VGGTensors

/// Tiles of source tensors against their values one by one.
@Suite struct TileTests {
  /// A source's layout, its shape in its own order, and how it is stored.
  struct Source: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var layout: SourceLayout
    var format = NumberFormat.float32
    var gap = 0
    var isRotated = false
    var isReversed = false
    var testDescription: String { "\(layout) \(shape) \(format.kind) \(gap) \(isRotated) \(isReversed)" }

    /// A tensor of numbers that tell their index.
    var tensor: SourceTensor {
      let count = shape.reduce(1, *)
      var bytes: [UInt8] = [0xFF]  // so that numbers are not aligned
      for index in 0..<count {
        let value = Float(index % 4093)
        switch format.kind {
        case .float64: bytes += withUnsafeBytes(of: Double(value).bitPattern.littleEndian) { Array($0) }
        case .float32:
          let bits = value.bitPattern
          bytes += withUnsafeBytes(of: format.isBigEndian ? bits.bigEndian : bits.littleEndian) { Array($0) }
        default: bytes.append(UInt8(bitPattern: Int8(index % 251 - 125)))
        }
        bytes += Array(repeating: 0xFF, count: gap)
      }
      let region = ByteRegion(copying: bytes)
      var tensor = SourceTensor(
        name: "t", shape: shape, format: format,
        bytes: region.slice(at: 1, count: region.count - 1) ?? region, elementStride: format.byteCount + gap,
        layout: layout)
      tensor.isRotated = isRotated
      tensor.hasReversedInputChannels = isReversed
      return tensor
    }
  }

  static let sources: [Source] = [
    .init(shape: [40, 3, 3, 3], layout: .oihw), .init(shape: [70, 17, 3, 3], layout: .oihw, isRotated: true),
    .init(shape: [33, 5, 2, 3], layout: .oihw, isReversed: true),
    .init(shape: [9, 4, 1, 1], layout: .oihw, isRotated: true, isReversed: true),
    .init(shape: [3, 3, 5, 19], layout: .hwio, isRotated: true), .init(shape: [100, 37], layout: .outIn),
    .init(shape: [16, 8], layout: .outIn), .init(shape: [1, 9], layout: .outIn),
    .init(shape: [9, 1], layout: .outIn),
    .init(shape: [67, 11 * 6], layout: .outInFromCHW(channels: 11, extent: Extent(height: 2, width: 3))),
    .init(shape: [5 * 4, 67], layout: .inOutFromCHW(channels: 5, extent: Extent(side: 2))),
    .init(shape: [40, 3, 3, 3], layout: .oihw, gap: 1),
    .init(shape: [40, 30], layout: .outIn, format: .init(.float64)),
    .init(shape: [40, 30], layout: .outIn, format: .init(.float32, isBigEndian: true)),
    .init(shape: [21, 3, 3, 3], layout: .oihw, format: .init(.int8)), .init(shape: [77], layout: .vector),
  ]

  @Test(arguments: sources) func tilesAreWhatTheValuesAre(_ source: Source) throws {
    let tensor = source.tensor
    let values = tensor.canonicalValues
    let rowLength = try #require(tensor.canonicalShape.last)
    let rowCount = values.count / rowLength
    // One by one, which is too slow for anything but a test.
    let expected = try (0..<values.count).map { index in
      try values.withValues(index..<index + 1) { values throws(FileError) in values[0] }
    }
    var seen = [Float](repeating: -1, count: values.count)
    for tile in values.tiles(rowLength: rowLength) {
      try values.forEachBlock(of: tile, rowLength: rowLength) { block, part throws(FileError) in
        for (offset, value) in part.enumerated() {
          let row = block.row(offset / block.columns.count)
          seen[row * rowLength + block.columns.lowerBound + offset % block.columns.count] = value
        }
      }
    }
    #expect(seen == expected)
    var random = SeededGenerator(seed: UInt64(values.count))
    for _ in 0..<20 {
      let row = Int.random(in: 0..<rowCount, using: &random)
      let column = Int.random(in: 0..<rowLength, using: &random)
      let tile = Tile(
        rows: row..<Int.random(in: row + 1...rowCount, using: &random),
        columns: column..<Int.random(in: column + 1...rowLength, using: &random))
      let stride = tile.columns.count + Int.random(in: 0...3, using: &random)
      var memory = [Float](repeating: -7, count: tile.rows.count * stride)
      try memory.withUnsafeMutableBufferPointer { memory throws(FileError) in
        guard let start = memory.baseAddress else { return }
        try values.read(tile, rowLength: rowLength, into: start, rowStride: stride)
      }
      for (place, value) in memory.enumerated() {
        let (row, column) = place.quotientAndRemainder(dividingBy: stride)
        let isInside = column < tile.columns.count
        let index = (tile.rows.lowerBound + row) * rowLength + tile.columns.lowerBound + column
        #expect(value == (isInside ? expected[index] : -7))
      }
      let range =
        row * rowLength + column..<Int.random(in: row * rowLength + column...values.count, using: &random)
      let part = try values.withValues(range) { values throws(FileError) in Array(values) }
      #expect(part == Array(expected[range]))
    }
  }

  /// Each row is in one band, at its place.
  @Test(arguments: sources, [1, 100, 1 << 20]) func bandsAreWhatTheValuesAre(_ source: Source, most: Int)
    throws
  {
    for scaling in [nil, SourceTensor.Scaling.multiplied(by: (0..<100).map { 1 + Double($0) / 7 })] {
      var tensor = source.tensor
      tensor.scaling = scaling
      let values = tensor.canonicalValues
      let rowLength = tensor.canonicalShape.last ?? 1
      let expected = try values.array()
      var seen = [Float](repeating: .nan, count: expected.count)
      for band in values.bands(rowLength: rowLength, ofAtMost: most) {
        #expect(band.rowCount * rowLength <= max(most, band.groupCount * rowLength))
        var numbers = [Float](repeating: .nan, count: band.rowCount * rowLength)
        try numbers.withUnsafeMutableBufferPointer { numbers in
          try values.read(band, rowLength: rowLength, into: #require(numbers.baseAddress))
        }
        for (start, rows) in band.runs {
          seen.replaceSubrange(
            rows.lowerBound * rowLength..<rows.upperBound * rowLength,
            with: numbers[start * rowLength..<(start + rows.count) * rowLength])
        }
      }
      #expect(seen == expected)
    }
  }

  /// Values that codes stand for are the same in blocks of another tensor as one by one.
  @Test(arguments: [
    Quantization(scales: (0..<70).map { Float($0 + 1) * 0.37 }),
    Quantization(.int8, by: .tensor, scales: [0.37], zeroPoints: [-3]),
    Quantization(scales: (0..<70).map { Float($0 + 1) }, zeroPoints: (0..<70).map { Int8($0 - 35) }),
    Quantization(.int8, by: .inputGroups(length: 5), scales: (0..<490).map { Float($0 + 1) }),
  ])
  func blocksOfCodesAreReadAsTheirValues(_ quantization: Quantization) throws {
    let codes = (0..<33 * 70).map { Int8(truncatingIfNeeded: $0 * 37) }
    let tensor = Tensor(
      name: "t", role: .weight, shape: [33, 70], content: .codes(MemoryCodes(codes), quantization))
    let expected = try tensor.values.array()
    let other = Source(shape: [70, 33], layout: .outIn).tensor.canonicalValues
    var seen = [Float](repeating: .nan, count: codes.count)
    for tile in other.tiles(rowLength: 70) {
      try other.forEachBlock(of: tile, rowLength: 70) { block, part throws(FileError) in
        let read = UnsafeMutableBufferPointer<Float>.allocate(capacity: part.count)
        defer { read.deallocate() }
        try tensor.values.read(block, rowLength: 70, into: read)
        block.forEachRun(rowLength: 70) { place, run in
          for (offset, index) in run.enumerated() { seen[place + offset] = read[index] }
        }
      }
    }
    #expect(seen == expected)
  }

  /// What quantising stores is the same for whole rows and for tiles of columns.
  @Test func codesOfTilesAreThoseOfRanges() throws {
    let tensor = Source(shape: [70, 33], layout: .outIn).tensor
    let quantization = Quantization(scales: (0..<70).map { Float($0 + 1) * 0.37 })
    let values = try tensor.canonicalValues.array()
    let expected = values.enumerated().map { index, value in
      Int8(max(-127, min(127, (value / quantization.scales[index % 70]).rounded(.toNearestOrEven))))
    }
    var whole = [Int8](repeating: 0, count: values.count)
    var tiled = whole
    values.withUnsafeBufferPointer { values in
      whole.withUnsafeMutableBufferPointer {
        quantization.quantize(values, firstIndex: 0, rowLength: 70, into: $0)
      }
    }
    try tiled.withUnsafeMutableBufferPointer { codes throws(FileError) in
      guard let start = codes.baseAddress else { return }
      for tile in tensor.canonicalValues.tiles(rowLength: 70) {
        try tensor.canonicalValues.forEachBlock(of: tile, rowLength: 70) { block, part throws(FileError) in
          let first = start + tile.rows.lowerBound * 70 + tile.columns.lowerBound
          quantization.quantize(part, of: block, in: tile, rowLength: 70, into: first, rowStride: 70)
        }
      }
    }
    #expect(whole == expected && tiled == expected)
    var restored = [Float](repeating: 0, count: 100)
    whole[50..<150].withUnsafeBufferPointer { codes in
      restored.withUnsafeMutableBufferPointer {
        quantization.dequantize(codes, firstIndex: 50, rowLength: 70, into: $0)
      }
    }
    #expect(restored == (50..<150).map { Float(expected[$0]) * quantization.scales[$0 % 70] })
  }
}
