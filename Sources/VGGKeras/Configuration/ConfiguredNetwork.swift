internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What a configuration says of the network: all that VGG leaves no choice in is checked, the rest is kept.
struct ConfiguredNetwork {
  /// A convolution or dense layer.
  struct Weighted: Equatable {
    var name: String
    /// Rows and columns of the kernel; nil for a dense layer.
    var kernel: Extent?
    /// Whether it is part of the head: a dense layer, or a convolution over all that is left of the map.
    var isHead: Bool
    /// Output channels, or outputs.
    var outputs: Int
    var hasBias: Bool
    /// `relu`, `softmax`, `sigmoid`, or `linear` where there is none (yet).
    var activation: String
    /// How a dense layer is quantised, such as `int8`; nil: not, as far as it is said.
    var quantization: String?
    /// The batch normalisation behind it, in front of its activation.
    var normalization: Normalization?
    /// The batch normalisation behind its activation.
    var outputNormalization: Normalization?

    /// Whether a kernel of this shape can be the layer's, whatever the order of its axes.
    func fits(_ shape: [Int]) -> Bool {
      guard let kernel else { return shape.count == 2 && shape[1] == outputs }
      let sides = [kernel.height, kernel.width]
      return shape.count == 4
        && ((Array(shape[..<2]) == sides && shape[3] == outputs)
          || (Array(shape[2...]) == sides && shape[0] == outputs))
    }
  }

  /// A batch normalisation.
  struct Normalization: Equatable {
    var name: String
    /// What is added to the variance; nil where it is not said.
    var epsilon: Double?
    /// Whether there is a gamma.
    var hasScale: Bool
    /// Whether there is a beta.
    var hasCenter: Bool
    /// Whether the pooling behind the layer comes first; only where it stands behind the activation.
    var isBehindPooling = false
  }

  /// The layers with weights, in order.
  var weighted: [Weighted] = []
  /// The poolings and their places.
  var poolings: [FoundNetwork.PlacedPooling] = []
  /// The shape of the input without the batch; nil for an axis that is not fixed.
  private var inputShape: [Int?]?
  /// The order of the axes of feature maps, where a layer says it.
  private var dataFormat: String?
  /// What `Flatten` says of the order of axes, nil where it says nothing or there is none.
  private(set) var flattenFormat: String?
  /// The name of the layer in the place of A-LRN's normalisation.
  private(set) var normalizationName: String?
  /// The pooling behind the blocks that belongs to none of them: over the whole map, or one more.
  var headPooling: (name: String, pooling: Pooling)?
  /// What is done to pictures in front of the first convolution.
  var inputScaling: InputScaling?
  /// What was passed over, and why.
  var decisions: [Provenance.Decision] = []

  let file: String
  private let takesLambdaForNormalization: Bool
  var openConvolutions = 0
  var hasFlattened = false
  /// The zeros that a padding layer has added in front of the next convolution.
  var zeros: Extent?

  /// Goes through the layers.
  ///
  /// - Throws: `unsupported` where something is not as in a VGG, naming the layer.
  init(_ configuration: ModelConfiguration, file: String, options: ImportOptions) throws(FileError) {
    self.file = file
    takesLambdaForNormalization = options.normalization != nil
    for layer in configuration.layers { try take(layer) }
    if weighted.last?.isHead != true { try requireActivation() }
    if zeros != nil, let last = configuration.layers.last { throw wrongPlace(last) }
    if !linearHiddenLayers.isEmpty {
      decisions.append(
        Provenance.Decision(
          "activation", "none behind \(linearHiddenLayers.joined(separator: ", "))",
          because: "so it is configured"))
    }
  }

  /// Whether the channels come first in feature maps.
  var isChannelsFirst: Bool { dataFormat == "channels_first" }

  /// The input's extent, where it is fixed.
  var inputExtent: Extent? {
    guard let shape = inputShape, let height = shape[isChannelsFirst ? 1 : 0],
      let width = shape[isChannelsFirst ? 2 : 1]
    else { return nil }
    return Extent(height: height, width: width)
  }

  /// What is applied to the last layer of the head; nil without a head.
  var headActivation: FoundNetwork.FoundActivation? {
    guard let last = weighted.last, last.isHead else { return nil }
    guard let activation = HeadActivation(rawValue: last.activation) else { return nil }
    return FoundNetwork.FoundActivation(
      activation,
      because: activation == .linear
        ? "\(last.name) is the last layer and has no activation; --head-activation softmax, if it gives scores of classes"
        : "so \(last.name) is configured")
  }

