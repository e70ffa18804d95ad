internal import VGGBytes
internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// Convolution in double precision; weights that do not lie in memory are decoded as a whole when the layer's turn comes.
struct ReferenceConvolution: LayerMethod {
  private let convolution: Convolution
  private let weight: any TensorValues
  private let bias: [Float]?
  private let instructionSet: VGKISA

  let inputFormat: MapFormat? = .packed
  let outputFormat = MapFormat.packed
  let rounding: SumRounding? = .reference

  init(
    _ convolution: Convolution, _ weight: any TensorValues, _ bias: [Float]?, _ instructionSet: VGKISA
  ) {
    (self.convolution, self.weight, self.bias) = (convolution, weight, bias)
    self.instructionSet = instructionSet
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    let shape = convolution.kernelShape(input.layout.shape.extent, output.layout.shape.extent)
    let weights = try DecodedWeights(
      weight, 0..<weight.count, rowLength: convolution.outputChannels, resources.workers)
    let (source, target, rows) = (input.floats, output.floats, output.layout.rowCount)
    weights.withPointer { weights in
      resources.workers.perform(rows, pieceLength: resources.workers.pieceLength(rows)) { _, rows in
        withUnsafePointer(to: shape) {
          vgk_reference_convolution(
            instructionSet, $0, source, weights, bias, convolution.activation == .relu, target,
            rows.lowerBound, rows.upperBound)
        }
      }
    }
  }
}
