internal import CommandLineKit
internal import VGGCompress
internal import VGGModel

/// The options that say how weights are stored.
enum QuantizationOptions {
  static let precision = Option<Precision>(
    choice: "to", valueName: "PRECISION", help: "Store the weights like this")
  static let kept = Option<KeptLayers>(
    "keep", valueName: "auto|LAYER,...",
    help: "Leave these layers as they are; auto: those that would be less than 30 dB above their error",
    allowed: "auto, or names of layers such as conv1_1,fc8", parse: kept(_:))
  private static let scaleRule = Option<ScaleRuleName>(
    choice: "scale-rule", valueName: "RULE",
    help:
      "int8, int4: scales by the largest magnitude, the least squared error, or a percentile of magnitudes",
    standard: .mse)
  private static let percentile = Option<Double>(
    "percentile", valueName: "P",
    help: "int8, int4: scales by this percentile of the magnitudes; those above it are cut off",
    allowed: "a number above 0, up to 100", parse: { Double($0).flatMap { 0 < $0 && $0 <= 100 ? $0 : nil } })
  private static let scales = Option<QuantizationSettings.ScaleSharing>(
    choice: "scales", valueName: "EACH", help: "int8: a scale for each output channel, or one for the tensor",
    standard: .channel)
  private static let groupLength = Option<QuantizationSettings.GroupLength>(
    "group-size", valueName: "N", help: "int4: how many neighbours along the input share a scale",
    allowed: "",
    choices: QuantizationSettings.GroupLength.allCases.map { "\($0.rawValue)" }, standard: "64",
    parse: { Int($0).flatMap(QuantizationSettings.GroupLength.init(rawValue:)) })
  private static let zeroPoints = Switch(
    "zero-points", help: "int4: each group also has a zero point, so that its range need not be symmetric")
  private static let convolutions = Switch(
    "int4-conv", help: "int4: convolutions too, which are int8 otherwise")

  private static let noCompensation = Switch(
    "no-compensation", help: "int4: each code is the nearest one, also with --calibrate")

  private static let activations = Option<ActivationPrecision>(
    choice: "activations", valueName: "PRECISION",
    help: "Compute in integers: int8 maps, biases and sums of 32 bits; with --to int8")
  private static let rounding = Option<IntegerArithmetic.Rounding>(
    choice: "rounding", valueName: "RULE",
    help: "How sums become codes: as LiteRT with XNNPACK and ONNX Runtime do it, or as TFLM and CMSIS-NN",
    standard: .litert)
  private static let rangeRule = Option<RangeRuleName>(
    choice: "range-rule", valueName: "RULE", help: "How the ranges of the maps follow from the pictures",
    standard: .percentile)
  private static let rangePercentile = Option<Double>(
    "range-percentile", valueName: "P",
    help: "Ranges hold this percentage of the values; 99.99 unless stated",
    range: 50...100)
  /// What a model may take whose layers get precisions of their own.
  static let size = Option(
    byteCount: "max-size",
    help: "Choose a precision for each layer: of the models whose file is that small, the nearest one")
  /// Where the pictures of the calibration are.
  static let calibration = Option(
    "calibrate", valueName: "DATA",
    help:
      "Pictures like those that the model is made for, a folder or an .npz file: for --activations int8, --to int4, --correct-biases"
  )

  private static let equalizes = Switch(
    "equalize",
    help:
      "First give the channels between layers similar ranges, by powers of two; the function stays as it is")
  private static let correctsBiases = Switch(
    "correct-biases",
    help: "Take off the biases what rounding the weights adds to outputs on average; with --calibrate")

  /// Those that may need pictures.
  static let calibrated: [any OptionDeclaration] = [
    activations, rounding, rangeRule, rangePercentile, correctsBiases, calibration, noCompensation,
  ]

  /// The equalisation, if it is asked for: in front of what rounds.
  static func equalization(_ arguments: Arguments) -> [Pass] {
    arguments[equalizes] ? [.equalize(nil)] : []
  }

