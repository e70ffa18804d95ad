/// How precisely the weights are stored; biases always stay float32.
public enum Precision: String, CaseIterable, Sendable {
  /// IEEE binary32.
  case fp32
  /// IEEE binary16: 11 significant bits, magnitudes up to 65504.
  case fp16
  /// The upper half of binary32: 8 significant bits, the same range.
  case bf16
  /// A signed byte and one scale for each output channel, symmetric: zero stays zero.
  case int8
}

/// What was done to an imported model, with all that is needed to do it again.
///
/// A model keeps its passes in the provenance. They are claims: a verifier repeats them with the source, by rules of its own,
/// and compares.
public enum Pass: Equatable, Sendable {
  /// Weights rounded to a precision, but for those of some layers.
  ///
  /// Rounding is to nearest, ties to even. An int8 scale is the channel's largest magnitude over 127, or 1 where that
  /// is below the smallest normal number.
  case quantize(to: Precision, keeping: [String] = [])
  /// The smallest weights of each dense layer are zero: at most this fraction of the layer's, those of equal magnitude
  /// together; zeros of either sign become +0.
  case prune(fraction: Double)
  /// The dense layers and what follows them are left out.
  case dropDense
  /// A pass that a file of an older version names and this program does not know.
  case unknown(String)

  /// Whether weights may have other values afterwards.
  public var isLossy: Bool { self != .dropDense }
}

extension Pass: CustomStringConvertible {
  /// The pass as the command line has it: `quantize --to int8 --keep conv1_1`.
  public var description: String {
    switch self {
    case .quantize(let precision, let kept):
      "quantize --to \(precision.rawValue)" + (kept.isEmpty ? "" : " --keep \(kept.joined(separator: ","))")
    case .prune(let fraction): "prune --fc \(fraction)"
    case .dropDense: "prune --drop-fc"
    case .unknown(let text): text
    }
  }
}
