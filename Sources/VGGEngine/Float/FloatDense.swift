internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A dense layer in float32, with weights that lie in memory, as values or as codes, or are decoded in small pieces as they are
/// multiplied.
///
/// The bits of the result are the same in each case.
struct FloatDense: LayerMethod {
  private let dense: Dense
  private let weight: any TensorValues
  private let bias: [Float]?
  private let window: Extent?
  private let form: Form
  private let instructionSet: VGKISA

  /// How the kernels get the weights.
  private enum Form {
    /// As they lie in memory.
    case values(DecodedWeights)
    /// As codes, of which the kernels make values in registers.
    case codes(DenseCodes)
    /// Decoded in small pieces, row by row.
    case rows
    /// Decoded in small pieces, column by column.
    case columns
  }

  let inputFormat: MapFormat? = nil
  let outputFormat = MapFormat.packed

  init(
    _ dense: Dense, of layer: WeightedLayer, _ instructionSet: VGKISA, _ threads: Workers, savesMemory: Bool
  ) throws(EngineError) {
    (self.dense, weight, bias, window) = (dense, layer.weight, layer.bias, layer.window)
    self.instructionSet = instructionSet
    if weight.inMemory != nil || weight.isTransposed && !savesMemory {
      form = .values(try DecodedWeights(weight, 0..<weight.count, rowLength: dense.outputs, threads))
    } else if let codes = try layer.codes.flatMap({ (codes) throws(EngineError) in
      try DenseCodes(codes, of: dense)
    }) {
      form = .codes(codes)
    } else {
      form = weight.isTransposed ? .columns : .rows
    }
  }