  /// The correction of biases, if it is asked for: behind what rounds weights, in front of what rounds biases.
  ///
  /// - Throws: Where nothing is rounded, or there are no pictures.
  static func biasCorrection(_ arguments: Arguments) throws(UsageError) -> [Pass] {
    guard arguments[correctsBiases] else { return [] }
    guard arguments[precision] != .fp32 else {
      throw UsageError("--correct-biases is not for --to fp32, which rounds no weights")
    }
    guard arguments[calibration] != nil else {
      throw UsageError(
        "--correct-biases needs --calibrate DATA: it takes the means of what layers read from pictures")
    }
    return [.correctBiases(nil)]
  }

  /// What the maps are stored as.
  private enum ActivationPrecision: String, CaseIterable, Sendable {
    case int8
  }

  /// What a user calls the rules for ranges.
  private enum RangeRuleName: String, CaseIterable, Sendable {
    case percentile
    case minMax = "min-max"
    case mse
    case kl
  }

  /// How the model is to compute in integers; nil without `--activations`.
  ///
  /// - Throws: Where options do not fit each other.
  static func activationSettings(_ arguments: Arguments) throws(UsageError) -> ActivationSettings? {
    guard arguments[activations] != nil else {
      try refuseIntegerOptions(arguments)
      if arguments[calibration] != nil, arguments[precision] != .int4, !arguments[correctsBiases] {
        throw UsageError("--calibrate is for --activations int8, --to int4 and --correct-biases")
      }
      return nil
    }
    guard arguments[precision] == .int8 else { throw UsageError("--activations int8 is for --to int8") }
    if arguments[kept] != nil {
      throw UsageError("--keep is not for --activations int8: a model computes in integers as a whole")
    }
    let rule: ActivationRangeRule
    switch (arguments[rangeRule], arguments[rangePercentile]) {
    case (.percentile?, let percentile?), (nil, let percentile?): rule = .percentile(percentile)
    case (.percentile?, nil), (nil, nil): rule = .standardPercentile
    case (_?, _?): throw UsageError("--range-percentile is for --range-rule percentile")
    case (.minMax?, nil): rule = .minMax
    case (.mse?, nil): rule = .meanSquaredError
    case (.kl?, nil): rule = .entropy
    }
    return ActivationSettings(rounding: arguments[rounding] ?? .litert, rangeRule: rule)
  }

  /// Refuses what says how a model computes in integers, where it does not.
  private static func refuseIntegerOptions(_ arguments: Arguments) throws(UsageError) {
    let given: [(name: String, isGiven: Bool)] = [
      ("rounding", arguments[rounding] != nil), ("range-rule", arguments[rangeRule] != nil),
      ("range-percentile", arguments[rangePercentile] != nil),
    ]
    if let option = given.first(where: \.isGiven) {
      throw UsageError("--\(option.name) is for --activations int8")
    }
  }

  /// All that are about weights.
  static let all: [any OptionDeclaration] = [
    precision, kept, scaleRule, percentile, scales, groupLength, zeroPoints, convolutions, equalizes,
  ]

  /// Whether codes make up for each other: with pictures, unless somebody does not want it.
  ///
  /// - Throws: Where it is switched off for what does not do it.
  static func codeRounding(_ arguments: Arguments) throws(UsageError) -> QuantizationSettings.CodeRounding {
    if arguments[noCompensation], arguments[precision] != .int4 || arguments[calibration] == nil {
      throw UsageError("--no-compensation is for --to int4 --calibrate DATA")
    }
    let isWanted = arguments[precision] == .int4 && arguments[calibration] != nil
    return isWanted && !arguments[noCompensation] ? .compensated(nil) : .nearest
  }

  /// What a user calls the rules for scales.
  private enum ScaleRuleName: String, CaseIterable, Sendable {
    case mse
    case absmax
    case percentile
  }

