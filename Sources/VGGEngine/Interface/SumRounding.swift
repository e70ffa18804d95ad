internal import CVGGKernels
public import VGGModel
internal import VGGTensors

/// How an engine rounds the sums of a layer, as far as bounds of its errors need to know.
///
/// With u = 2^-24 and γ(n) = n u / (1 - n u), as in Higham, Accuracy and Stability of Numerical Algorithms, chapter 3.
public enum SumRounding: Equatable, Sendable {
  /// Nothing that makes up a sum is rounded more often than `depth` times on its way.
  ///
  /// The error of an output is at most γ(depth) * (sum of |w| |x| + |b|).
  case direct(depth: Int)
  /// Winograd's method: what is rounded is larger than the terms of the sum, at most by the amplification.
  ///
  /// The error of an output is at most γ(depth) * amplification * (sum over the input channels of the largest |x|
  /// times the sum of |w|) + γ(depth) * |b|.
  case winograd(depth: Int, amplification: Double)
}

extension SumRounding {
  /// What Winograd's method with tiles of so many outputs a side rounds, compared with the terms of the sums.
  static func winogradAmplification(tile: Int) -> Double { vgk_fast_winograd_amplification(tile) }
}

extension Layer {
  /// Sums in float32 in any order: a rounding of the product, one for each other term, one for the bias.
  public var roundingInAnyOrder: SumRounding { .direct(depth: reductionLength + 1) }

  /// Sums in pieces of `chunk` products, which then are added up: direct convolution and dense layers.
  func roundingInPieces(of chunk: Int) -> SumRounding {
    let pieces: Int
    switch operation {
    case .convolution(let convolution):
      let area = convolution.kernel.height * convolution.kernel.width
      pieces = area * ((convolution.inputChannels + chunk - 1) / chunk)
    default: pieces = (reductionLength + chunk - 1) / chunk
    }
    return .direct(depth: min(reductionLength + 1, min(reductionLength, chunk) + pieces + 2))
  }
}

extension ReferenceEngine {
  /// One rounding to float32; those in double precision are less than another one.
  public func rounding(of layer: Layer) -> SumRounding { .direct(depth: 2) }
}

extension FastEngine {
  /// By the method that was chosen for the layer.
  public func rounding(of layer: Layer) -> SumRounding {
    guard let index = network.layers.firstIndex(of: layer) else { return layer.roundingInAnyOrder }
    switch method(of: index) {
    case .winograd(let tile, _):
      let chunk = 128
      let channels = layer.reductionLength / 9
      // Two transforms of the input with at most 8 roundings each, two of the output with 11, the weight's, the bias's.
      let depth = 2 * 8 + 2 * 11 + 2 + 1 + min(channels, chunk) + (channels + chunk - 1) / chunk
      return .winograd(depth: depth, amplification: SumRounding.winogradAmplification(tile: tile))
    case .direct, .plain: return layer.roundingInPieces(of: 128)
    case .dense: return layer.roundingInPieces(of: 256)
    }
  }
}
