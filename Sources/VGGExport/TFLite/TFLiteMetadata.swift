internal import JSONKit
internal import VGGModel
internal import VGGTensors

/// What a TFLite file says besides its operators.
enum TFLiteMetadata {
  /// A text as fields of 16 bytes have it.
  static func padded(_ text: String) -> [UInt8] {
    Array(text.utf8) + Array(repeating: 0, count: max(0, 16 - text.utf8.count))
  }

  /// What the model is and takes, for people.
  static func description(of model: Model) -> String {
    guard let rule = model.preprocessing else { return model.network.title }
    return "\(model.network.title); input: \(rule.summary)"
  }

  /// What the schema has no place for, as JSON.
  static func own(
    _ model: Model, runtime: TFLiteExporter.Runtime, arithmetic: IntegerArithmetic?
  ) -> [UInt8] {
    var members: [(key: String, value: JSONValue)] = [
      ("version", 1), ("architecture", .string(model.network.architecture.rawValue)),
      ("runtime", .string(runtime.rawValue)),
    ]
    if let arithmetic { members.append(("rounding", .string(arithmetic.rounding.rawValue))) }
    if let rule = model.preprocessing { members.append(("preprocessing", json(rule))) }
    if let constants = normalization(of: model.network) {
      // An operator has float32 constants.
      members.append(
        (
          "normalization",
          [
            "size": .integer(Int64(constants.size)), "scale": .number(constants.scale),
            "beta": .number(constants.beta), "k": .number(constants.k),
          ]
        ))
    }
    // What operators do not tell apart.
    members.append(("pooling_rounding", .object(poolingRounding(of: model.network))))
    let biasless = model.network.layers.filter { $0.tensorRequirements.count == 1 }
    members.append(("without_bias", .array(biasless.map { .string($0.name) })))
    members.append(("single_scales", .array(singleScales(of: model).map { .string($0) })))
    if !model.labels.isEmpty { members.append(("labels", .array(model.labels.map { .string($0) }))) }
    members.append(("provenance", json(model.provenance)))
    return Array(JSONValue.object(members).compact.utf8)
  }

  /// How each pooling rounds, which does not matter where strides divide the map.
  private static func poolingRounding(of network: Network) -> [(key: String, value: JSONValue)] {
    network.layers.compactMap { layer in
      guard case .pooling(let pooling) = layer.operation, !pooling.isGlobal else { return nil }
      return (layer.name, .string(pooling.rounding.rawValue))
    }
  }

  /// The layers with one scale for all outputs, which are the same as one for each where there is but one output.
  private static func singleScales(of model: Model) -> [String] {
    model.network.layers.filter { model.tensor($0.weightName)?.quantization?.grouping == .tensor }.map(\.name)
  }

  private static func normalization(of network: Network) -> LocalResponseNormalization? {
    network.layers.lazy.compactMap { layer in
      if case .normalization(let constants) = layer.operation { constants } else { nil }
    }.first
  }

  private static func json(_ rule: Preprocessing) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("channel_order", .string(rule.channelOrder.rawValue)),
      ("mean", .array(rule.mean.map { .number($0) })), ("scale", .array(rule.scale.map { .number($0) })),
    ]
    switch rule.resize {
    case .stretch: members.append(("resize", "stretch"))
    case .shorterSide(let length): members.append(("shorter_side", .integer(Int64(length))))
    }
    return .object(members)
  }

  private static func json(_ provenance: Provenance) -> JSONValue {
    let digits = Array("0123456789abcdef")
    let digest = provenance.sourceSHA256.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return [
      "source": .string(provenance.sourceName), "byte_count": .integer(Int64(provenance.sourceByteCount)),
      "sha256": .string(String(digest)), "format": .string(provenance.format),
      "generation": .string(provenance.generation),
      "passes": .array(provenance.passes.map { .string($0.description) }),
    ]
  }

  /// Where each tensor is in the memory of TensorFlow Lite Micro: maps at the two ends in turn, so that the one that a layer reads
  /// and the one that it writes never meet, and there is no more memory than the largest two neighbours need.
  ///
  /// - Parameters:
  ///   - chain: The maps in the order of their computation.
  ///   - byteCounts: The length of each tensor; nil for those that lie in the file.
  static func memoryPlan(chain: [Int], byteCounts: [Int?]) -> [UInt8] {
    func aligned(_ count: Int) -> Int { (count + 15) & ~15 }
    let lengths = chain.map { aligned(byteCounts[$0] ?? 0) }
    let end = zip(lengths, lengths.dropFirst()).map(+).max() ?? lengths.first ?? 0
    var offsets = Array(repeating: Int32(-1), count: byteCounts.count)
    for (index, tensor) in chain.enumerated() {
      offsets[tensor] = index % 2 == 0 ? 0 : Int32(end - lengths[index])
    }
    let words = [1, 0, Int32(offsets.count)] + offsets
    return words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
  }
}
