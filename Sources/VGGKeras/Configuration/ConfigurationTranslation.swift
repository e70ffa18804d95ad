internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Puts the layers of a configuration into the terms of the grammar; what Keras says besides is kept beside them.
///
/// What a single layer must not be is found here, and becomes an error only where the grammar comes so far.
struct ConfigurationTranslation {
  /// A layer, or a part of one.
  struct Element {
    var layer: ModelConfiguration.Layer
    var neutral: NeutralLayer
    /// What is known of a layer with weights, as far as it alone tells.
    var weighted: ConfiguredNetwork.Weighted?
    /// The settings of a batch normalisation.
    var normalization: ConfiguredNetwork.Normalization?
  }

  private(set) var elements: [Element] = []
  /// What layers in front of the first convolution do to pictures.
  var inputScaling: InputScaling?
  /// What was passed over, and why.
  private(set) var decisions: [Provenance.Decision] = []
  /// The layers that Keras computes in 16 bits.
  private(set) var halfLayers: [String] = []
  let file: String
  private let takesLambdaForNormalization: Bool
  /// The shape of the input without the batch; nil for an axis that is not fixed.
  private var inputShape: [Int?]?
  /// The order of the axes of feature maps, where a layer says it.
  private var dataFormat: String?
  /// Whether the map was flattened, so that its only axis besides the batch is the channels'.
  var isFlat = false

  init(_ configuration: ModelConfiguration, file: String, options: ImportOptions) {
    self.file = file
    takesLambdaForNormalization = options.normalizationOfKeras != nil
    for layer in configuration.layers {
      noteInput(layer)
      do throws(FileError) { try take(layer) } catch { append(layer, .refused(error)) }
    }
  }

  /// Whether the channels come first in feature maps.
  var isChannelsFirst: Bool { dataFormat == "channels_first" }

  /// Whether a layer with weights has come.
  private(set) var hasWeights = false

  /// The input's extent, where it is fixed.
  var inputExtent: Extent? {
    guard let shape = inputShape, let height = shape[isChannelsFirst ? 1 : 0],
      let width = shape[isChannelsFirst ? 2 : 1]
    else { return nil }
    return Extent(height: height, width: width)
  }

  mutating func append(
    _ layer: ModelConfiguration.Layer, _ operation: NeutralLayer.Operation,
    weighted: ConfiguredNetwork.Weighted? = nil, normalization: ConfiguredNetwork.Normalization? = nil
  ) {
    elements.append(
      Element(
        layer: layer, neutral: NeutralLayer(name: layer.name, operation: operation), weighted: weighted,
        normalization: normalization))
    guard weighted != nil else { return }
    hasWeights = true
    if layer.computesInHalf { halfLayers.append(layer.name) }
  }

  private mutating func take(_ layer: ModelConfiguration.Layer) throws(FileError) {
    // A class of the user's own may compute anything, whatever its name.
    switch layer.isForeign ? "" : layer.className {
    case "InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
      "ActivityRegularization":
      append(layer, .identity)  // These compute nothing once training is over.
    case "ZeroPadding2D": try takePadding(layer)
    case "Conv2D", "Convolution2D": try takeConvolution(layer)
    case "MaxPooling2D", "AveragePooling2D": try takePooling(layer)
    case "GlobalAveragePooling2D", "GlobalMaxPooling2D":
      try takeFormat(layer)
      append(
        layer, .pooling(Pooling(global: layer.className == "GlobalMaxPooling2D" ? .maximum : .average)))
    case "Flatten":
      append(layer, .flatten)
      isFlat = true
    case "Dense": try takeDense(layer)
    case "BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization":
      try takeNormalization(layer)
    case "Activation": try takeActivation(of: layer)
    case "ReLU", "Softmax": try takeActivation(layer.className.lowercased(), of: layer)
    case "Rescaling", "Normalization":
      if !hasWeights { try takeInputScaling(layer) }
      append(layer, .inputTransformation)
    case let name where name.hasPrefix("Random") && name != "RandomCrop":
      append(layer, .inputTransformation)
      decisions.append(
        Provenance.Decision(
          .augmentationLeftOut, because: "\(layer.name), \(name), changes pictures only in training"))
    default: try takeOther(layer)
    }
  }

  /// Where the input's shape is noted: in the input layer, or in the first layer of a sequential model.
  private mutating func noteInput(_ layer: ModelConfiguration.Layer) {
    guard !hasWeights, inputShape?.contains(nil) ?? true,
      let sizes = layer["batch_shape", "batch_input_shape"]?.array?.map(\.integer), sizes.count == 4
    else { return }
    inputShape = Array(sizes.dropFirst())
  }

  /// The order of axes, which all layers must agree on.
  mutating func takeFormat(_ layer: ModelConfiguration.Layer) throws(FileError) {
    let format: String
    switch layer["data_format", "dim_ordering"]?.string {
    case "channels_first", "th": format = "channels_first"
    case "channels_last", "tf": format = "channels_last"
    case nil, "default": return
    default:
      throw refusal(layer, "data_format", seen: layer["data_format"], allowed: "channels_last or _first")
    }
    if let dataFormat, dataFormat != format {
      throw refusal(
        layer, "data_format", seen: .string(format), allowed: "\(dataFormat), as in the layers before it")
    }
    dataFormat = format
  }

  /// What the layer that flattens a map says of the order of axes; nil where it says nothing or there is none.
  func flattenFormat(_ parsed: ParsedNetwork) throws(FileError) -> String? {
    guard let layer = parsed.flatten.map({ elements[$0].layer }) else { return nil }
    let format = layer["data_format"]?.string
    // Where no layer says it, the channels come last.
    guard format != "channels_first" || isChannelsFirst else {
      throw refusal(
        layer, "data_format", seen: layer["data_format"],
        allowed: "channels_last, as in the layers before it: otherwise rows and channels change places")
    }
    return format
  }

  /// Local response normalisation, for which Keras has no class: users make one, or a Lambda.
  private mutating func takeOther(_ layer: ModelConfiguration.Layer) throws(FileError) {
    let isNamed = LayerName.isNormalization(layer.className) || LayerName.isNormalization(layer.name)
    guard layer.className == "Lambda" || isNamed else {
      throw FileError(
        .unsupported, code: "keras.layer", file: file, "has a layer that no VGG has",
        place: "layer \(layer.name)", seen: layer.className)
    }
    if !isNamed, !hasWeights {
      decisions.append(LayerName.passedOver(layer.name))
      return append(layer, .inputTransformation)
    }
    guard isNamed || takesLambdaForNormalization else {
      throw LayerName.unknownFunction(layer.name, file: file)
    }
    append(layer, .localResponseNormalization)
  }

  func refusal(
    _ layer: ModelConfiguration.Layer, _ key: String, seen: JSONValue?, allowed: String
  ) -> FileError {
    FileError(
      .unsupported, code: "keras.config.value", file: file, "is configured otherwise than a VGG",
      place: "layer \(layer.name), \(key)", seen: seen.map { String($0.compact.prefix(80)) } ?? "nothing",
      allowed: allowed)
  }
}
