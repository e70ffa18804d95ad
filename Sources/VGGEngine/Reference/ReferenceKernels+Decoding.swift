internal import VGGModel
internal import VGGTensors

/// Dense layers whose weights must be decoded.
extension ReferenceKernels {
  /// Multiplies with a few rows of weights at a time.
  ///
  /// Products are exact in double precision and each sum is taken in the kernel's order, so the bits are those
  /// that the kernel would give for the decoded weights.
  func multiplyDecoding(
    _ dense: Dense, _ weight: any TensorValues, _ bias: [Float]?, _ input: FeatureMap,
    into output: inout FeatureMap
  ) throws(EngineError) {
    let sums = try AlignedMemory<Double>(count: output.valueCount)
    sums.buffer.initialize(repeating: 0)
    let rowsPerBlock = max(1, decodedBlockLength / max(1, dense.outputs))
    for start in stride(from: 0, to: dense.inputs, by: rowsPerBlock) {
      let rows = start..<min(dense.inputs, start + rowsPerBlock)
      let block = try DecodedWeights(
        weight, rows.lowerBound * dense.outputs..<rows.upperBound * dense.outputs, rowLength: dense.outputs,
        threads)
      block.withPointer { weights in
        input.withValues { source in
          guard let source = source.baseAddress, let sums = sums.buffer.baseAddress else { return }
          threads.perform(dense.outputs, granularity: 64) { columns in
            for (index, row) in rows.enumerated() {
              for picture in 0..<input.count {
                accumulate(
                  weights + index * dense.outputs, times: source[picture * dense.inputs + row], columns,
                  into: sums + picture * dense.outputs)
              }
            }
          }
        }
      }
    }
    output.withMutableValues { target in
      for index in target.indices {
        let sum = sums.buffer[index] + Double(bias?[index % dense.outputs] ?? 0)
        target[index] = Float(dense.activation == .relu && sum <= 0 ? 0 : sum)
      }
    }
  }

  /// Adds the products of one input with a part of its row of weights.
  private func accumulate(
    _ weights: UnsafePointer<Float>, times value: Float, _ columns: Range<Int>,
    into sums: UnsafeMutablePointer<Double>
  ) {
    let value = Double(value)
    for column in columns { sums[column] += value * Double(weights[column]) }
  }
}
