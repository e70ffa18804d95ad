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

  /// Rows lie side by side where strides descend from the outermost axis to the innermost.
  var prefersLongRanges: Bool {
    let strides = (outer + [inner]).filter { $0.length != 1 }.map { abs($0.stride) }
    return zip(strides, strides.dropFirst()).contains { $0 < $1 }
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {
    guard let output = destination.baseAddress, !range.isEmpty else { return }
    bytes.withBytes { source in
      guard let base = source.baseAddress else { return }
      switch (format.kind, format.isBigEndian) {
      case (.float32, false): copy(range, Float32Loader.self, base, output)
      case (.float32, true): copy(range, BigEndianFloat32Loader.self, base, output)
      case (.float64, false): copy(range, Float64Loader.self, base, output)
      case (.float64, true): copy(range, BigEndianFloat64Loader.self, base, output)
      case (.float16, false): copy(range, Float16Loader.self, base, output)
      case (.float16, true): copy(range, BigEndianFloat16Loader.self, base, output)
      case (.bfloat16, false): copy(range, BFloat16Loader.self, base, output)
      case (.bfloat16, true): copy(range, BigEndianBFloat16Loader.self, base, output)
      case (.int8, _): copy(range, Int8Loader.self, base, output)
      }
    }
    guard let scaling else { return }
    for (offset, position) in range.enumerated() {
      output[offset] = scaling.value(
        output[offset], row: position / inner.length, channel: position % inner.length)
    }
  }

  /// Copies a range: a part of a first row, whole rows, a part of a last row. A row is one run of output channels.
  private func copy<Loader: NumberLoader>(
    _ range: Range<Int>, _ loader: Loader.Type, _ base: UnsafeRawPointer,
    _ output: UnsafeMutablePointer<Float>
  ) {
    let rowLength = inner.length
    var position = range.lowerBound
    var output = output
    if position % rowLength != 0 || range.upperBound - position < rowLength {
      let column = position % rowLength
      let end = min(rowLength, column + range.count)
      copyRow(position / rowLength, column..<end, loader, base, output)
      output += end - column
      position += end - column
    }
    let wholeRows = position / rowLength..<max(position / rowLength, range.upperBound / rowLength)
    copyRows(wholeRows, loader, base, output)
    output += wholeRows.count * rowLength
    position += wholeRows.count * rowLength
    if position < range.upperBound {
      copyRow(position / rowLength, 0..<range.upperBound - position, loader, base, output)
    }
  }

  private func copyRow<Loader: NumberLoader>(
    _ row: Int, _ columns: Range<Int>, _ loader: Loader.Type, _ base: UnsafeRawPointer,
    _ output: UnsafeMutablePointer<Float>
  ) {
    var remaining = row
    var offset = start + columns.lowerBound * inner.stride
    for axis in outer.reversed() {
      offset += remaining % axis.length * axis.stride
      remaining /= axis.length
    }
    for column in 0..<columns.count {
      output[column] = loader.load(base + offset + column * inner.stride)
    }
  }

  /// Splits rows into boxes of the outer axes, so that each box can be walked in the source's order.
  private func copyRows<Loader: NumberLoader>(
    _ rows: Range<Int>, _ loader: Loader.Type, _ base: UnsafeRawPointer, _ output: UnsafeMutablePointer<Float>
  ) {
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
      copyBox(box, loader, base + offset, output + (row - rows.lowerBound) * inner.length)
      row += boxRows
    }
  }

  /// Copies a box of rows.
  ///
  /// Where output channels are not neighbours in the source, a few of them are taken at a time and the box is walked
  /// in the source's order: reads run through memory in as many streams, and each write fills a cache line.
  private func copyBox<Loader: NumberLoader>(
    _ box: [Axis], _ loader: Loader.Type, _ base: UnsafeRawPointer, _ output: UnsafeMutablePointer<Float>
  ) {
    let rowLength = inner.length
    let streams = inner.stride == format.byteCount ? rowLength : min(rowLength, 16)
    // Each axis of the box with its stride in the output, ordered by its stride in the source.
    var walk: [(length: Int, source: Int, output: Int)] = []
    var outputStride = rowLength
    for axis in box.reversed() {
      walk.append((axis.length, axis.stride, outputStride))
      outputStride *= axis.length
    }
    walk.sort { abs($0.source) > abs($1.source) }
    while walk.count < 3 { walk.insert((1, 0, 0), at: 0) }
    let (first, second, third) = (walk[0], walk[1], walk[2])
    var column = 0
    while column < rowLength {
      let columns = min(streams, rowLength - column)
      let columnBase = base + column * inner.stride
      for i in 0..<first.length {
        for j in 0..<second.length {
          var from = columnBase + i * first.source + j * second.source
          var to = output + column + i * first.output + j * second.output
          for _ in 0..<third.length {
            for c in 0..<columns { to[c] = loader.load(from + c * inner.stride) }
            from += third.source
            to += third.output
          }
        }
      }
      column += columns
    }
  }
}