  /// Whether a layer of the head has come.
  var hasHead: Bool { weighted.last?.isHead ?? false }

  /// The names of all layers with weights in order, normalisations included.
  var namesOfLayersWithWeights: [String] {
    weighted.flatMap { [$0.name, $0.normalization?.name, $0.outputNormalization?.name].compactMap(\.self) }
  }

  /// The layers of the head, the last one left out, that have no activation.
  private var linearHiddenLayers: [String] {
    weighted.filter(\.isHead).dropLast().filter { $0.activation == "linear" }.map(\.name)
  }

  private mutating func take(_ layer: ModelConfiguration.Layer) throws(FileError) {
    noteInput(layer)
    switch layer.className {
    case "InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
      "ActivityRegularization":
      break  // These compute nothing once training is over.
    case "ZeroPadding2D": try takePadding(layer)
    case "Conv2D", "Convolution2D": try takeConvolution(layer)
    case "MaxPooling2D", "AveragePooling2D": try takePooling(layer)
    case "Flatten": try takeFlatten(layer)
    case "Dense": try takeDense(layer)
    case "BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization":
      try takeNormalization(layer)
    case "Activation", "ReLU", "Softmax": try takeActivation(layer)
    case "GlobalAveragePooling2D", "GlobalMaxPooling2D":
      try requireActivation()
      try takeFormat(layer)
      guard !weighted.isEmpty else { throw topOnly(layer) }
      guard !hasHead, !hasFlattened, headPooling == nil, zeros == nil else {
        throw wrongPlace(layer)
      }
      headPooling = (
        layer.name, Pooling(global: layer.className == "GlobalMaxPooling2D" ? .maximum : .average)
      )
    case "Rescaling", "Normalization": try takeInputScaling(layer)
    case let name where name.hasPrefix("Random") && name != "RandomCrop":
      guard weighted.isEmpty else { throw wrongPlace(layer) }
      decisions.append(
        Provenance.Decision(
          "augmentation", "left out", because: "\(layer.name), \(name), changes pictures only in training"))
    default: try takeOther(layer)
    }
  }

