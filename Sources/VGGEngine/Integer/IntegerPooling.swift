internal import CVGGKernels
internal import VGGBytes
internal import VGGModel

/// Pooling of codes, which keep their meaning.
struct IntegerPooling: LayerMethod {
  let pooling: Pooling
  let codes: ActivationQuantization
  /// Nil: the plain reference computes.
  let instructionSet: VGKISA?

  var inputFormat: MapFormat? { .codes(codes) }
  var outputFormat: MapFormat { .codes(codes) }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let shape = pooling.kernelShape(input.layout.shape, output.layout.shape.extent)
    let (source, target, rows) = (input.codes, output.codes, output.layout.rowCount)
    resources.workers.perform(rows, pieceLength: resources.workers.pieceLength(rows)) { _, rows in
      withUnsafePointer(to: shape) {
        if let instructionSet {
          vgk_integer_pooling(
            instructionSet, $0, pooling.kernelMethod, source, target, rows.lowerBound, rows.upperBound)
        } else {
          vgk_reference_integer_pooling(
            $0, pooling.kernelMethod, source, target, rows.lowerBound, rows.upperBound)
        }
      }
    }
  }
}

/// A layer that computes with values between maps of codes: what it reads is what the codes stand for, what it gives becomes
/// the nearest codes.
struct RealLayerOnCodes<Method: LayerMethod>: LayerMethod {
  let method: Method
  let input: ActivationQuantization
  let output: ActivationQuantization

  var inputFormat: MapFormat? { .codes(input) }
  var outputFormat: MapFormat { .codes(output) }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    let (input, output) = layouts(input, output)
    return Scratch.byteCount(input.byteCount, of: UInt8.self)
      + Scratch.byteCount(output.byteCount, of: UInt8.self)
      + method.scratchByteCount(for: input, into: output, threadCount: threadCount)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    let layouts = layouts(input.layout, output.layout)
    var scratch = resources.scratch
    let source = scratch.take(layouts.input)
    let target = scratch.take(layouts.output)
    input.copy(into: source)
    try method.run(source, into: target, with: RunResources(workers: resources.workers, scratch: scratch))
    target.copy(into: output)
  }

  private func layouts(_ input: MapLayout, _ output: MapLayout) -> (input: MapLayout, output: MapLayout) {
    (
      MapLayout(count: input.count, shape: input.shape, method.inputFormat ?? .packed),
      MapLayout(count: output.count, shape: output.shape, method.outputFormat)
    )
  }
}
