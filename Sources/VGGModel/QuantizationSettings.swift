/// How precisely the weights are stored; biases always stay float32.
public enum Precision: String, CaseIterable, Sendable {
  /// IEEE binary32.
  case fp32
  /// IEEE binary16: 11 significant bits, magnitudes up to 65504.
  case fp16
  /// The upper half of binary32: 8 significant bits, the same range.
  case bf16
  /// A signed byte and a scale, symmetric: zero stays zero.
  case int8
  /// Four bits for dense layers, with a scale for each group of neighbours along the input; int8 for convolutions.
  case int4
}

/// How a pass stores weights, with all that is needed to do it again.
///
/// Real numbers are rounded to nearest, ties to even. A code is the nearest multiple of its scale, ties to even, counted from
/// its zero point: within -127...127 (int8) or -7...7 (int4) where that is 0, within -8...7 (int4) otherwise. Or, with
/// ``CodeRounding/compensated(_:)``, one of the two that the value lies between.
/// `schemas/FORMAT.md` defines exactly which scales and zero points follow from which values. What concerns codes counts for
/// nothing where there are none.
public struct QuantizationSettings: Equatable, Sendable {
  /// How precisely weights are stored.
  public var precision: Precision
  /// The layers whose weights stay as they are.
  public var keptLayers: [String]
  /// How scales follow from the values that share them.
  public var scaleRule: ScaleRule
  /// Which codes of int8 share a scale.
  public var int8Scales: ScaleSharing
  /// How many neighbours along the input share a scale of int4.
  public var groupLength: GroupLength
  /// Whether groups of int4 have a zero point, so that their range need not be symmetric.
  public var hasZeroPoints: Bool
  /// Whether int4 is for convolutions too.
  public var includesConvolutions: Bool
  /// Which of the codes beside a value int4 takes.
  public var codeRounding: CodeRounding

  /// Which of the two codes that a value lies between it gets.
  public enum CodeRounding: Equatable, Sendable {
    /// The nearest one, ties to even.
    case nearest
    /// The one that makes up for what the weights of the same output have lost so far, by what the layer reads for the pictures of
    /// a calibration. nil: the pass will say which they were; it always declares that.
    case compensated(CalibrationData?)
  }

  /// How a scale follows from the values that share it.
  public enum ScaleRule: Equatable, Sendable {
    /// The largest magnitude gets the largest code.
    case largestMagnitude
    /// Of a fixed set of scales up to that one, the one with the least squared error.
    case leastSquaredError
    /// So much per cent of the magnitudes other than zero are within the range of the codes; above 0, up to 100.
    case percentile(Double)
  }

  /// Which codes share a scale.
  public enum ScaleSharing: String, CaseIterable, Sendable {
    /// Those of an output channel.
    case channel
    /// All of a tensor.
    case tensor
  }

  /// How many neighbours along the input share a scale.
  public enum GroupLength: Int, CaseIterable, Sendable {
    case of32 = 32
    case of64 = 64
    case of128 = 128
  }

  /// Creates settings; what is not given is what users get who say no more.
  public init(
    _ precision: Precision, keeping keptLayers: [String] = [], scaleRule: ScaleRule = .leastSquaredError,
    int8Scales: ScaleSharing = .channel, groupLength: GroupLength = .of64, hasZeroPoints: Bool = false,
    includesConvolutions: Bool = false, codeRounding: CodeRounding = .nearest
  ) {
    self.precision = precision
    self.keptLayers = keptLayers
    self.scaleRule = scaleRule
    self.int8Scales = int8Scales
    self.groupLength = groupLength
    self.hasZeroPoints = hasZeroPoints
    self.includesConvolutions = includesConvolutions
    self.codeRounding = codeRounding
  }
}

extension QuantizationSettings {
  /// The same settings, with what counts for nothing as users get it who say no more.
  public var normalized: QuantizationSettings {
    switch precision {
    case .fp32, .fp16, .bf16: QuantizationSettings(precision, keeping: keptLayers)
    case .int8:
      QuantizationSettings(.int8, keeping: keptLayers, scaleRule: scaleRule, int8Scales: int8Scales)
    case .int4: self
    }
  }
}

extension QuantizationSettings: CustomStringConvertible {
  /// The options of the command line: `--to int4 --group-size 64 --scale-rule mse --keep fc8`.
  public var description: String {
    var words = ["--to \(precision.rawValue)"]
    if precision == .int4 {
      words.append("--group-size \(groupLength.rawValue)")
      if hasZeroPoints { words.append("--zero-points") }
      if includesConvolutions { words.append("--int4-conv") }
      if case .compensated(let data) = codeRounding {
        words.append("--calibrate" + (data.map { " (\($0))" } ?? ""))
      }
    }
    if precision == .int8 || precision == .int4 {
      if int8Scales == .tensor { words.append("--scales tensor") }
      switch scaleRule {
      case .largestMagnitude: words.append("--scale-rule absmax")
      case .leastSquaredError: words.append("--scale-rule mse")
      case .percentile(let percentile): words.append("--percentile \(percentile)")
      }
    }
    if !keptLayers.isEmpty { words.append("--keep \(keptLayers.joined(separator: ","))") }
    return words.joined(separator: " ")
  }
}
