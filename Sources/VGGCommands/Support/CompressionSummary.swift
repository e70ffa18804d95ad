internal import CommandLineKit
internal import JSONKit
internal import VGGCompress
internal import VGGConv
internal import VGGModel
internal import VGGNative
internal import VGGTensors
internal import VGGVerify

/// What is told of a model that was made smaller, or would be.
struct CompressionSummary {
  /// The precisions that were chosen; nil where they were stated.
  let plan: PrecisionPlan?
  /// The accuracy before and after, where somebody asks for it.
  var accuracy: AccuracyReport?

  /// For people, of what was written.
  func text(_ conversion: Conversion, _ console: Console) -> String {
    let written = conversion.file
    return [
      plan?.text(console), conversion.compression?.text(console), conversion.activations?.text(console),
      "\(written.path): \(Format.bytes(written.byteCount)), weights \(written.weightsDigest)",
      conversion.judgement?.text(for: console), accuracy?.text,
    ].compactMap(\.self).joined(separator: "\n")
  }

  /// For scripts, of what was written.
  func json(_ conversion: Conversion) -> JSONValue {
    var fields = ModelReport(conversion.file).fields + [("output", .string(conversion.file.path))]
    if let changes = conversion.compression { fields.append(("changes", changes.json)) }
    if let activations = conversion.activations { fields.append(("activations", activations.json)) }
    return .object(fields + ownFields + (conversion.judgement?.fields ?? []))
  }

  /// For people, of what would be written.
  func text(_ forecast: Forecast, _ arguments: Arguments, _ console: Console) -> String {
    var tensors = TextTable([("tensor", .left), ("stored as", .left), ("bytes", .right)])
    for tensor in forecast.model.tensors {
      tensors.add([
        tensor.name, tensor.elementType.name, Format.grouped(forecast.tensorBytes[tensor.name] ?? 0),
      ])
    }
    tensors.addRule()
    tensors.add(["the whole file", "", Format.grouped(forecast.byteCount)])
    let closeness = forecast.closeness
    let limit = arguments[JudgementArguments.distance] ?? Closeness.distanceLimit
    return [
      plan?.text(console), forecast.compression.text(console), forecast.activations?.text(console),
      tensors.rendered(for: console),
      closeness.distanceText(limit: limit), closeness.decisionText, accuracy?.text,
      "Nothing was written.",
    ].compactMap(\.self).joined(separator: "\n")
  }

  /// For scripts, of what would be written.
  func json(_ forecast: Forecast) -> JSONValue {
    let tensors = forecast.model.tensors.map { tensor in
      JSONValue.object([
        ("name", .string(tensor.name)), ("elementType", .string(tensor.elementType.name)),
        ("storedBytes", .integer(Int64(forecast.tensorBytes[tensor.name] ?? 0))),
      ])
    }
    return .object(
      [
        ("dryRun", true), ("byteCount", .integer(Int64(forecast.byteCount))), ("tensors", .array(tensors)),
        ("changes", forecast.compression.json),
      ] + (forecast.activations.map { [("activations", $0.json)] } ?? []) + ownFields
        + forecast.closeness.fields)
  }

  private var ownFields: [(String, JSONValue)] {
    (plan.map { [("plan", $0.json)] } ?? []) + (accuracy.map { [("accuracy", $0.json)] } ?? [])
  }
}

extension PrecisionPlan {
  /// The table for people, and how it was found.
  func text(_ console: Console) -> String {
    var table = TextTable([
      ("layer", .left), ("stored as", .left), ("bytes", .right), ("alone", .right), ("why", .left),
    ])
    for layer in layers {
      table.add([
        layer.name, layer.elementType.name, Format.grouped(layer.byteCount),
        Format.significant(layer.distance, 2), layer.reason.text,
      ])
    }
    table.addRule()
    table.add([
      "file", "", Format.grouped(byteCount), Format.significant(distance, 2),
      "as a whole; \(measuredCount) models were measured",
    ])
    return table.rendered(for: console)
  }

  /// The same for scripts.
  var json: JSONValue {
    .object([
      ("byteCount", .integer(Int64(byteCount))), ("distance", .number(distance)),
      ("measuredModels", .integer(Int64(measuredCount))),
      ("passes", .array(passes.map { .string($0.description) })),
      (
        "layers",
        .array(
          layers.map { layer in
            .object(
              [
                ("layer", .string(layer.name)), ("elementType", .string(layer.elementType.name)),
                ("storedBytes", .integer(Int64(layer.byteCount))), ("distance", .number(layer.distance)),
              ] + layer.reason.fields)
          })
      ),
    ])
  }
}

extension PrecisionPlan.Reason {
  /// A few words for people.
  fileprivate var text: String {
    switch self {
    case .kept: "kept, as asked"
    case .smallest: "nothing is smaller"
    case .next(let precision, let distance, let savedBytes):
      "\(precision.rawValue) alone: \(Format.significant(distance, 2)), \(Format.bytes(savedBytes)) less"
    case .unsuitable(let precision): "\(precision.rawValue) cannot hold it"
    }
  }

  /// The same for scripts.
  fileprivate var fields: [(String, JSONValue)] {
    switch self {
    case .kept: [("reason", "kept")]
    case .smallest: [("reason", "smallest")]
    case .next(let precision, let distance, let savedBytes):
      [
        ("reason", "next"), ("next", .string(precision.rawValue)), ("nextDistance", .number(distance)),
        ("nextSavesBytes", .integer(Int64(savedBytes))),
      ]
    case .unsuitable(let precision): [("reason", "unsuitable"), ("next", .string(precision.rawValue))]
    }
  }
}
