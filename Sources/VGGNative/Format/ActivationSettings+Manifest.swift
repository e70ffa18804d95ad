internal import CVGGManifest
internal import VGGBytes
internal import VGGModel

extension ActivationSettings {
  /// Reads the settings of a pass of a manifest.
  init(_ message: Vggw__QuantizeActivations, _ reader: MessageReader) throws(FileError) {
    let place = "passes.quantize_activations"
    let rule: ActivationRangeRule
    switch message.range_rule {
    case VGGW__RANGE_RULE__RANGE_RULE_MIN_MAX: rule = .minMax
    case VGGW__RANGE_RULE__RANGE_RULE_LEAST_SQUARED_ERROR: rule = .meanSquaredError
    case VGGW__RANGE_RULE__RANGE_RULE_ENTROPY: rule = .entropy
    case VGGW__RANGE_RULE__RANGE_RULE_PERCENTILE:
      guard (50...100).contains(message.percentile) else {
        throw reader.failure(
          "\(place).percentile", "has an impossible number", seen: "\(message.percentile)",
          allowed: "50 to 100")
      }
      rule = .percentile(message.percentile)
    default:
      throw reader.failure(
        "\(place).range_rule", "has an unknown value", seen: "\(message.range_rule.rawValue)",
        allowed: "1 to 4")
    }
    self.init(
      rounding: try reader.choice(
        message.requantization, Manifest.requantizations, "\(place).requantization"),
      rangeRule: rule)
  }

  /// Writes the settings to a message with its defaults.
  func fill(_ message: inout Vggw__QuantizeActivations) {
    message.requantization = Manifest.requantizations[rounding]
    switch rangeRule {
    case .minMax: message.range_rule = VGGW__RANGE_RULE__RANGE_RULE_MIN_MAX
    case .meanSquaredError: message.range_rule = VGGW__RANGE_RULE__RANGE_RULE_LEAST_SQUARED_ERROR
    case .entropy: message.range_rule = VGGW__RANGE_RULE__RANGE_RULE_ENTROPY
    case .percentile(let percentile):
      message.range_rule = VGGW__RANGE_RULE__RANGE_RULE_PERCENTILE
      message.percentile = percentile
    }
  }
}
