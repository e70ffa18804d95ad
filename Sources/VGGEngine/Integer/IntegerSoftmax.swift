internal import CVGGRules
internal import Glibc
internal import VGGBytes
package import VGGModel
internal import VGGTensors

/// The softmax over the channels of each pixel, from codes to codes, as the runtimes compute it that round like the model.
struct IntegerSoftmax: LayerMethod {
  private let input: ActivationQuantization
  private let output: ActivationQuantization
  private let table: SoftmaxTable

  var inputFormat: MapFormat? { .codes(input) }
  var outputFormat: MapFormat { .codes(output) }

  init(_ layer: IntegerLayer) {
    (input, output) = (layer.input, layer.output)
    table = SoftmaxTable(scale: input.scale, layer.rounding)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let (source, target, channels) = (input.codes, output.codes, input.layout.shape.channels)
    resources.workers.perform(input.layout.pixelCount, pieceLength: 16) { _, pixels in
      for pixel in pixels {
        let (codes, probabilities) = (source + pixel * channels, target + pixel * channels)
        switch table {
        case .litert(let table): vgr_softmax_litert(table, codes, probabilities, channels)
        case .tflm(let table): vgr_softmax_tflm(table, codes, probabilities, channels)
        }
      }
    }
  }
}

/// The exponentials of all differences of two codes of a softmax, as each rule has them.
package enum SoftmaxTable: Sendable {
  case litert([Float])
  case tflm([Int32])

  /// Computes them.
  ///
  /// - Parameters:
  ///   - rounding: By which rule.
  ///   - scale: The distance of two codes.
  package init(scale: Float, _ rounding: IntegerArithmetic.Rounding) {
    switch rounding {
    case .litert:
      self = .litert((0..<VGRDifferenceCount).map { Float(exp(Double(-scale * Float($0)))) })
    case .tflm:
      var exponentials = [Int32](repeating: 0, count: VGRDifferenceCount)
      vgr_tflm_softmax_table(scale, &exponentials)
      self = .tflm(exponentials)
    }
  }
}