  var rounding: SumRounding? { .direct(depth: vgk_fast_dense_roundings(dense.inputs)) }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    let groups = Groups(self, input, output, threadCount)
    let windows = groups.gathers ? Scratch.byteCount(groups.length * dense.inputs, of: Float.self) : 0
    return switch form {
    case .values, .codes: windows
    case .rows: windows + DecodingPlan(self, rowCount: groups.length, threadCount).scratchByteCount
    case .columns: windows + transposedScratchByteCount(rowCount: groups.length, threadCount)
    }
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    let groups = Groups(self, input.layout, output.layout, resources.workers.count)
    var scratch = resources.scratch
    let windows = groups.gathers ? scratch.take(groups.length * dense.inputs, of: Float.self) : nil
    let total = output.layout.pixelCount
    for start in stride(from: 0, to: total, by: groups.length) {
      let rows = start..<min(total, start + groups.length)
      let source = windows ?? input.floats + start * dense.inputs
      if let windows {
        input.gatherWindows(
          groups.window, positions: output.layout.shape.extent, rows, into: windows)
      }
      let target = output.floats + start * dense.outputs
      switch form {
      case .values(let weights):
        weights.withPointer { weights in
          multiply(resources.workers) { columns in
            vgk_fast_dense(
              instructionSet, rows.count, dense.inputs, dense.outputs, source, weights, bias,
              dense.activation == .relu, target, columns.lowerBound, columns.upperBound)
          }
        }
      case .codes(let codes):
        codes.withKernelValue { weights in
          multiply(resources.workers) { columns in
            vgk_fast_coded_dense(
              instructionSet, rows.count, dense.inputs, dense.outputs, source, weights, bias,
              dense.activation == .relu, target, columns.lowerBound, columns.upperBound)
          }
        }
      case .rows:
        let plan = DecodingPlan(self, rowCount: rows.count, resources.workers.count)
        try multiplyDecoding(source, plan, scratch, into: target, resources.workers)
      case .columns:
        try multiplyTransposed(source, rowCount: rows.count, scratch, into: target, resources.workers)
      }
    }
  }

  /// Which rows are multiplied at a time: what lies together already is read where it is; otherwise some windows are
  /// gathered at a time.
  private struct Groups {
    let gathers: Bool
    let window: Extent
    let length: Int

    init(_ method: FloatDense, _ input: MapLayout, _ output: MapLayout, _ threadCount: Int) {
      let slides = output.shape.extent != Extent(side: 1)
      gathers = slides || !input.isPacked
      window = slides ? method.window ?? input.shape.extent : input.shape.extent
      var length = gathers ? min(256, output.pixelCount) : output.pixelCount
      switch method.form {
      case .values, .codes: break
      case .rows, .columns:
        length = min(length, max(16, DecodingPlan.mostSums / (threadCount * method.dense.outputs)))
      }
      self.length = max(1, length)
    }
  }

  /// Computes all columns, one piece of them for each thread: pieces of rows are read, and the longer they are the faster.
  private func multiply(_ workers: Workers, _ body: (Range<Int>) -> Void) {
    let pieceLength = (dense.outputs + workers.count - 1) / workers.count
    workers.perform(dense.outputs, pieceLength: (pieceLength + 511) / 512 * 512) { _, columns in body(columns)
    }
  }

  /// How weights are decoded while they are multiplied with some rows.
  private struct DecodingPlan {
    /// The values that a thread decodes at a time: 256 KB, which stay in its cache.
    private static let tileLength = 1 << 16
    /// The sums of chunks that are kept until they are added up: 4 MB, unless each thread needs more for one.
    static let mostSums = 1 << 20

    let rowCount: Int
    let chunkLength = VGKDenseChunk
    let chunkCount: Int
    /// The sums of one chunk.
    let sumCount: Int
    let chunksAtOnce: Int
    /// The rows of weights that a thread decodes at a time, and their values.
    let tileRows: Int
    let tileLength: Int
    private let threadCount: Int

    init(_ method: FloatDense, rowCount: Int, _ threadCount: Int) {
      let dense = method.dense
      (self.rowCount, self.threadCount) = (rowCount, threadCount)
      chunkCount = (dense.inputs + chunkLength - 1) / chunkLength
      sumCount = rowCount * dense.outputs
      chunksAtOnce = min(chunkCount, max(threadCount, DecodingPlan.mostSums / sumCount))
      tileRows = max(1, min(chunkLength, DecodingPlan.tileLength / dense.outputs))
      tileLength = tileRows * dense.outputs
    }

    /// Enough for fewer rows as well, of which more chunks are taken at once.
    var scratchByteCount: Int {
      let mostSums = min(chunkCount * sumCount, max(threadCount * sumCount, DecodingPlan.mostSums))
      return Scratch.byteCount(threadCount * tileLength, of: Float.self)
        + Scratch.byteCount(mostSums, of: Float.self)
    }
  }

  /// Multiplies with weights that each thread decodes a few rows at a time.
  ///
  /// A thread takes as many inputs as the kernel adds up from zero, and these sums are then added up in order: the bits
  /// are those that decoded weights in memory would give.
  private func multiplyDecoding(
    _ source: UnsafePointer<Float>, _ plan: DecodingPlan, _ scratch: Scratch,
    into target: UnsafeMutablePointer<Float>, _ pool: Workers
  ) throws(EngineError) {
    var scratch = scratch
    let (sumCount, chunkLength) = (plan.sumCount, plan.chunkLength)
    let tiles = scratch.take(pool.count * plan.tileLength, of: Float.self)
    let sums = scratch.take(plan.chunksAtOnce * sumCount, of: Float.self)
    // Short rows are not worth a look: then whole tiles are read.
    let skipsZeros = plan.rowCount == 1 && dense.outputs >= 512

    func addUp(_ chunk: Int, _ tile: UnsafeMutablePointer<Float>, into sums: UnsafeMutablePointer<Float>)
      throws(FileError)
    {
      sums.update(repeating: 0, count: sumCount)
      let end = min((chunk + 1) * chunkLength, dense.inputs)
      var start = chunk * chunkLength
      while start < end {
        if skipsZeros, source[start] == 0 {
          start += 1
          continue
        }
        var rows = start..<min(start + plan.tileRows, end)
        if skipsZeros, let zero = rows.first(where: { source[$0] == 0 }) { rows = start..<zero }
        try weight.read(
          rows.lowerBound * dense.outputs..<rows.upperBound * dense.outputs,
          into: UnsafeMutableBufferPointer(start: tile, count: rows.count * dense.outputs))
        vgk_fast_dense_add(
          instructionSet, plan.rowCount, rows.count, dense.inputs, dense.outputs, source + rows.lowerBound,
          tile, sums)
        start = rows.upperBound
      }
    }

    target.update(repeating: 0, count: sumCount)
    for first in stride(from: 0, to: plan.chunkCount, by: plan.chunksAtOnce) {
      let count = min(plan.chunksAtOnce, plan.chunkCount - first)
      do throws(FileError) {
        try pool.perform(count, pieceLength: 1) { (thread, chunks) throws(FileError) in
          for chunk in chunks {
            try addUp(first + chunk, tiles + thread * plan.tileLength, into: sums + chunk * sumCount)
          }
        }
      } catch {
        throw .weights(error)
      }
      for chunk in 0..<count {
        for index in 0..<sumCount { target[index] += sums[chunk * sumCount + index] }
      }
    }
    for index in 0..<sumCount {
      let sum = target[index] + (bias?[index % dense.outputs] ?? 0)
      target[index] = dense.activation == .relu && sum <= 0 ? 0 : sum
    }
  }

  // MARK: Weights in another order

  /// The columns that a thread decodes at a time: all threads together take 16 MB, unless there are very many.
  private func columnsAtOnce(_ threadCount: Int) -> Int {
    let fitting = (16 << 20) / (threadCount * dense.inputs * MemoryLayout<Float>.size)
    return max(8, min(Tile.transposedColumns, fitting & ~7))
  }

  private func transposedScratchByteCount(rowCount: Int, _ threadCount: Int) -> Int {
    let columns = columnsAtOnce(threadCount)
    return Scratch.byteCount(threadCount * dense.inputs * columns, of: Float.self)
      + Scratch.byteCount(threadCount * rowCount * columns, of: Float.self)
  }

  /// Multiplies with weights whose columns are neighbours in the source: each thread decodes some columns as a whole, and
  /// adds up chunks of them in the order in which the kernel does.
  private func multiplyTransposed(
    _ source: UnsafePointer<Float>, rowCount: Int, _ scratch: Scratch,
    into target: UnsafeMutablePointer<Float>, _ workers: Workers
  ) throws(EngineError) {
    var scratch = scratch
    let (outputs, most) = (dense.outputs, columnsAtOnce(workers.count))
    let decoded = scratch.take(workers.count * dense.inputs * most, of: Float.self)
    let sums = scratch.take(workers.count * rowCount * most, of: Float.self)
    target.update(repeating: 0, count: rowCount * outputs)
    do throws(FileError) {
      try workers.perform(outputs, pieceLength: most) { (thread, columns) throws(FileError) in
        // One thread alone gets all columns at once.
        for first in stride(from: columns.lowerBound, to: columns.upperBound, by: most) {
          let columns = first..<min(first + most, columns.upperBound)
          let tile = Tile(rows: 0..<dense.inputs, columns: columns)
          let weights = decoded + thread * dense.inputs * most
          try weight.read(tile, rowLength: outputs, into: weights, rowStride: columns.count)
          let sums = sums + thread * rowCount * most
          for chunk in stride(from: 0, to: dense.inputs, by: VGKDenseChunk) {
            let length = min(VGKDenseChunk, dense.inputs - chunk)
            sums.update(repeating: 0, count: rowCount * columns.count)
            vgk_fast_dense_add(
              instructionSet, rowCount, length, dense.inputs, columns.count, source + chunk,
              weights + chunk * columns.count, sums)
            for row in 0..<rowCount {
              for (index, column) in columns.enumerated() {
                target[row * outputs + column] += sums[row * columns.count + index]
              }
            }
          }
          for row in 0..<rowCount {
            for column in columns {
              let sum = target[row * outputs + column] + (bias?[column] ?? 0)
              target[row * outputs + column] = dense.activation == .relu && sum <= 0 ? 0 : sum
            }
          }
        }
      }
    } catch {
      throw .weights(error)
    }
  }
}
