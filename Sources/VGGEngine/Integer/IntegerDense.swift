internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A dense layer of codes, with weights that are read as they are stored.
struct IntegerDense: LayerMethod {
  /// The number of windows of a larger map that are multiplied at a time.
  private static let windowsAtOnce = 256

  private let dense: Dense
  private let layer: IntegerLayer
  private let requantization: Requantization
  private let window: Extent?
  private let weights: DecodedCodes
  /// Nil: the plain reference computes.
  private let instructionSet: VGKISA?

  var inputFormat: MapFormat? { .codes(layer.input) }
  var outputFormat: MapFormat { .codes(layer.output) }

  init(
    _ dense: Dense, of layer: IntegerLayer, name: String, window: Extent?, _ instructionSet: VGKISA?,
    _ threads: Workers
  ) throws(EngineError) {
    (self.dense, self.layer, self.window) = (dense, layer, window)
    self.instructionSet = instructionSet
    requantization = layer.requantization(dense.activation)
    weights = try DecodedCodes(layer.weight, rowLength: dense.outputs, threads)
    try weights.withCodes { (codes) throws(EngineError) in
      try layer.requireSumsThatFit(codes, outputs: dense.outputs, layer: name)
    }
  }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    slides(output)
      ? Scratch.byteCount(
        min(output.pixelCount, IntegerDense.windowsAtOnce) * dense.inputs, of: Int8.self) : 0
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let total = output.layout.pixelCount
    guard slides(output.layout) else {
      return multiply(input.codes, rowCount: total, into: output.codes, resources.workers)
    }
    var scratch = resources.scratch
    let windows = scratch.take(min(total, IntegerDense.windowsAtOnce) * dense.inputs, of: Int8.self)
    for start in stride(from: 0, to: total, by: IntegerDense.windowsAtOnce) {
      let rows = start..<min(total, start + IntegerDense.windowsAtOnce)
      input.gatherWindows(
        window ?? input.layout.shape.extent, positions: output.layout.shape.extent, rows, into: windows)
      multiply(windows, rowCount: rows.count, into: output.codes + start * dense.outputs, resources.workers)
    }
  }

  private func slides(_ output: MapLayout) -> Bool { output.shape.extent != Extent(side: 1) }

  private func multiply(
    _ source: UnsafePointer<Int8>, rowCount: Int, into target: UnsafeMutablePointer<Int8>, _ workers: Workers
  ) {
    let (inputs, outputs, zeroPoint) = (dense.inputs, dense.outputs, Int32(layer.input.zeroPoint))
    // One piece for each thread: pieces of rows are read, and the longer they are the faster.
    let pieceLength = ((outputs + workers.count - 1) / workers.count + 511) / 512 * 512
    weights.withCodes { codes in
      guard let weights = codes.baseAddress else { return }
      requantization.withKernelValue { requantization in
        workers.perform(outputs, pieceLength: pieceLength) { _, columns in
          if let instructionSet {
            vgk_integer_dense(
              instructionSet, rowCount, inputs, outputs, source, zeroPoint, weights, layer.bias,
              requantization, target, columns.lowerBound, columns.upperBound)
          } else {
            vgk_reference_integer_dense(
              rowCount, inputs, outputs, source, zeroPoint, weights, layer.bias, requantization, target,
              columns.lowerBound, columns.upperBound)
          }
        }
      }
    }
  }
}
