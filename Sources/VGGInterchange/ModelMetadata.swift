public import JSONKit
public import VGGBytes
public import VGGModel
internal import VGGTensors

/// What a file of another program says of a model besides what that program computes with: members of a name and a value.
///
/// Exporters and importers share it, so that what is written is what is read. Where a format has texts by name, as safetensors and ONNX
/// have them, a member that is no text is JSON. Foreign files have other members, or none.
public struct ModelMetadata: Equatable, Sendable {
  /// Which of the paper's networks it is.
  public var architecture: Architecture
  /// What is done to a picture before the first layer; nil where that is not known.
  public var preprocessing: Preprocessing?
  /// The names of the classes, or none.
  public var labels: [String]
  /// How products of integers are rounded, where the file has codes to compute with.
  public var rounding: IntegerArithmetic.Rounding?
  /// The name of the file that the model was made of.
  public var source: String
  /// The SHA-256 of that file in hexadecimal digits; empty where it is not known.
  public var sourceDigest: String
  /// What was done to the source's weights, for people.
  public var passes: [String]

  /// The layers, with the channels and extent of the input, where the file has tensors and no graph.
  public var network: Network?
  /// The names of tensors whose codes have four bits, where the file has a byte for each.
  public var nibbleTensors: [String] = []
  /// The constants of the normalisation, where the file's own have only 32 bits.
  public var normalization: LocalResponseNormalization?
  /// How poolings round, by the names of their layers, where the file does not tell.
  public var poolingRounding: [String: Pooling.Rounding] = [:]
  /// The layers whose bias is there, and zero, only because the program asks for one.
  public var layersWithoutBias: Set<String> = []
  /// The layers with one scale for all outputs, where the file has one for each.
  public var singleScales: Set<String> = []

  /// Describes a model, but for what a format says by itself.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - keepsCodes: Whether its codes are written as such.
  public init(_ model: Model, keepsCodes: Bool) {
    architecture = model.network.architecture
    preprocessing = model.preprocessing
    labels = model.labels.count == model.network.head?.outputCount ? model.labels : []
    rounding = keepsCodes ? model.integerArithmetic?.rounding : nil
    source = model.provenance.sourceName
    sourceDigest = hexadecimalDigits(of: model.provenance.sourceSHA256)
    passes = model.provenance.passes.map(\.description)
  }

  /// The name of the member that tells these files from foreign ones: the version of the others.
  private static let versionKey = "vggconv"
  private static let version = "1"
  /// The members that are texts; all others are JSON where a format has only texts.
  private static let texts: Set = [
    versionKey, "architecture", "preprocessing", "channel_order", "resize", "rounding", "source",
    "source_sha256",
  ]
}

extension ModelMetadata {
  /// The members, in an order of their own.
  public var members: [(key: String, value: JSONValue)] {
    func names(_ names: some Sequence<String>) -> JSONValue { .array(names.map(JSONValue.string)) }
    var members: [(key: String, value: JSONValue)] = [
      (ModelMetadata.versionKey, .string(ModelMetadata.version)),
      ("architecture", .string("VGG \(architecture.rawValue)")),
    ]
    if let network {
      members += [
        ("input_channels", .integer(Int64(network.inputChannels))),
        ("layers", .array(network.layers.map(JSONValue.init(layer:)))),
      ]
      if let extent = network.inputExtent { members.append(("input_size", JSONValue(extent))) }
    }
    if let preprocessing {
      let order = preprocessing.channelOrder.rawValue
      members += [
        (
          "preprocessing",
          .string(
            "(pixel - mean) * scale for each channel, pixels from 0 to 255, channels in the order \(order)")
        ),
        ("channel_order", .string(order)),
        ("mean", .array(preprocessing.mean.map(JSONValue.number))),
        ("scale", .array(preprocessing.scale.map(JSONValue.number))),
      ]
      switch preprocessing.resize {
      case .stretch: members.append(("resize", "stretch"))
      case .shorterSide(let side):
        members.append(("resize", .string("shorter side \(side), then the centre")))
      }
    }
    if !labels.isEmpty { members.append(("labels", names(labels))) }
    if let rounding { members.append(("rounding", .string(rounding.rawValue))) }
    if let normalization {
      members.append(
        (
          "normalization",
          [
            "size": .integer(Int64(normalization.size)), "scale": .number(normalization.scale),
            "beta": .number(normalization.beta), "k": .number(normalization.k),
          ]
        ))
    }
    if !nibbleTensors.isEmpty { members.append(("int4", names(nibbleTensors))) }
    if !poolingRounding.isEmpty {
      let roundings = poolingRounding.sorted { $0.key < $1.key }
      members.append(
        ("pooling_rounding", .object(roundings.map { ($0.key, .string($0.value.rawValue)) })))
    }
    if !layersWithoutBias.isEmpty { members.append(("without_bias", names(layersWithoutBias.sorted()))) }
    if !singleScales.isEmpty { members.append(("single_scales", names(singleScales.sorted()))) }
    members.append(("source", .string(source)))
    if !sourceDigest.isEmpty { members.append(("source_sha256", .string(sourceDigest))) }
    if !passes.isEmpty { members.append(("passes", names(passes))) }
    return members
  }