  /// What is asked for; nil without `--to`. The layers that `--keep auto` finds are still to be added.
  ///
  /// - Throws: Where options do not fit each other.
  static func settings(_ arguments: Arguments) throws(UsageError) -> QuantizationSettings? {
    let precision = arguments[precision]
    let ofCodes: [(name: String, isGiven: Bool)] = [
      ("scale-rule", arguments[scaleRule] != nil), ("percentile", arguments[percentile] != nil),
      ("scales", arguments[scales] != nil),
    ]
    let ofInt4: [(name: String, isGiven: Bool)] = [
      ("group-size", arguments[groupLength] != nil), ("zero-points", arguments[zeroPoints]),
      ("int4-conv", arguments[convolutions]),
    ]
    if precision != .int4, let option = ofInt4.first(where: \.isGiven) {
      throw UsageError("--\(option.name) is for --to int4")
    }
    if precision != .int8, precision != .int4, let option = ofCodes.first(where: \.isGiven) {
      throw UsageError("--\(option.name) is for --to int8 or int4")
    }
    guard let precision else { return nil }
    return try settings(arguments, to: precision)
  }

  /// What a precision for each layer is to be chosen by; nil with `--to`, or where neither a distance nor a size is given.
  ///
  /// - Throws: Where options do not fit each other.
  static func budget(_ arguments: Arguments) throws(UsageError) -> PrecisionBudget? {
    guard arguments[precision] == nil else {
      guard arguments[size] == nil else {
        throw UsageError("--max-size chooses a precision for each layer: --to is not for it")
      }
      return nil
    }
    let budget: PrecisionBudget? =
      arguments[size].map(PrecisionBudget.size)
      ?? arguments[JudgementArguments.distance].map(PrecisionBudget.distance)
    guard budget != nil else { return nil }
    if arguments[activations] != nil {
      throw UsageError(
        "--activations int8 is for --to int8: a model computes in integers as a whole, not with a precision for each layer"
      )
    }
    try refuseIntegerOptions(arguments)
    let ofWholes = [
      ("equalize", arguments[equalizes]), ("correct-biases", arguments[correctsBiases]),
      ("no-compensation", arguments[noCompensation]),
    ]
    for (name, isGiven) in ofWholes where isGiven {
      throw UsageError("--\(name) is for --to: what it does is not measured for each layer alone")
    }
    if case .auto? = arguments[kept] {
      throw UsageError("--keep auto is for --to: --max-distance and --max-size measure what a layer costs")
    }
    return budget
  }

  /// How the precisions are made that a budget chooses among.
  ///
  /// - Throws: Where options do not fit each other.
  static func mixedSettings(_ arguments: Arguments) throws(UsageError) -> QuantizationSettings {
    try settings(arguments, to: .int4)
  }

  private static func settings(
    _ arguments: Arguments, to precision: Precision
  ) throws(UsageError) -> QuantizationSettings {
    var settings = QuantizationSettings(precision, scaleRule: try rule(arguments))
    switch arguments[kept] {
    case .named(let names)?: settings.keptLayers = names
    case .auto? where precision == .int4:
      throw UsageError("--keep auto would keep every layer of four bits; name layers instead")
    case .auto?, nil: break
    }
    settings.int8Scales = arguments[scales] ?? settings.int8Scales
    settings.groupLength = arguments[groupLength] ?? settings.groupLength
    settings.hasZeroPoints = arguments[zeroPoints]
    settings.includesConvolutions = arguments[convolutions]
    return settings
  }

  private static func rule(_ arguments: Arguments) throws(UsageError) -> QuantizationSettings.ScaleRule {
    switch (arguments[scaleRule], arguments[percentile]) {
    case (.percentile?, let percentile?), (nil, let percentile?): return .percentile(percentile)
    case (.percentile?, nil): throw UsageError("--scale-rule percentile needs --percentile P, such as 99.9")
    case (_?, _?): throw UsageError("--percentile is for --scale-rule percentile")
    case (.mse?, nil), (nil, nil): return .leastSquaredError
    case (.absmax?, nil): return .largestMagnitude
    }
  }

  /// `auto`, or names of layers.
  private static func kept(_ text: String) -> KeptLayers? {
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !names.contains("") else { return nil }
    return names == ["auto"] ? .auto : .named(names)
  }
}

/// What `--keep` says: the layers that a change of precision leaves as they are.
enum KeptLayers: Sendable {
  /// Those of these names.
  case named([String])
  /// Those that it would harm most.
  case auto
}
