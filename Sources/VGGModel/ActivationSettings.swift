/// How a pass turns a model into one that computes in integers.
public struct ActivationSettings: Equatable, Sendable {
  /// How sums become codes.
  public var rounding: IntegerArithmetic.Rounding
  /// How the range of each map follows from what the layers give for the pictures of the calibration.
  public var rangeRule: ActivationRangeRule

  /// Creates settings; what is not given is what users get who say no more.
  public init(
    rounding: IntegerArithmetic.Rounding = .litert,
    rangeRule: ActivationRangeRule = .standardPercentile
  ) {
    self.rounding = rounding
    self.rangeRule = rangeRule
  }
}

extension ActivationSettings: CustomStringConvertible {
  /// The options of the command line: `--activations int8 --rounding litert --range-rule min-max`.
  public var description: String {
    let range =
      switch rangeRule {
      case .percentile(let percentile): "--range-percentile \(percentile)"
      case .minMax, .meanSquaredError, .entropy: "--range-rule \(rangeRule)"
      }
    return "--activations int8 --rounding \(rounding.rawValue) \(range)"
  }
}
