internal import VGGBytes
internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// Local response normalisation in double precision.
struct ReferenceNormalization: LayerMethod {
  let normalization: LocalResponseNormalization

  let inputFormat: MapFormat? = .packed
  let outputFormat = MapFormat.packed

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let constants = normalization.kernelConstants
    let (extent, channels) = (input.layout.shape.extent, input.layout.shape.channels)
    let (source, target, rows) = (input.floats, output.floats, output.layout.rowCount)
    resources.workers.perform(rows, pieceLength: resources.workers.pieceLength(rows)) { _, rows in
      withUnsafePointer(to: constants) {
        switch normalization.region {
        case .acrossChannels:
          vgk_reference_lrn_across_channels(
            $0, channels, source, target, rows.lowerBound * extent.width, rows.upperBound * extent.width)
        case .withinChannel:
          vgk_reference_lrn_within_channel(
            $0, extent.height, extent.width, channels, source, target, rows.lowerBound, rows.upperBound)
        }
      }
    }
  }
}
