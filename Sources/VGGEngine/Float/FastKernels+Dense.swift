internal import CVGGKernels
internal import Synchronization
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Dense layers, with weights that lie in memory or are decoded as they are needed.
extension FastKernels {
  func multiply(
    _ dense: Dense, window: Extent?, _ weight: any TensorValues, decoded: DecodedWeights?, _ bias: [Float]?,
    _ input: ActivationMap, into output: ActivationMap
  ) throws(EngineError) {
    // What lies together already is read where it is; otherwise some windows are gathered at a time.
    let slides = output.shape.extent != Extent(side: 1)
    let gathers = slides || !input.isPacked
    let total = output.pixelCount
    var groupLength = gathers ? 256 : total
    if decoded == nil {
      groupLength = min(groupLength, max(16, FastKernels.mostSums / (pool.count * dense.outputs)))
    }
    for start in stride(from: 0, to: total, by: max(1, groupLength)) {
      let rows = start..<min(total, start + groupLength)
      var source = input.base + (gathers ? 0 : start * dense.inputs)
      if gathers {
        source = try workspace.take(.windows, rows.count * dense.inputs)
        let window = slides ? window ?? input.shape.extent : input.shape.extent
        input.gatherWindows(window, positions: output.shape.extent, rows, into: source)
      }
      let target = output.base + start * dense.outputs
      guard let decoded else {
        try multiplyDecoding(dense, weight, bias, source, rowCount: rows.count, into: target)
        continue
      }
      decoded.withPointer { weights in
        multiply(dense, weights, bias, source, rowCount: rows.count, into: target)
      }
    }
  }

  private func multiply(
    _ dense: Dense, _ weights: UnsafePointer<Float>, _ bias: [Float]?, _ source: UnsafePointer<Float>,
    rowCount: Int, into target: UnsafeMutablePointer<Float>
  ) {
    // One piece for each thread: pieces of rows are read, and the longer they are the faster.
    let pieceLength = (dense.outputs + pool.count - 1) / pool.count
    pool.perform(dense.outputs, pieceLength: (pieceLength + 511) / 512 * 512) { _, columns in
      vgk_fast_dense(
        instructionSet, rowCount, dense.inputs, dense.outputs, source, weights, bias,
        dense.activation == .relu, target, columns.lowerBound, columns.upperBound)
    }
  }

  /// The values that a thread decodes at a time: 256 KB, which stay in its cache.
  private static let tileLength = 1 << 16
  /// The sums of chunks that are kept until they are added up: 4 MB, unless each thread needs more for one.
  private static let mostSums = 1 << 20

  /// Multiplies with weights that each thread decodes a few rows at a time.
  ///
  /// A thread takes as many inputs as the kernel adds up from zero, and these sums are then added up in order: the bits
  /// are those that decoded weights in memory would give.
  private func multiplyDecoding(
    _ dense: Dense, _ weight: any TensorValues, _ bias: [Float]?, _ source: UnsafePointer<Float>,
    rowCount: Int, into target: UnsafeMutablePointer<Float>
  ) throws(EngineError) {
    let chunkLength = Int(VGK_DENSE_CHUNK)
    let chunkCount = (dense.inputs + chunkLength - 1) / chunkLength
    let sumCount = rowCount * dense.outputs
    let tileRows =
      weight.prefersLongRanges
      ? chunkLength : max(1, min(chunkLength, FastKernels.tileLength / dense.outputs))
    let chunksAtOnce = min(chunkCount, max(pool.count, FastKernels.mostSums / sumCount))
    // The memory that convolutions use too: nothing is added to it in a network.
    let tiles = try workspace.take(.scratch, pool.count * tileRows * dense.outputs + chunksAtOnce * sumCount)
    let sums = tiles + pool.count * tileRows * dense.outputs
    let failure = Mutex<FileError?>(nil)

    // Short rows are not worth a look: then whole tiles are read.
    let skipsZeros = rowCount == 1 && dense.outputs >= 512 && !weight.prefersLongRanges

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
        var rows = start..<min(start + tileRows, end)
        if skipsZeros, let zero = rows.first(where: { source[$0] == 0 }) { rows = start..<zero }
        try weight.read(
          rows.lowerBound * dense.outputs..<rows.upperBound * dense.outputs,
          into: UnsafeMutableBufferPointer(start: tile, count: rows.count * dense.outputs))
        vgk_fast_dense_add(
          instructionSet, rowCount, rows.count, dense.inputs, dense.outputs, source + rows.lowerBound, tile,
          sums)
        start = rows.upperBound
      }
    }

    target.update(repeating: 0, count: sumCount)
    for first in stride(from: 0, to: chunkCount, by: chunksAtOnce) {
      let count = min(chunksAtOnce, chunkCount - first)
      pool.perform(count, pieceLength: 1) { thread, chunks in
        for chunk in chunks {
          do throws(FileError) {
            try addUp(
              first + chunk, tiles + thread * tileRows * dense.outputs, into: sums + chunk * sumCount)
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
