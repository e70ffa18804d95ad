internal import VGGBytes
internal import CVGGKernels
internal import VGGModel

/// Pooling in float32.
struct FloatPooling: LayerMethod {
  let pooling: Pooling
  let instructionSet: VGKISA

  let inputFormat: MapFormat? = .padded
  let outputFormat = MapFormat.padded

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let shape = pooling.kernelShape(input.layout.shape, output.layout.shape.extent)
    let (source, target, rows) = (input.floats, output.floats, output.layout.rowCount)
    resources.workers.perform(rows, pieceLength: resources.workers.pieceLength(rows)) { _, rows in
      withUnsafePointer(to: shape) {
        vgk_fast_pooling(
          instructionSet, $0, pooling.kernelMethod, source, target, rows.lowerBound, rows.upperBound)
      }
    }
  }
}
