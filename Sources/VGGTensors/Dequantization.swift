internal import CVGGKernels
internal import CVGGRules
internal import VGGBytes

/// The values that codes stand for, computed as they are read.
struct DequantizedValues: TensorValues {
  let codes: any TensorCodes
  let quantization: Quantization
  /// The number of output channels.
  let rowLength: Int

  var count: Int { codes.count }
  var isTransposed: Bool { codes.isTransposed }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try codes.withCodes(range) { codes throws(FileError) in
      quantization.dequantize(
        codes, firstIndex: range.lowerBound, rowLength: rowLength, into: destination)
    }
  }

  func read(
    _ block: Block, rowLength: Int, into destination: UnsafeMutableBufferPointer<Float>
  ) throws(FileError) {
    let columns = block.columns.count
    guard let inMemory = codes.inMemory, columns < rowLength, !quantization.changesWithRows,
      let output = destination.baseAddress
    else { return try readRuns(of: block, rowLength: rowLength, into: destination) }
    // Short runs: one call for all of them together costs less than one for each.
    withUnsafeTemporaryAllocation(of: Int8.self, capacity: block.rowCount * columns) { gathered in
      inMemory.withBytes { bytes in
        guard let codes = bytes.assumingMemoryBound(to: Int8.self).baseAddress,
          let gathered = gathered.baseAddress
        else { return }
        for index in 0..<block.rowCount {
          let place = block.row(index) * rowLength + block.columns.lowerBound
          (gathered + index * columns).update(from: codes + place, count: columns)
        }
        quantization.dequantize(
          gathered, rows: block.rowCount, block.columns, rowLength: rowLength, into: output)
      }
    }
  }
}

extension Quantization {
  /// Computes the values that some codes of a tensor stand for.
  ///
  /// - Parameters:
  ///   - codes: The codes.
  ///   - firstIndex: The index of the first of them in the tensor: it tells the group.
  ///   - rowLength: The number of output channels.
  ///   - values: Room for as many values.
  package func dequantize(
    _ codes: UnsafeBufferPointer<Int8>, firstIndex: Int, rowLength: Int,
    into values: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(values.count >= codes.count)
    guard let input = codes.baseAddress, let output = values.baseAddress else { return }
    withRules { rules in
      forEachRun(of: codes.count, from: firstIndex, rowLength: rowLength) { run, rows, parameter in
        rules.dequantize(
          input + run.lowerBound, rows: rows, columns: run.count / rows, parameter, output + run.lowerBound)
      }
    }
  }

  /// Whether elements of one output channel have different scales.
  fileprivate var changesWithRows: Bool {
    if case .inputGroups = grouping { true } else { false }
  }

  /// Computes the values that codes in some columns of a tensor stand for, row by row, where all rows have the same scales.
  fileprivate func dequantize(
    _ codes: UnsafePointer<Int8>, rows: Int, _ columns: Range<Int>, rowLength: Int,
    into values: UnsafeMutablePointer<Float>
  ) {
    let parameter = grouping.index(row: 0, channel: columns.lowerBound, rowLength: rowLength)
    withRules { $0.dequantize(codes, rows: rows, columns: columns.count, parameter, values) }
  }

  /// Computes the codes that are nearest to some values of a tensor, ties to even, and that of zero for NaN.
  ///
  /// Without zero points codes are at most 127 or 7 either way, so that a value and its negative have the same magnitude.
  ///
  /// - Parameters:
  ///   - values: The values.
  ///   - firstIndex: The index of the first of them in the tensor: it tells the group.
  ///   - rowLength: The number of output channels.
  ///   - codes: Room for as many codes.
  package func quantize(
    _ values: UnsafeBufferPointer<Float>, firstIndex: Int, rowLength: Int,
    into codes: UnsafeMutableBufferPointer<Int8>
  ) {
    precondition(codes.count >= values.count)
    guard let input = values.baseAddress, let output = codes.baseAddress else { return }
    withRules { rules in
      forEachRun(of: values.count, from: firstIndex, rowLength: rowLength) { run, rows, parameter in
        rules.quantize(
          input + run.lowerBound, rows: rows, columns: run.count / rows, parameter, output + run.lowerBound)
      }
    }
  }

