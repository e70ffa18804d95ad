internal import CVGGKernels
internal import VGGBytes

/// The values of a source tensor in native order: a layout is nothing but one byte stride for each native axis.
///
/// OIHW, [out, in], flattened C,H,W inputs, rotated kernels (negative strides) and reversed channels all come down to
/// this, so one loop serves them all.
struct StridedValues: TensorValues {
  /// An axis of the native order: its length and its stride in bytes in the source.
  private struct Axis {
    var length: Int
    var stride: Int
  }

  private let bytes: ByteRegion
  private let format: NumberFormat
  /// The byte offset of the first value in native order.
  private let start: Int
  /// All native axes but the last; a flattened feature map counts as three.
  private let outer: [Axis]
  /// The native axis that varies fastest: output channels.
  private let inner: Axis
  /// What is done to each number, by its output channel.
  private let scaling: SourceTensor.Scaling?
  let count: Int

  init(_ source: SourceTensor) {
    bytes = source.bytes
    format = source.format
    count = source.shape.reduce(1, *)
    let step = source.elementStride
    /// Strides of the source's own axes, last axis fastest.
    func strides(_ shape: [Int]) -> [Axis] {
      var stride = step
      return shape.reversed().map { length in
        defer { stride *= length }
        return Axis(length: length, stride: stride)
      }.reversed()
    }
    var axes: [Axis]
    switch source.layout {
    case .vector, .hwio, .inOut:
      axes = strides(source.shape)
    case .oihw:
      let own = strides(source.shape)
      axes = [own[2], own[3], own[1], own[0]]
    case .ohwi:
      let own = strides(source.shape)
      axes = [own[1], own[2], own[3], own[0]]
    case .outIn:
      let own = strides(source.shape)
      axes = [own[1], own[0]]
    case .inOutFromCHW(let channels, let extent):
      let own = strides([channels, extent.height, extent.width, source.shape[1]])
      axes = [own[1], own[2], own[0], own[3]]
    case .outInFromCHW(let channels, let extent):
      let own = strides([source.shape[0], channels, extent.height, extent.width])
      axes = [own[2], own[3], own[1], own[0]]
    }
    var start = 0
    func reverse(_ index: Int) {
      start += (axes[index].length - 1) * axes[index].stride
      axes[index].stride.negate()
    }
    if count > 0, axes.count == 4 {
      if source.isRotated { [0, 1].forEach(reverse) }
      if source.hasReversedInputChannels { reverse(2) }
    }
    self.start = start
    scaling = source.scaling
    inner = axes[axes.count - 1]
    outer = axes.dropLast()
  }

  /// Whether the source's bytes already are the native values.
  var isContiguousFloat32: Bool {
    guard format == .float32, start == 0, scaling == nil else { return false }
    var expected = MemoryLayout<Float>.size
    for axis in [inner] + outer.reversed() {
      if axis.length != 1, axis.stride != expected { return false }
      expected *= axis.length
    }
    return true
  }

  /// Whether an output channel's values are neighbours in the source, and not those of a row.
  var isTransposed: Bool {
    inner.length > 1 && outer.contains { $0.length > 1 && abs($0.stride) < abs(inner.stride) }
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    guard var output = destination.baseAddress, !range.isEmpty else { return }
    let rowLength = inner.length
    func read(_ rows: Range<Int>, _ columns: Range<Int>) {
      let tile = Tile(rows: rows, columns: columns)
      self.read(tile, rowLength: rowLength, into: output, rowStride: columns.count)
      output += tile.count
    }
    // A part of a first row, whole rows, a part of a last row.
    var (row, column) = range.lowerBound.quotientAndRemainder(dividingBy: rowLength)
    let (lastRow, end) = range.upperBound.quotientAndRemainder(dividingBy: rowLength)
    if column > 0 {
      read(row..<row + 1, column..<(row == lastRow ? end : rowLength))
      if row == lastRow { return }
      (row, column) = (row + 1, 0)
    }
    if row < lastRow { read(row..<lastRow, 0..<rowLength) }
    if end > 0 { read(lastRow..<lastRow + 1, 0..<end) }
  }

