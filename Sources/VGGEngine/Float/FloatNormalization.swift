internal import VGGBytes
internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// Local response normalisation: in float32 across channels, in double precision within one.
struct FloatNormalization: LayerMethod {
  let normalization: LocalResponseNormalization
  let instructionSet: VGKISA

  let inputFormat: MapFormat? = .padded
  let outputFormat = MapFormat.padded

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let constants = normalization.kernelConstants
    let (extent, channels, stride) = (
      input.layout.shape.extent, input.layout.shape.channels, input.layout.stride
    )
    let (source, target, rows) = (input.floats, output.floats, output.layout.rowCount)
    resources.workers.perform(rows, pieceLength: resources.workers.pieceLength(rows)) { _, rows in
      withUnsafePointer(to: constants) {
        switch normalization.region {
        case .acrossChannels:
          vgk_fast_normalization(
            instructionSet, $0, channels, source, target, rows.lowerBound * extent.width,
            rows.upperBound * extent.width)
        case .withinChannel:
          vgk_reference_lrn_within_channel(
            $0, extent.height, extent.width, stride, source, target, rows.lowerBound, rows.upperBound)
        }
      }
    }
  }
}