  /// The same as texts.
  public var entries: [(key: String, value: String)] { members.map { ($0, $1.string ?? $1.compact) } }

  /// Reads texts; nil where they are a foreign file's.
  ///
  /// - Parameters:
  ///   - entries: The texts by name.
  ///   - file: The file's path, for errors.
  /// - Throws: `malformed` where they are not what the version has.
  public init?(_ entries: [String: String], file: String) throws(FileError) {
    guard let version = entries[ModelMetadata.versionKey] else { return nil }
    try ModelMetadata.require(version, file)
    var members: [String: JSONValue] = [:]
    for (key, text) in entries where !ModelMetadata.texts.contains(key) {
      // Others' members need not be JSON.
      if let value = try? JSONValue(parsing: Array(text.utf8)) { members[key] = value }
    }
    for key in ModelMetadata.texts { members[key] = entries[key].map(JSONValue.string) }
    try self.init(Members(values: members, texts: entries, file: file))
  }

  /// Reads an object; nil where it is a foreign file's.
  ///
  /// - Parameters:
  ///   - json: The members.
  ///   - file: The file's path, for errors.
  /// - Throws: `malformed` where they are not what the version has.
  public init?(_ json: JSONValue, file: String) throws(FileError) {
    guard let version = json[ModelMetadata.versionKey] else { return nil }
    try ModelMetadata.require(version.string ?? version.compact, file)
    let members = Dictionary(json.object ?? []) { first, _ in first }
    try self.init(Members(values: members, texts: members.mapValues(\.compact), file: file))
  }

  private static func require(_ version: String, _ file: String) throws(FileError) {
    guard version == ModelMetadata.version else {
      throw FileError(
        .unsupported, code: "metadata.version", file: file, "has metadata of a newer version",
        place: "metadata \(ModelMetadata.versionKey)", seen: version, allowed: ModelMetadata.version)
    }
  }

  private init(_ members: Members) throws(FileError) {
    architecture = try members.architecture()
    network = try members.network(architecture)
    preprocessing = try members.preprocessing(channels: network?.inputChannels)
    labels = try members.names("labels")
    if let network, !labels.isEmpty, labels.count != network.head?.outputCount {
      throw members.wrong("labels", allowed: "a name for each of \(network.head?.outputCount ?? 0) outputs")
    }
    rounding = try members.word("rounding", as: IntegerArithmetic.Rounding.self)
    normalization = try members.normalization()
    poolingRounding = try members.poolingRounding()
    nibbleTensors = try members.names("int4")
    layersWithoutBias = Set(try members.names("without_bias"))
    singleScales = Set(try members.names("single_scales"))
    source = members.values["source"]?.string ?? ""
    sourceDigest = members.values["source_sha256"]?.string ?? ""
    passes = try members.names("passes")
  }
}

