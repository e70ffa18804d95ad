internal import VGGBytes
internal import CVGGKernels
internal import VGGModel

/// The softmax over the channels of each pixel, in double precision: so few values that every engine can afford it.
struct Softmax: LayerMethod {
  let inputFormat: MapFormat? = .packed
  let outputFormat = MapFormat.packed

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let (source, target, channels) = (input.floats, output.floats, input.layout.shape.channels)
    resources.workers.perform(input.layout.pixelCount, pieceLength: 16) { _, rows in
      vgk_reference_softmax(channels, source, target, rows.lowerBound, rows.upperBound)
    }
  }
}

/// The logistic function of each value by itself, in double precision.
struct Sigmoid: LayerMethod {
  let inputFormat: MapFormat? = .packed
  let outputFormat = MapFormat.packed

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    vgk_reference_sigmoid(input.layout.pixelCount * input.layout.stride, input.floats, output.floats)
  }
}
