internal import JSONKit
internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGModel

/// What `TFLiteExporter` writes that TensorFlow Lite's schema has no place for.
struct OwnMetadata {
  var architecture: Architecture?
  var rounding: IntegerArithmetic.Rounding?
  var preprocessing: Preprocessing?
  var normalization: LocalResponseNormalization?
  var labels: [String] = []
  /// How poolings round, by the names of their layers, where operators do not tell.
  var poolingRounding: [String: Pooling.Rounding] = [:]
  /// The layers whose bias is there, and zero, only because runtimes ask for one.
  var layersWithoutBias: Set<String> = []
  /// The layers with one scale for all outputs.
  var singleScales: Set<String> = []

  /// More than the names of all classes that there are need.
  private static let largestByteCount = 1 << 24

  /// Reads it; nil: the file has none.
  init?(_ file: TFLiteFile) throws(FileError) {
    guard let bytes = try file.metadata(TFLite.ownMetadata) else { return nil }
    func damaged(_ problem: String, _ key: String? = nil) -> FileError {
      FileError(
        .malformed, code: "tflite.metadata", file: file.path, problem,
        place: "metadata '\(TFLite.ownMetadata)'" + (key.map { ", \($0)" } ?? ""))
    }
    guard bytes.count <= OwnMetadata.largestByteCount else { throw damaged("has metadata that is too long") }
    let json: JSONValue
    do throws(JSONError) { json = try JSONValue(parsing: bytes.withBytes { Array($0) }) } catch {
      throw damaged("has metadata that is no JSON: \(error.problem)")
    }
    func choice<Value: RawRepresentable<String>>(_ key: String, of value: JSONValue, as type: Value.Type)
      throws(FileError) -> Value?
    {
      guard let text = value[key] else { return nil }
      guard let known = text.string.flatMap(Value.init(rawValue:)) else {
        throw damaged("has metadata with an unknown word", key)
      }
      return known
    }
    func numbers(_ key: String, of value: JSONValue) throws(FileError) -> [Double] {
      guard let numbers = value[key]?.array?.map(\.number), !numbers.contains(where: { $0?.isFinite != true })
      else {
        throw damaged("has metadata without numbers", key)
      }
      return numbers.compactMap(\.self)
    }
    architecture = try choice("architecture", of: json, as: Architecture.self)
    rounding = try choice("rounding", of: json, as: IntegerArithmetic.Rounding.self)
    if let rule = json["preprocessing"] {
      guard let order = try choice("channel_order", of: rule, as: Preprocessing.ChannelOrder.self) else {
        throw damaged("has metadata without a channel order", "preprocessing")
      }
      let (mean, scale) = (try numbers("mean", of: rule), try numbers("scale", of: rule))
      let side = rule["shorter_side"]?.integer
      guard mean.count == scale.count, side.map({ 1...Network.largestInputSide ~= $0 }) ?? true else {
        throw damaged("has metadata that contradicts itself", "preprocessing")
      }
      preprocessing = Preprocessing(
        channelOrder: order, mean: mean, scale: scale, resize: side.map { .shorterSide($0) } ?? .stretch)
    }
    if let constants = json["normalization"], let size = constants["size"]?.integer,
      let scale = constants["scale"]?.number, let beta = constants["beta"]?.number,
      let k = constants["k"]?.number
    {
      normalization = LocalResponseNormalization(size: size, scale: scale, beta: beta, k: k)
    }
    for (name, rounding) in json["pooling_rounding"]?.object ?? [] {
      poolingRounding[name] = rounding.string.flatMap(Pooling.Rounding.init(rawValue:))
    }
    layersWithoutBias = Set(json["without_bias"]?.array?.compactMap(\.string) ?? [])
    singleScales = Set(json["single_scales"]?.array?.compactMap(\.string) ?? [])
    labels = json["labels"]?.array?.compactMap(\.string) ?? []
  }
}