/// The members of a file of ours, to be read.
private struct Members {
  let values: [String: JSONValue]
  /// What stands in the file, JSON or not.
  let texts: [String: String]
  let file: String

  /// The longest list: names of many thousand classes.
  private static let mostNames = 1 << 17

  func wrong(_ key: String, allowed: String? = nil) -> FileError {
    FileError(
      .malformed, code: "metadata", file: file, "has metadata that say nothing of use",
      place: "metadata \(key)", seen: texts[key].map { String($0.prefix(80)) } ?? "nothing", allowed: allowed)
  }

  func word<Word: RawRepresentable<String>>(_ key: String, as type: Word.Type) throws(FileError) -> Word? {
    guard texts[key] != nil else { return nil }
    guard let word = values[key]?.string.flatMap(Word.init(rawValue:)) else { throw wrong(key) }
    return word
  }

  func names(_ key: String) throws(FileError) -> [String] {
    guard texts[key] != nil else { return [] }
    guard let names = values[key]?.array?.map(\.string), names.count <= Members.mostNames,
      !names.contains(nil)
    else { throw wrong(key, allowed: "a list of names") }
    return names.compactMap(\.self)
  }

  func architecture() throws(FileError) -> Architecture {
    let word = values["architecture"]?.string
    guard let architecture = Architecture.allCases.first(where: { word == "VGG \($0.rawValue)" }) else {
      throw wrong("architecture")
    }
    return architecture
  }

  func network(_ architecture: Architecture) throws(FileError) -> Network? {
    guard texts["layers"] != nil else { return nil }
    guard let layers = values["layers"]?.array?.map(Layer.init(json:)), !layers.contains(nil) else {
      throw wrong("layers")
    }
    guard let channels = values["input_channels"]?.integer, (1...1 << 16).contains(channels) else {
      throw wrong("input_channels")
    }
    let extent = values["input_size"]?.extent(1...Network.largestInputSide)
    guard extent != nil || texts["input_size"] == nil else { throw wrong("input_size") }
    return Network(
      architecture: architecture, inputChannels: channels, inputExtent: extent,
      layers: layers.compactMap(\.self))
  }

  /// - Parameter channels: The channels of the input; nil: those of the order.
  func preprocessing(channels: Int?) throws(FileError) -> Preprocessing? {
    guard let order = try word("channel_order", as: Preprocessing.ChannelOrder.self) else { return nil }
    let count = channels ?? (order == .gray ? 1 : 3)
    func numbers(_ key: String) throws(FileError) -> [Double] {
      let numbers = values[key]?.array?.compactMap(\.number).filter(\.isFinite) ?? []
      guard numbers.count == count else { throw wrong(key, allowed: "\(count) numbers") }
      return numbers
    }
    let words = (values["resize"]?.string ?? "").split(separator: " ")
    let side = words.count > 2 ? Int(words[2].filter(\.isNumber)) : nil
    guard words == ["stretch"] || (1...Network.largestInputSide).contains(side ?? 0) else {
      throw wrong("resize")
    }
    return Preprocessing(
      channelOrder: order, mean: try numbers("mean"), scale: try numbers("scale"),
      resize: side.map { .shorterSide($0) } ?? .stretch)
  }

  func normalization() throws(FileError) -> LocalResponseNormalization? {
    guard texts["normalization"] != nil else { return nil }
    guard let constants = values["normalization"], let size = constants["size"]?.integer,
      let scale = constants["scale"]?.number, let beta = constants["beta"]?.number,
      let k = constants["k"]?.number
    else { throw wrong("normalization") }
    return LocalResponseNormalization(size: size, scale: scale, beta: beta, k: k)
  }

  func poolingRounding() throws(FileError) -> [String: Pooling.Rounding] {
    var roundings: [String: Pooling.Rounding] = [:]
    for (name, rounding) in values["pooling_rounding"]?.object ?? [] {
      guard let rounding = rounding.string.flatMap(Pooling.Rounding.init(rawValue:)) else {
        throw wrong("pooling_rounding")
      }
      roundings[name] = rounding
    }
    return roundings
  }
}
