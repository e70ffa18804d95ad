internal import VGGBytes
internal import CVGGKernels
internal import VGGModel

/// Pooling whose means are taken in double precision.
struct ReferencePooling: LayerMethod {
  let pooling: Pooling

  let inputFormat: MapFormat? = .packed
  let outputFormat = MapFormat.packed

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let shape = pooling.kernelShape(input.layout.shape, output.layout.shape.extent)
    let (source, target, rows) = (input.floats, output.floats, output.layout.rowCount)
    resources.workers.perform(rows, pieceLength: resources.workers.pieceLength(rows)) { _, rows in
      withUnsafePointer(to: shape) {
        vgk_reference_pooling($0, pooling.kernelMethod, source, target, rows.lowerBound, rows.upperBound)
      }
    }
  }
}
