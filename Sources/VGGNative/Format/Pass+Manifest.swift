internal import CVGGManifest
internal import VGGBytes
internal import VGGModel

extension Manifest {
  /// The types of elements that stand for precisions.
  static let precisions = Codes<Precision, Vggw__ElementType>([
    (.fp32, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_FLOAT32), (.fp16, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_FLOAT16),
    (.bf16, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_BFLOAT16), (.int8, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_INT8),
    (.int4, VGGW__ELEMENT_TYPE__ELEMENT_TYPE_INT4),
  ])
}

extension Pass {
  /// Reads a pass of a manifest.
  init(_ message: Vggw__Pass, _ reader: MessageReader) throws(FileError) {
    switch message.kind_case {
    case VGGW__PASS__KIND_QUANTIZE:
      self = .quantize(
        try QuantizationSettings(reader.required(message.quantize, "passes.quantize"), reader))
    case VGGW__PASS__KIND_QUANTIZE_ACTIVATIONS:
      self = .quantizeActivations(
        try ActivationSettings(
          reader.required(message.quantize_activations, "passes.quantize_activations"), reader))
    case VGGW__PASS__KIND_PRUNE:
      let prune = try reader.required(message.prune, "passes.prune")
      guard (0...1).contains(prune.fraction) else {
        throw reader.failure(
          "passes.prune.fraction", "has an impossible number", seen: "\(prune.fraction)", allowed: "0 to 1")
      }
      self = .prune(fraction: prune.fraction)
    case VGGW__PASS__KIND_DROP_DENSE: self = .dropDense
    case VGGW__PASS__KIND_EQUALIZE:
      self = .equalize(
        try ChannelEqualization(reader.required(message.equalize, "passes.equalize"), reader))
    case VGGW__PASS__KIND_CORRECT_BIASES:
      self = .correctBiases(
        try InputMeans(reader.required(message.correct_biases, "passes.correct_biases"), reader))
    case VGGW__PASS__KIND_TEXT: self = .unknown(try reader.string(message.text, "passes.text"))
    // A pass of a later version: its field is not known here, and it cannot be repeated.
    default: self = .unknown("a pass of a later version")
    }
  }

  /// Reads a pass as versions up to 1.2 of the format have it.
  init(textOfVersion1_2 text: String) {
    let words = text.split(separator: " ")
    switch words.first {
    case "quantize" where words.count == 3 || words.count == 5 && words[3] == "--keep":
      guard words[1] == "--to", let precision = Precision(rawValue: String(words[2])), precision != .int4
      else {
        break
      }
      let kept = words.count == 5 ? words[4].split(separator: ",").map(String.init) : []
      self = .quantize(QuantizationSettings(precision, keeping: kept).asBefore1_5)
      return
    case "prune" where words.count == 3 && words[1] == "--fc":
      guard let fraction = Double(words[2]), (0...1).contains(fraction) else { break }
      self = .prune(fraction: fraction)
      return
    case "prune" where words.dropFirst() == ["--drop-fc"]:
      self = .dropDense
      return
    default: break
    }
    self = .unknown(text)
  }
}

extension QuantizationSettings {
  /// Reads the settings of a pass of a manifest.
  init(_ message: Vggw__Quantize, _ reader: MessageReader) throws(FileError) {
    self.init(
      try reader.choice(message.element_type, Manifest.precisions, "passes.quantize.element_type"),
      keeping: try reader.strings(
        message.kept_layers, message.n_kept_layers, "passes.quantize.kept_layers"))
    guard precision == .int8 || precision == .int4 else { return }
    scaleRule = try ScaleRule(message, reader)
    switch message.int8_grouping {
    case VGGW__GROUPING__GROUPING_OUTPUT_CHANNEL: int8Scales = .channel
    case VGGW__GROUPING__GROUPING_TENSOR: int8Scales = .tensor
    default:
      throw reader.failure(
        "passes.quantize.int8_grouping", "has an unknown value", seen: "\(message.int8_grouping.rawValue)",
        allowed: "0 or 1")
    }
    guard precision == .int4 else { return }
    guard let length = Int(exactly: message.group_length).flatMap(GroupLength.init(rawValue:)) else {
      throw reader.failure(
        "passes.quantize.group_length", "has an impossible number", seen: "\(message.group_length)",
        allowed: GroupLength.allCases.map { "\($0.rawValue)" }.joined(separator: ", "))
    }
    groupLength = length
    hasZeroPoints = message.has_zero_points != 0
    includesConvolutions = message.includes_convolutions != 0
    if let compensation = message.compensation?.pointee {
      codeRounding = .compensated(try CalibrationData(compensation, reader))
    }
  }

