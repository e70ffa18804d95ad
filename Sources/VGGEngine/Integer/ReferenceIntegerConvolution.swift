internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Convolution of codes by its definition; weights that do not lie in memory are decoded when the layer's turn comes.
struct ReferenceIntegerConvolution: LayerMethod {
  private let convolution: Convolution
  private let layer: IntegerLayer
  private let requantization: Requantization

  var inputFormat: MapFormat? { .codes(layer.input) }
  var outputFormat: MapFormat { .codes(layer.output) }

  /// Prepares the method; `requireSumsThatFit` must have been asked.
  init(_ convolution: Convolution, of layer: IntegerLayer) {
    (self.convolution, self.layer) = (convolution, layer)
    requantization = layer.requantization(convolution.activation)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    let shape = convolution.kernelShape(input.layout.shape.extent, output.layout.shape.extent)
    let (workers, rows) = (resources.workers, output.layout.rowCount)
    let codes = try DecodedCodes(layer.weight, rowLength: convolution.outputChannels, workers)
    let (source, target, zeroPoint) = (input.codes, output.codes, Int32(layer.input.zeroPoint))
    codes.withCodes { codes in
      guard let weights = codes.baseAddress else { return }
      requantization.withKernelValue { requantization in
        workers.perform(rows, pieceLength: workers.pieceLength(rows)) { _, rows in
          withUnsafePointer(to: shape) {
            vgk_reference_integer_convolution(
              $0, source, zeroPoint, weights, layer.bias, requantization, target, rows.lowerBound,
              rows.upperBound)
          }
        }
      }
    }
  }
}
