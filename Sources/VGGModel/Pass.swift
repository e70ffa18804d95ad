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
  /// Factors moved between neighbouring layers, by which their channels get similar ranges; nil: those that the pass finds when it is
  /// applied. It always declares which they were.
  case equalize(ChannelEqualization?)
  /// What the rounding of the weights adds to the outputs on average taken off the biases, which are float32; nil: by the means that
  /// the pass finds with the pictures of the calibration. It always declares which they were.
  case correctBiases(InputMeans?)
  /// A pass that a file of an older version names and this program does not know.
  case unknown(String)

  /// Weights stored with a precision as users get it who say no more.
  public static func quantize(to precision: Precision, keeping layers: [String] = []) -> Pass {
    .quantize(QuantizationSettings(precision, keeping: layers))
  }

  /// Whether weights may have other values afterwards.
  public var isLossy: Bool { self != .dropDense }

  /// Whether the weights that are left may have other values afterwards.
  public var changesWeights: Bool {
    switch self {
    case .quantize, .prune, .equalize, .unknown: true
    case .quantizeActivations, .correctBiases, .dropDense: false
    }
  }

  /// Whether it looks at what the layers give for pictures of a calibration.
  public var usesCalibration: Bool {
    if case .quantize(let settings) = self { return settings.codeRounding != .nearest }
    return declaresMeasurements
  }

  /// Whether it leaves numbers that were measured with pictures of a calibration: they can be measured again.
  public var declaresMeasurements: Bool {
    switch self {
    case .quantizeActivations, .correctBiases: true
    case .quantize, .prune, .dropDense, .equalize, .unknown: false
    }
  }
}

extension Pass: CustomStringConvertible {
  /// The pass as the command line has it: `quantize --to int8 --scale-rule mse --keep conv1_1`.
  public var description: String {
    switch self {
    case .quantize(let settings): "quantize \(settings)"
    case .quantizeActivations(let settings): "quantize \(settings)"
    case .equalize: "quantize --equalize"
    case .correctBiases: "quantize --correct-biases"
    case .prune(let fraction): "prune --fc \(fraction)"
    case .dropDense: "prune --drop-fc"
    case .unknown(let text): text
    }
  }
}