  /// What the same words meant in versions up to 1.4 of the format, which knew one rule for scales.
  fileprivate var asBefore1_5: QuantizationSettings {
    var settings = self
    if precision == .int8 { settings.scaleRule = .largestMagnitude }
    return settings
  }

  /// Whether versions up to 1.4 of the format cannot say it.
  var needs1_5: Bool {
    precision == .int4 || precision == .int8 && (scaleRule != .largestMagnitude || int8Scales != .channel)
  }

  /// Whether versions up to 1.5 of the format cannot say it.
  var needs1_6: Bool { precision == .int4 && codeRounding != .nearest }

  /// Writes the settings to a message with its defaults, but for the names of layers and the pictures of a calibration.
  func fill(_ message: inout Vggw__Quantize) {
    message.element_type = Manifest.precisions[precision]
    guard precision == .int8 || precision == .int4 else { return }
    switch scaleRule {
    case .largestMagnitude: message.scale_rule = VGGW__SCALE_RULE__SCALE_RULE_LARGEST_MAGNITUDE
    case .leastSquaredError: message.scale_rule = VGGW__SCALE_RULE__SCALE_RULE_LEAST_SQUARED_ERROR
    case .percentile(let percentile):
      message.scale_rule = VGGW__SCALE_RULE__SCALE_RULE_PERCENTILE
      message.percentile = percentile
    }
    if int8Scales == .tensor { message.int8_grouping = VGGW__GROUPING__GROUPING_TENSOR }
    guard precision == .int4 else { return }
    message.group_length = UInt64(groupLength.rawValue)
    message.has_zero_points = hasZeroPoints ? 1 : 0
    message.includes_convolutions = includesConvolutions ? 1 : 0
  }
}

extension QuantizationSettings.ScaleRule {
  fileprivate init(_ message: Vggw__Quantize, _ reader: MessageReader) throws(FileError) {
    switch message.scale_rule {
    case VGGW__SCALE_RULE__SCALE_RULE_LARGEST_MAGNITUDE: self = .largestMagnitude
    case VGGW__SCALE_RULE__SCALE_RULE_LEAST_SQUARED_ERROR: self = .leastSquaredError
    case VGGW__SCALE_RULE__SCALE_RULE_PERCENTILE:
      guard message.percentile > 0, message.percentile <= 100 else {
        throw reader.failure(
          "passes.quantize.percentile", "has an impossible number", seen: "\(message.percentile)",
          allowed: "above 0, up to 100")
      }
      self = .percentile(message.percentile)
    default:
      throw reader.failure(
        "passes.quantize.scale_rule", "has an unknown value", seen: "\(message.scale_rule.rawValue)",
        allowed: "0 to 2")
    }
  }
}

extension CalibrationData {
  /// Reads what a manifest says of the pictures that codes were rounded by.
  fileprivate init(_ message: Vggw__Compensation, _ reader: MessageReader) throws(FileError) {
    guard let count = Int(exactly: message.picture_count), count > 0 else {
      throw reader.failure(
        "passes.quantize.compensation.picture_count", "has an impossible number",
        seen: "\(message.picture_count)", allowed: "at least 1")
    }
    self.init(
      pictureCount: count,
      sha256: try reader.digest(message.pictures_digest, "passes.quantize.compensation.pictures_digest").bytes
    )
  }
}
