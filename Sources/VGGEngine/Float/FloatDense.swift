internal import CVGGKernels
internal import Synchronization
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A dense layer in float32, with weights that lie in memory or are decoded in small pieces as they are multiplied.
struct FloatDense: LayerMethod {
  private let dense: Dense
  private let weight: any TensorValues
  private let bias: [Float]?
  private let window: Extent?
  /// The weights in memory; nil: they are decoded in small pieces.
  private let decoded: DecodedWeights?
  private let instructionSet: VGKISA

  let inputFormat: MapFormat? = nil
  let outputFormat = MapFormat.packed

  init(
    _ dense: Dense, of layer: WeightedLayer, _ instructionSet: VGKISA, _ threads: Threads, savesMemory: Bool
  ) throws(EngineError) {
    (self.dense, weight, bias, window) = (dense, layer.weight, layer.bias, layer.window)
    self.instructionSet = instructionSet
    let areKept = weight.inMemory != nil || weight.prefersLongRanges && !savesMemory
    decoded =
      areKept ? try DecodedWeights(weight, 0..<weight.count, rowLength: dense.outputs, threads) : nil
  }

  var rounding: SumRounding? { .direct(depth: vgk_fast_dense_roundings(dense.inputs)) }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    let groups = Groups(self, input, output, threadCount)
    let windows = groups.gathers ? Scratch.byteCount(groups.length * dense.inputs, of: Float.self) : 0
    guard decoded == nil else { return windows }
    return windows + DecodingPlan(self, rowCount: groups.length, threadCount).scratchByteCount
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    let groups = Groups(self, input.layout, output.layout, resources.pool.count)
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
      guard let decoded else {
        let plan = DecodingPlan(self, rowCount: rows.count, resources.pool.count)
        try multiplyDecoding(source, plan, scratch, into: target, resources.pool)
        continue
      }
      decoded.withPointer { weights in
        multiply(weights, source, rowCount: rows.count, into: target, resources.pool)
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
      if method.decoded == nil {
        length = min(length, max(16, DecodingPlan.mostSums / (threadCount * method.dense.outputs)))
      }
      self.length = max(1, length)
    }
  }

  private func multiply(
    _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>, rowCount: Int,
    into target: UnsafeMutablePointer<Float>, _ pool: ThreadPool
  ) {
    // One piece for each thread: pieces of rows are read, and the longer they are the faster.
    let pieceLength = (dense.outputs + pool.count - 1) / pool.count
    pool.perform(dense.outputs, pieceLength: (pieceLength + 511) / 512 * 512) { _, columns in
      vgk_fast_dense(
        instructionSet, rowCount, dense.inputs, dense.outputs, source, weights, bias,
        dense.activation == .relu, target, columns.lowerBound, columns.upperBound)
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
      tileRows =
        method.weight.prefersLongRanges
        ? chunkLength : max(1, min(chunkLength, DecodingPlan.tileLength / dense.outputs))
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
    into target: UnsafeMutablePointer<Float>, _ pool: ThreadPool
  ) throws(EngineError) {
    var scratch = scratch
    let (sumCount, chunkLength) = (plan.sumCount, plan.chunkLength)
    let tiles = scratch.take(pool.count * plan.tileLength, of: Float.self)
    let sums = scratch.take(plan.chunksAtOnce * sumCount, of: Float.self)
    let failure = Mutex<FileError?>(nil)

    // Short rows are not worth a look: then whole tiles are read.
    let skipsZeros = plan.rowCount == 1 && dense.outputs >= 512 && !weight.prefersLongRanges

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
      pool.perform(count, pieceLength: 1) { thread, chunks in
        for chunk in chunks {
          do throws(FileError) {
            try addUp(first + chunk, tiles + thread * plan.tileLength, into: sums + chunk * sumCount)
          } catch {
            failure.withLock { $0 = error }
          }
        }
      }
      if let error = failure.withLock({ $0 }) { throw .weights(error) }
      for chunk in 0..<count {
        for index in 0..<sumCount { target[index] += sums[chunk * sumCount + index] }
      }
    }
    for index in 0..<sumCount {
      let sum = target[index] + (bias?[index % dense.outputs] ?? 0)
      target[index] = dense.activation == .relu && sum <= 0 ? 0 : sum
    }
  }
}
