internal import VGGBytes
internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// A dense layer in double precision; weights that do not lie in memory are decoded some rows at a time.
struct ReferenceDense: LayerMethod {
  private let dense: Dense
  private let weight: any TensorValues
  private let bias: [Float]?
  private let window: Extent?
  private let instructionSet: VGKISA
  private let decodedBlockLength: Int

  let inputFormat: MapFormat? = .packed
  let outputFormat = MapFormat.packed
  let rounding: SumRounding? = .reference

  /// Prepares the method to decode `decodedBlockLength` weights at a time.
  init(_ dense: Dense, of layer: WeightedLayer, _ instructionSet: VGKISA, decodedBlockLength: Int) {
    (self.dense, weight, bias, window) = (dense, layer.weight, layer.bias, layer.window)
    (self.instructionSet, self.decodedBlockLength) = (instructionSet, decodedBlockLength)
  }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    (slides(output) ? Scratch.byteCount(output.pixelCount * dense.inputs, of: Float.self) : 0)
      + (decodes ? Scratch.byteCount(output.pixelCount * dense.outputs, of: Double.self) : 0)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    var scratch = resources.scratch
    let rowCount = output.layout.pixelCount
    var source = input.floats
    if slides(output.layout) {
      source = scratch.take(rowCount * dense.inputs, of: Float.self)
      input.gatherWindows(
        window ?? input.layout.shape.extent, positions: output.layout.shape.extent, 0..<rowCount, into: source
      )
    }
    let target = output.floats
    guard !decodes else {
      let sums = scratch.take(rowCount * dense.outputs, of: Double.self)
      return try multiplyDecoding(source, rowCount: rowCount, sums, into: target, resources)
    }
    let weights = try DecodedWeights(
      weight, 0..<weight.count, rowLength: dense.outputs, resources.workers)
    weights.withPointer { weights in
      resources.workers.perform(dense.outputs, pieceLength: pieceLength(resources.workers)) { _, columns in
        vgk_reference_dense(
          instructionSet, rowCount, dense.inputs, dense.outputs, source, weights, bias,
          dense.activation == .relu, target, columns.lowerBound, columns.upperBound)
      }
    }
  }

  private var decodes: Bool { weight.inMemory == nil }

  private func slides(_ output: MapLayout) -> Bool { output.shape.extent != Extent(side: 1) }

  private func pieceLength(_ pool: Workers) -> Int { pool.pieceLength(dense.outputs, multiple: 64) }

  /// Multiplies with a few rows of weights at a time.
  ///
  /// Products are exact in double precision and each sum is taken in the kernel's order, so the bits are those
  /// that the kernel would give for the decoded weights.
  private func multiplyDecoding(
    _ source: UnsafePointer<Float>, rowCount: Int, _ sums: UnsafeMutablePointer<Double>,
    into target: UnsafeMutablePointer<Float>, _ resources: RunResources
  ) throws(EngineError) {
    let sumCount = rowCount * dense.outputs
    sums.initialize(repeating: 0, count: sumCount)
    let rowsPerBlock = max(1, decodedBlockLength / max(1, dense.outputs))
    for start in stride(from: 0, to: dense.inputs, by: rowsPerBlock) {
      let rows = start..<min(dense.inputs, start + rowsPerBlock)
      let block = try DecodedWeights(
        weight, rows.lowerBound * dense.outputs..<rows.upperBound * dense.outputs, rowLength: dense.outputs,
        resources.workers)
      block.withPointer { weights in
        resources.workers.perform(dense.outputs, pieceLength: pieceLength(resources.workers)) { _, columns in
          for (index, row) in rows.enumerated() {
            for picture in 0..<rowCount {
              accumulate(
                weights + index * dense.outputs, times: source[picture * dense.inputs + row], columns,
                into: sums + picture * dense.outputs)
            }
          }
        }
      }
    }
    for index in 0..<sumCount {
      let sum = sums[index] + Double(bias?[index % dense.outputs] ?? 0)
      target[index] = Float(dense.activation == .relu && sum <= 0 ? 0 : sum)
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
