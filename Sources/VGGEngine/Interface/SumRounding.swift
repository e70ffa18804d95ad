internal import CVGGKernels
public import VGGModel
internal import VGGTensors

/// How an engine rounds the sums of a layer, as far as bounds of its errors need to know.
///
/// With u = 2^-24 and γ(n) = n u / (1 - n u), as in Higham, Accuracy and Stability of Numerical Algorithms, chapter 3.
/// Depth and amplification are what the kernels say of themselves.
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

  /// Sums in double precision.
  static let reference = SumRounding.direct(depth: VGKReferenceRoundings)

  /// Winograd's method with tiles of so many outputs a side.
  static func winograd(tile: Int, inputChannels: Int) -> SumRounding {
    .winograd(
      depth: vgk_fast_winograd_roundings(inputChannels), amplification: vgk_fast_winograd_amplification(tile))
  }
}

extension Layer {
  /// Sums in float32 in any order: a rounding of the product, one for each other term, one for the bias.
  public var roundingInAnyOrder: SumRounding { .direct(depth: reductionLength + 1) }
}

extension LocalResponseNormalization {
  /// The relative error of a value that an engine normalises is at most this times 2^-24.
  ///
  /// - Parameter logarithm: The largest |log2 (k + scale * sum)|, where that is not made small by cancellation.
  public func roundings(logarithm: Double) -> Double {
    vgk_fast_normalization_roundings(beta, region == .acrossChannels ? size : size * size, logarithm)
  }
}