  func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Float>, rowStride: Int
  ) {
    bytes.withBytes { source in
      guard let base = source.baseAddress else { return }
      forEachBox(of: tile.rows) { box, row, offset in
        let from = base + offset + tile.columns.lowerBound * inner.stride
        let to = destination + (row - tile.rows.lowerBound) * rowStride
        copy(box, from, columns: tile.columns.count, to, rowStride: rowStride)
      }
    }
    guard let scaling else { return }
    for (index, row) in tile.rows.enumerated() {
      for (position, channel) in tile.columns.enumerated() {
        let place = index * rowStride + position
        destination[place] = scaling.value(destination[place], row: row, channel: channel)
      }
    }
  }

  /// Of a source that is turned, the rows of the axis that varies fastest here: with all steps of the others, some of them are
  /// one run of neighbours there.
  func rowGroupLength(rowLength: Int) -> Int {
    isTransposed ? outer.last?.length ?? 1 : count / rowLength
  }

  func read(_ band: RowBand, rowLength: Int, into destination: UnsafeMutablePointer<Float>) {
    guard isTransposed, let last = outer.last else {
      for (start, rows) in band.runs {
        let tile = Tile(rows: rows, columns: 0..<rowLength)
        read(tile, rowLength: rowLength, into: destination + start * rowLength, rowStride: rowLength)
      }
      return
    }
    var box = outer
    box[box.count - 1].length = band.rows.count
    bytes.withBytes { source in
      guard let base = source.baseAddress else { return }
      let from = base + start + band.rows.lowerBound * last.stride
      copy(box, from, columns: rowLength, destination, rowStride: rowLength)
    }
    guard let scaling else { return }
    for (start, rows) in band.runs {
      for (index, row) in rows.enumerated() {
        let first = destination + (start + index) * rowLength
        for channel in 0..<rowLength {
          first[channel] = scaling.value(first[channel], row: row, channel: channel)
        }
      }
    }
  }

  /// Splits rows into boxes of the outer axes, so that each box can be walked in the source's order; the body gets a box,
  /// its first row, and the offset of its first value.
  private func forEachBox(of rows: Range<Int>, _ body: ([Axis], Int, Int) -> Void) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      // The largest run of trailing axes that the row begins and that still fits.
      var depth = outer.count
      var boxRows = 1
      while depth > 0 {
        let larger = boxRows * outer[depth - 1].length
        guard row % larger == 0, larger <= rows.upperBound - row else { break }
        boxRows = larger
        depth -= 1
      }
      var box = Array(outer[depth...])
      if depth > 0 {  // Several steps of the axis before it, up to its end.
        let steps = min(
          (rows.upperBound - row) / boxRows, outer[depth - 1].length - row / boxRows % outer[depth - 1].length
        )
        box.insert(Axis(length: steps, stride: outer[depth - 1].stride), at: 0)
        boxRows *= steps
      }
      var offset = start
      var remaining = row
      for axis in outer.reversed() {
        offset += remaining % axis.length * axis.stride
        remaining /= axis.length
      }
      body(box, row, offset)
      row += boxRows
    }
  }

  /// An axis of a box, and how many rows of the target one step along it is.
  private struct Step {
    var length: Int
    var source: Int
    var rows: Int
  }

  /// The axes of a box, the fastest in the source first.
  private func steps(of box: [Axis]) -> [Step] {
    var rows = 1
    return box.reversed().map { axis in
      defer { rows *= axis.length }
      return Step(length: axis.length, source: axis.stride, rows: rows)
    }.sorted { abs($0.source) < abs($1.source) }
  }

  /// Copies some columns of a box of rows.
  private func copy(
    _ box: [Axis], _ source: UnsafeRawPointer, columns: Int, _ target: UnsafeMutablePointer<Float>,
    rowStride: Int
  ) {
    let steps = steps(of: box)
    guard format == .float32, box.reduce(1, { $0 * $1.length }) <= UInt32.max else {
      return convert(steps, source, columns: columns, target, rowStride: rowStride)
    }
    if inner.stride == format.byteCount {
      forEachStep(steps[...], source, target, rowStride) { source, target in
        UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: columns * format.byteCount)
      }
    } else {
      transpose(steps, source, columns: columns, target, rowStride: rowStride)
    }
  }

  /// Turns a box: runs of neighbours in the source, each a part of a column, go to the rows where they belong.
  private func transpose(
    _ steps: [Step], _ source: UnsafeRawPointer, columns: Int, _ target: UnsafeMutablePointer<Float>,
    rowStride: Int
  ) {
    let isa = vgk_best_isa()
    let run = Run(steps, size: format.byteCount)
    run.rows.withUnsafeBufferPointer { rows in
      guard let table = rows.baseAddress else { return }
      // More columns at a time would be more streams than a cache can follow.
      for first in stride(from: 0, to: columns, by: Tile.transposedColumns) {
        let count = min(Tile.transposedColumns, columns - first)
        let start = source + run.start + first * inner.stride
        forEachStep(run.others, start, target + first, rowStride) { source, target in
          vgk_transpose_f32(isa, source, inner.stride, count, rows.count, table, target, rowStride)
        }
      }
    }
  }

  /// The axes of a box that together are one run of neighbours in the source, which may go through an axis backwards.
  private struct Run {
    /// The row of the box that each number of the run belongs to.
    var rows: [UInt32] = [0]
    /// The offset in bytes of the run's first number from that of the box.
    var start = 0
    /// The other axes, the fastest first.
    var others: ArraySlice<Step>

    init(_ steps: [Step], size: Int) {
      let steps = steps.filter { $0.length > 1 }
      others = steps[...]
      while let step = others.first, abs(step.source) == rows.count * size {
        rows = (0..<step.length).flatMap { index in
          let row = UInt32((step.source > 0 ? index : step.length - 1 - index) * step.rows)
          return rows.map { $0 + row }
        }
        if step.source < 0 { start += (step.length - 1) * step.source }
        others.removeFirst()
      }
    }
  }

  /// Lends a tile of columns in the source's order where it is one run of neighbours: the rows of a block are then wherever
  /// they belong in the tensor.
  func forEachBlock(
    of tile: Tile, rowLength: Int, _ body: (Block, UnsafeBufferPointer<Float>) throws(FileError) -> Void
  ) throws(FileError) {
    let rowCount = count / rowLength
    guard isTransposed, format == .float32, tile.rows == 0..<rowCount, rowCount <= UInt32.max else {
      return try lendInOrder(tile, rowLength: rowLength, body)
    }
    let run = Run(steps(of: outer), size: format.byteCount)
    guard run.others.isEmpty else { return try lendInOrder(tile, rowLength: rowLength, body) }
    let columns = tile.columns.count
    let rowsAtOnce = max(8, (1 << 16) / columns & ~7)
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: rowsAtOnce * columns)
    defer { buffer.deallocate() }
    let inOrder = (0..<UInt32(rowsAtOnce)).map(\.self)
    for first in stride(from: 0, to: run.rows.count, by: rowsAtOnce) {
      let block = Block(
        firstRow: 0, steps: run.rows[first..<min(run.rows.count, first + rowsAtOnce)], columns: tile.columns)
      bytes.withBytes { bytes in
        guard let base = bytes.baseAddress, let target = buffer.baseAddress else { return }
        let offset = start + run.start + first * format.byteCount + tile.columns.lowerBound * inner.stride
        vgk_transpose_f32(
          vgk_best_isa(), base + offset, inner.stride, columns, block.rowCount, inOrder, target, columns)
      }
      if let scaling {
        for index in 0..<block.rowCount * columns {
          buffer[index] = scaling.value(
            buffer[index], row: block.row(index / columns), channel: tile.columns.lowerBound + index % columns
          )
        }
      }
      try body(block, UnsafeBufferPointer(rebasing: buffer.prefix(block.rowCount * columns)))
    }
  }

  /// Calls a body for each position along some axes, the first of which is the fastest.
  private func forEachStep(
    _ steps: ArraySlice<Step>, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>,
    _ rowStride: Int,
    _ body: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) {
    guard let last = steps.last else { return body(source, target) }
    for index in 0..<last.length {
      forEachStep(
        steps.dropLast(), source + index * last.source, target + index * last.rows * rowStride, rowStride,
        body)
    }
  }

  /// Copies a box whose numbers are no float32 in the order of this machine.
  private func convert(
    _ steps: [Step], _ source: UnsafeRawPointer, columns: Int, _ target: UnsafeMutablePointer<Float>,
    rowStride: Int
  ) {
    switch (format.kind, format.isBigEndian) {
    case (.float32, false): convert(steps, source, columns, target, rowStride, Float32Loader.self)
    case (.float32, true): convert(steps, source, columns, target, rowStride, BigEndianFloat32Loader.self)
    case (.float64, false): convert(steps, source, columns, target, rowStride, Float64Loader.self)
    case (.float64, true): convert(steps, source, columns, target, rowStride, BigEndianFloat64Loader.self)
    case (.float16, false): convert(steps, source, columns, target, rowStride, Float16Loader.self)
    case (.float16, true): convert(steps, source, columns, target, rowStride, BigEndianFloat16Loader.self)
    case (.bfloat16, false): convert(steps, source, columns, target, rowStride, BFloat16Loader.self)
    case (.bfloat16, true): convert(steps, source, columns, target, rowStride, BigEndianBFloat16Loader.self)
    case (.int8, _): convert(steps, source, columns, target, rowStride, Int8Loader.self)
    }
  }

  private func convert<Loader: NumberLoader>(
    _ steps: [Step], _ source: UnsafeRawPointer, _ columns: Int, _ target: UnsafeMutablePointer<Float>,
    _ rowStride: Int, _ loader: Loader.Type
  ) {
    forEachStep(steps[...], source, target, rowStride) { source, target in
      for column in 0..<columns { target[column] = loader.load(source + column * inner.stride) }
    }
  }
}
