internal import JSONKit
public import VGGModel

/// What an ONNX file says of a model besides its graph, in entries of its metadata: names that no other program knows.
///
/// Numbers and lists are JSON, so that any program can read them.
public struct ONNXMetadata: Equatable, Sendable {
  /// What is done to pictures before the network; in the file whether or not its graph does that.
  public var preprocessing: Preprocessing?
  /// The names of the classes.
  public var labels: [String] = []
  /// How the model rounds products of integers.
  public var rounding: IntegerArithmetic.Rounding?
  /// The constants of the normalisation, whose attributes in the graph are only float32.
  public var normalization: LocalResponseNormalization?
  /// The name of the file that the model was made of.
  public var source: String?
  /// The SHA-256 of that file in hexadecimal digits.
  public var sourceDigest: String?

  /// Creates metadata that say nothing.
  public init() {}

  /// Who our own files say wrote them.
  public static let producer = "vggconv"

  private enum Key {
    static let preprocessing = "vggconv.preprocessing"
    static let labels = "vggconv.labels"
    static let rounding = "vggconv.rounding"
    static let normalization = "vggconv.normalization"
    static let source = "vggconv.source"
    static let sourceDigest = "vggconv.source_sha256"
  }

  /// The entries of the file in their order.
  public var entries: [(key: String, value: String)] {
    var entries: [(key: String, value: String)] = []
    func numbers(_ values: [Double]) -> JSONValue { .array(values.map { .number($0) }) }
    if let preprocessing {
      let resize: JSONValue =
        switch preprocessing.resize {
        case .stretch: "stretch"
        case .shorterSide(let length): .integer(Int64(length))
        }
      let value: JSONValue = [
        "channel_order": .string(preprocessing.channelOrder.rawValue), "mean": numbers(preprocessing.mean),
        "scale": numbers(preprocessing.scale), "shorter_side": resize,
      ]
      entries.append((Key.preprocessing, value.compact))
    }
    if !labels.isEmpty { entries.append((Key.labels, JSONValue.array(labels.map { .string($0) }).compact)) }
    if let rounding { entries.append((Key.rounding, rounding.rawValue)) }
    if let normalization {
      let value: JSONValue = [
        "size": .integer(Int64(normalization.size)), "scale": .number(normalization.scale),
        "beta": .number(normalization.beta),
        "k": .number(normalization.k),
      ]
      entries.append((Key.normalization, value.compact))
    }
    if let source { entries.append((Key.source, source)) }
    if let sourceDigest { entries.append((Key.sourceDigest, sourceDigest)) }
    return entries
  }

  /// Reads entries of a file; those of other programs are left aside.
  ///
  /// - Returns: nil where an entry of one of these names says something else.
  public init?(_ entries: [(key: String, value: String)]) {
    for (key, text) in entries {
      switch key {
      case Key.preprocessing:
        guard let value = Preprocessing(text) else { return nil }
        preprocessing = value
      case Key.labels:
        guard let names = ONNXMetadata.json(text)?.array?.map(\.string), !names.contains(nil) else {
          return nil
        }
        labels = names.compactMap(\.self)
      case Key.rounding:
        guard let value = IntegerArithmetic.Rounding(rawValue: text) else { return nil }
        rounding = value
      case Key.normalization:
        guard let value = ONNXMetadata.json(text), let size = value["size"]?.integer,
          let scale = value["scale"]?.number, let beta = value["beta"]?.number, let k = value["k"]?.number
        else { return nil }
        normalization = LocalResponseNormalization(size: size, scale: scale, beta: beta, k: k)
      case Key.source: source = text
      case Key.sourceDigest: sourceDigest = text
      default: continue
      }
    }
  }
}

extension ONNXMetadata {
  fileprivate static func json(_ text: String) -> JSONValue? { try? JSONValue(parsing: Array(text.utf8)) }
}

extension Preprocessing {
  /// Reads what the metadata say.
  fileprivate init?(_ text: String) {
    func numbers(_ value: JSONValue?) -> [Double]? {
      guard let numbers = value?.array?.map(\.number) else { return nil }
      let finite = numbers.compactMap { $0.flatMap { $0.isFinite ? $0 : nil } }
      return finite.count == numbers.count ? finite : nil
    }
    guard let value = ONNXMetadata.json(text),
      let order = value["channel_order"]?.string.flatMap(ChannelOrder.init),
      let mean = numbers(value["mean"]), let scale = numbers(value["scale"]), mean.count == scale.count,
      mean.count == (order == .gray ? 1 : 3)
    else { return nil }
    let resize: Resize
    if value["shorter_side"]?.string == "stretch" {
      resize = .stretch
    } else {
      guard let side = value["shorter_side"]?.integer, (1...Network.largestInputSide).contains(side) else {
        return nil
      }
      resize = .shorterSide(side)
    }
    self.init(channelOrder: order, mean: mean, scale: scale, resize: resize)
  }
}
