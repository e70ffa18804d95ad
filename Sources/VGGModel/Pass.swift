/// What was done to an imported model, with all that is needed to do it again.
///
/// A model keeps its passes in the provenance. They are claims: a verifier repeats them with the source, by rules of its own,
/// and compares.
public enum Pass: Equatable, Sendable {
  /// Weights stored with another precision, but for those of some layers.
  case quantize(QuantizationSettings)
  /// A model of int8 weights made to compute in integers.
  case quantizeActivations(ActivationSettings)
  /// The smallest weights of each dense layer are zero: at most this fraction of the layer's, those of equal magnitude
  /// together; zeros of either sign become +0.
  case prune(fraction: Double)
  /// The dense layers and what follows them are left out.
  case dropDense
  /// A pass that a file of an older version names and this program does not know.
  case unknown(String)

  /// Weights stored with a precision as users get it who say no more.
  public static func quantize(to precision: Precision, keeping layers: [String] = []) -> Pass {
    .quantize(QuantizationSettings(precision, keeping: layers))
  }

  /// Whether weights may have other values afterwards.
  public var isLossy: Bool { self != .dropDense }
}

extension Pass: CustomStringConvertible {
  /// The pass as the command line has it: `quantize --to int8 --scale-rule mse --keep conv1_1`.
  public var description: String {
    switch self {
    case .quantize(let settings): "quantize \(settings)"
    case .quantizeActivations(let settings): "quantize \(settings)"
    case .prune(let fraction): "prune --fc \(fraction)"
    case .dropDense: "prune --drop-fc"
    case .unknown(let text): text
    }
  }
}