  /// Where the input's shape is noted: in the input layer, or in the first layer of a sequential model.
  private mutating func noteInput(_ layer: ModelConfiguration.Layer) {
    guard weighted.isEmpty, inputShape?.contains(nil) ?? true,
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

  private mutating func takeFlatten(_ layer: ModelConfiguration.Layer) throws(FileError) {
    guard !weighted.isEmpty else { throw topOnly(layer) }
    guard zeros == nil else { throw wrongPlace(layer) }
    let format = layer["data_format"]?.string
    if format == "channels_first", dataFormat == "channels_last", headPooling?.pooling.isGlobal != true,
      !hasHead
    {
      throw refusal(
        layer, "data_format", seen: layer["data_format"],
        allowed: "channels_last, as in the layers before it: otherwise rows and channels change places")
    }
    if !hasFlattened { flattenFormat = format }
    hasFlattened = true
  }

  /// The layers that people train on the features of a VGG, without it.
  func topOnly(_ layer: ModelConfiguration.Layer) -> FileError {
    FileError(
      .unsupported, code: "keras.top", file: file, "is only the top of a network, without convolutions",
      place: "layer \(layer.name)", seen: "\(layer.className) in front of the first convolution",
      allowed: "a network with its convolutions",
      advice: "put it behind the network that gave the features, and save both as one model")
  }

  /// Local response normalisation, for which Keras has no class: users make one, or a Lambda.
  private mutating func takeOther(_ layer: ModelConfiguration.Layer) throws(FileError) {
    let isNamed = LayerName.isNormalization(layer.className) || LayerName.isNormalization(layer.name)
    guard layer.className == "Lambda" || isNamed else {
      throw FileError(
        .unsupported, code: "keras.layer", file: file, "has a layer that no VGG has",
        place: "layer \(layer.name)", seen: layer.className)
    }
    if !isNamed, weighted.isEmpty {
      decisions.append(LayerName.passedOver(layer.name))
      return
    }
    guard isNamed || takesLambdaForNormalization else {
      throw LayerName.unknownFunction(layer.name, file: file)
    }
    try requireActivation()
    guard weighted.count == 1, poolings.isEmpty, normalizationName == nil else { throw wrongPlace(layer) }
    normalizationName = layer.name
  }

  /// `int8` of a policy's mode `int8`, of its name `int8_from_float32`, or of `int4/128`.
  func quantization(of layer: ModelConfiguration.Layer) throws(FileError) -> String? {
    let policy = layer["dtype"]
    guard
      let text = policy?.string ?? policy?["config"]?["mode"]?.string ?? policy?["config"]?["name"]?.string,
      policy?.string == nil || text.contains("_from_")
    else { return nil }
    let mode = text.prefix { $0 != "_" && $0 != "/" }
    if ["gptq", "awq", "ternary"].contains(mode) {
      throw refusal(layer, "dtype", seen: .string(text), allowed: "int8, int4, float8 or no quantisation")
    }
    return ["int8", "int4", "float8"].contains(mode) ? String(mode) : nil
  }

  /// What may be applied to a layer of the head.
  static let headActivations = HeadActivation.allCases.map(\.rawValue)

  func activation(
    of layer: ModelConfiguration.Layer, allowed: [String]
  ) throws(FileError) -> String {
    let value = layer["activation"]
    let name = value.map { $0.string ?? $0["class_name"]?.string ?? "" } ?? "linear"
    guard allowed.contains(name.lowercased()) else {
      throw refusal(layer, "activation", seen: value, allowed: allowed.joined(separator: ", "))
    }
    // An activation may be a layer with settings of its own.
    if let settings = value?["config"] { try requirePlain(settings, of: layer) }
    return name.lowercased()
  }

  /// A ReLU has no slope and no limits, and a softmax is over the last axis.
  private func requirePlain(
    _ settings: JSONValue, of layer: ModelConfiguration.Layer
  ) throws(FileError) {
    for (key, allowed) in [("max_value", 0), ("negative_slope", 0), ("threshold", 0), ("axis", -1)] {
      guard let value = settings[key], value != .null, value.number != Double(allowed) || key == "max_value"
      else { continue }
      // Behind a dense layer axis 1 is the last one.
      if key == "axis", value.integer == 1, weighted.last?.kernel == nil || hasFlattened { continue }
      throw refusal(
        layer, key, seen: value,
        allowed: key == "axis" ? "-1, the last one" : "a plain ReLU, without limit or slope")
    }
  }

  /// Over a map whose channels come first, a softmax is one over the columns.
  func requireChannelsLast(
    _ activation: String, in layer: ModelConfiguration.Layer
  ) throws(FileError) {
    guard activation == "softmax", isChannelsFirst, weighted.last?.kernel != nil, !hasFlattened else {
      return
    }
    throw refusal(
      layer, "activation", seen: .string(activation),
      allowed: "a softmax behind Flatten, as channels come first")
  }

  /// Notes what is behind the last layer with weights.
  mutating func setNormalization(_ normalization: Normalization, _ place: NormalizationPlace) {
    if place == .beforeActivation {
      weighted[weighted.count - 1].normalization = normalization
    } else {
      weighted[weighted.count - 1].outputNormalization = normalization
      weighted[weighted.count - 1].outputNormalization?.isBehindPooling = place == .behindPooling
    }
  }

  /// An activation that is a layer of its own belongs to the layer with weights before it.
  private mutating func takeActivation(_ layer: ModelConfiguration.Layer) throws(FileError) {
    let name =
      layer.className == "Activation"
      ? try activation(of: layer, allowed: Self.headActivations) : layer.className.lowercased()
    if name == "linear" { return }
    try requirePlain(layer.settings, of: layer)
    guard let last = weighted.last, last.activation == "linear", last.outputNormalization == nil,
      name == "relu" || last.isHead,
      headPooling == nil || last.isHead
    else { throw wrongPlace(layer) }
    try requireChannelsLast(name, in: layer)
    weighted[weighted.count - 1].activation = name
  }

  /// In front of everything but the end, the layer with weights before it must have had its activation; a dense layer may
  /// do without.
  func requireActivation() throws(FileError) {
    guard let last = weighted.last, last.activation != "relu" else { return }
    guard last.isHead, last.activation == "linear" else {
      throw wrongActivation(of: last, allowed: last.isHead ? "relu or linear" : "relu")
    }
  }

  private func wrongActivation(of layer: Weighted, allowed: String) -> FileError {
    FileError(
      .unsupported, code: "keras.config.value", file: file, "is configured otherwise than a VGG",
      place: "layer \(layer.name), activation", seen: layer.activation, allowed: allowed)
  }

  func wrongPlace(_ layer: ModelConfiguration.Layer) -> FileError {
    FileError(
      .unsupported, code: "keras.layer", file: file, "has a layer where no VGG has one",
      place: "layer \(layer.name)", seen: layer.className)
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