  /// Computes the codes that are nearest to the values of a block.
  ///
  /// - Parameters:
  ///   - values: The block's values, row by row.
  ///   - block: Which they are.
  ///   - tile: The tile that the block is of.
  ///   - rowLength: The number of output channels.
  ///   - codes: Where the tile's first code goes.
  ///   - rowStride: From a row's first code to that of the next one.
  package func quantize(
    _ values: UnsafeBufferPointer<Float>, of block: Block, in tile: Tile, rowLength: Int,
    into codes: UnsafeMutablePointer<Int8>, rowStride: Int
  ) {
    guard let input = values.baseAddress else { return }
    let columns = block.columns.count
    withRules { rules in
      guard case .inputGroups = grouping else {
        let parameter = grouping.index(row: 0, channel: block.columns.lowerBound, rowLength: rowLength)
        if let rows = block.rows, rowStride == columns {
          let first = codes + (rows.lowerBound - tile.rows.lowerBound) * rowStride
          return rules.quantize(input, rows: rows.count, columns: columns, parameter, first)
        }
        return withUnsafeTemporaryAllocation(of: Int8.self, capacity: values.count) { quantized in
          guard let quantized = quantized.baseAddress else { return }
          rules.quantize(input, rows: block.rowCount, columns: columns, parameter, quantized)
          for index in 0..<block.rowCount {
            let row = codes + (block.row(index) - tile.rows.lowerBound) * rowStride
            row.update(from: quantized + index * columns, count: columns)
          }
        }
      }
      for index in 0..<block.rowCount {
        let row = block.row(index)
        let parameter = grouping.index(row: row, channel: block.columns.lowerBound, rowLength: rowLength)
        rules.quantize(
          input + index * columns, rows: 1, columns: columns, parameter,
          codes + (row - tile.rows.lowerBound) * rowStride)
      }
    }
  }

  private func withRules(_ body: (Rules) -> Void) {
    withParameters { scales, zeroPoints in
      guard let scales = scales.baseAddress else { return }
      body(
        Rules(
          type: type, isOneGroup: grouping == .tensor, scales: scales, zeroPoints: zeroPoints?.baseAddress))
    }
  }

  /// Splits elements into runs that take neighbouring scales: whole rows of a group, or a part of one row.
  private func forEachRun(
    of count: Int, from firstIndex: Int, rowLength: Int,
    _ body: (_ run: Range<Int>, _ rows: Int, _ parameter: Int) -> Void
  ) {
    var start = 0
    while start < count {
      let (row, channel) = (firstIndex + start).quotientAndRemainder(dividingBy: rowLength)
      let isWhole = channel == 0 && count - start >= rowLength
      let rows = isWhole ? min((count - start) / rowLength, grouping.rowCount(from: row)) : 1
      let length = isWhole ? rows * rowLength : min(count - start, rowLength - channel)
      body(start..<start + length, rows, grouping.index(row: row, channel: channel, rowLength: rowLength))
      start += length
    }
  }
}

/// The rules by which a row of elements becomes codes and values again.
private struct Rules {
  let type: CodeType
  /// Whether there is one scale for all.
  let isOneGroup: Bool
  let scales: UnsafePointer<Float>
  let zeroPoints: UnsafePointer<Int8>?
  let isa = vgk_best_isa()

  /// Computes the values of rows of which all take the same scales, one for each column, from a first one on.
  func dequantize(
    _ codes: UnsafePointer<Int8>, rows: Int, columns: Int, _ first: Int,
    _ values: UnsafeMutablePointer<Float>
  ) {
    if isOneGroup {
      let (scale, zeroPoint) = (scales[0], Int32(zeroPoints?[0] ?? 0))
      for index in 0..<rows * columns {
        values[index] = vgr_f32_from_code(Int32(codes[index]) - zeroPoint, scale)
      }
    } else if let zeroPoints {
      for row in 0..<rows {
        let (input, output) = (codes + row * columns, values + row * columns)
        for column in 0..<columns {
          let steps = Int32(input[column]) - Int32(zeroPoints[first + column])
          output[column] = vgr_f32_from_code(steps, scales[first + column])
        }
      }
    } else {
      vgk_dequantize_columns_s8(isa, codes, rows, columns, scales + first, values)
    }
  }

  /// Computes the codes of rows of which all take the same scales, one for each column, from a first one on.
  func quantize(
    _ values: UnsafePointer<Float>, rows: Int, columns: Int, _ first: Int, _ codes: UnsafeMutablePointer<Int8>
  ) {
    if type == .int8, !isOneGroup, zeroPoints == nil {
      return vgk_quantize_columns_s8(isa, values, rows, columns, scales + first, codes)
    }
    let most = Int32(type.codes.upperBound)
    let least = zeroPoints == nil ? -most : Int32(type.codes.lowerBound)
    let step = isOneGroup ? 0 : 1
    for row in 0..<rows {
      let (input, output) = (values + row * columns, codes + row * columns)
      for column in 0..<columns {
        let parameter = first + column * step
        output[column] = Int8(
          truncatingIfNeeded: vgr_code_from_zero_point(
            input[column], scales[parameter], Int32(zeroPoints?[parameter] ?? 0), least, most))
      }
    }
  }
}
