internal import JSONKit
internal import VGGModel

/// What a configuration says of the network: all that VGG leaves no choice in is checked, the rest is kept.
struct ConfiguredNetwork {
  /// A convolution or dense layer.
  struct Weighted: Equatable {
    var name: String
    /// Rows and columns of the kernel; nil for a dense layer.
    var kernel: Extent?
    /// Output channels, or outputs.
    var outputs: Int
    var hasBias: Bool
    /// `relu`, `softmax`, or `linear` where there is none (yet).
    var activation: String
    /// How a dense layer is quantised, such as `int8`; nil: not, as far as it is said.
    var quantization: String?
    /// The batch normalisation behind it, in front of its activation.
    var normalization: Normalization?

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
  }

  /// The layers with weights, in order.
  private(set) var weighted: [Weighted] = []
  /// The poolings and their places.
  private(set) var poolings: [FoundNetwork.PlacedPooling] = []
  /// The input's extent, where it is fixed.
  private(set) var inputExtent: Extent?
  /// The order of the axes of feature maps.
  private(set) var isChannelsFirst = false
  /// What `Flatten` says of the order of axes, nil where it says nothing or there is none.
  private(set) var flattenFormat: String?
  /// The name of the layer in the place of A-LRN's normalisation.
  private(set) var normalizationName: String?
  /// The pooling over the whole map behind the blocks.
  private(set) var globalPooling: (name: String, pooling: Pooling)?
  /// What is done to pictures in front of the first convolution.
  var inputScaling: InputScaling?
  /// What was passed over, and why.
  var decisions: [Provenance.Decision] = []

  let file: String
  private let takesLambdaForNormalization: Bool
  private var openConvolutions = 0
  private var hasFlattened = false
  /// The zeros that a padding layer has added in front of the next convolution.
  private var zeros: Extent?

  /// Goes through the layers.
  ///
  /// - Throws: `unsupported` where something is not as in a VGG, naming the layer.
  init(_ configuration: ModelConfiguration, file: String, options: ImportOptions) throws(FileError) {
    self.file = file
    takesLambdaForNormalization = options.normalization != nil
    for layer in configuration.layers { try take(layer) }
    if let last = weighted.last, last.kernel == nil {
      guard last.activation != "relu" else {
        throw wrongActivation(of: last, allowed: "softmax or linear in the last layer")
      }
      if last.activation == "linear" {
        decisions.append(
          Provenance.Decision(
            "softmax", "added", because: "\(last.name) is the last layer and has no activation"))
      }
    } else {
      try requireActivation()
    }
    if !linearHiddenLayers.isEmpty {
      decisions.append(
        Provenance.Decision(
          "activation", "none behind \(linearHiddenLayers.joined(separator: ", "))",
          because: "so it is configured"))
    }
    if let globalPooling, !weighted.contains(where: { $0.kernel == nil }) {
      decisions.append(
        Provenance.Decision(
          "head", "ends at pool5",
          because: "\(globalPooling.name) behind it has no weights and is left out"))
    }
  }

  /// The names of all layers with weights in order, normalisations included.
  var namesOfLayersWithWeights: [String] {
    weighted.flatMap { [$0.name, $0.normalization?.name].compactMap(\.self) }
  }

  /// The dense layers, the last one left out, that have no activation.
  private var linearHiddenLayers: [String] {
    weighted.filter { $0.kernel == nil }.dropLast().filter { $0.activation == "linear" }.map(\.name)
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
    case "Flatten":
      guard poolings.count == 5 else { throw wrongPlace(layer) }
      flattenFormat = layer["data_format"]?.string
      hasFlattened = true
    case "Dense": try takeDense(layer)
    case "BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization":
      try takeNormalization(layer)
    case "Activation", "ReLU", "Softmax": try takeActivation(layer)
    case "GlobalAveragePooling2D", "GlobalMaxPooling2D":
      guard poolings.count == 5, !hasFlattened, globalPooling == nil, zeros == nil else {
        throw wrongPlace(layer)
      }
      globalPooling = (
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
    let shape = layer["batch_shape", "batch_input_shape"]
    guard weighted.isEmpty, inputExtent == nil, let sizes = shape?.array?.map(\.integer), sizes.count == 4
    else { return }
    // An input has few channels and many rows, so the axes tell themselves apart here.
    let isChannelsFirst = (sizes[1] ?? .max) <= 4 && (sizes[3] ?? .max) > 4
    guard let height = sizes[isChannelsFirst ? 2 : 1], let width = sizes[isChannelsFirst ? 3 : 2] else {
      return
    }
    inputExtent = Extent(height: height, width: width)
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

  private mutating func takePadding(_ layer: ModelConfiguration.Layer) throws(FileError) {
    guard let sides = layer["padding"]?.integers, let first = sides.first,
      sides.allSatisfy({ $0 == first }), zeros == nil
    else {
      throw refusal(
        layer, "padding", seen: layer["padding"], allowed: "the same number of zeros on each side")
    }
    zeros = Extent(side: first)
  }

  private mutating func takeConvolution(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try requireActivation()
    let kernel =
      layer.extent("kernel_size")
      ?? layer["nb_row"]?.integer.flatMap { rows in
        layer["nb_col"]?.integer.map { Extent(height: rows, width: $0) }
      }
    guard let kernel, kernel == Extent(side: 3) || kernel == Extent(side: 1) else {
      throw refusal(layer, "kernel_size", seen: layer["kernel_size", "nb_row"], allowed: "3x3 or 1x1")
    }
    for key in ["strides", "subsample", "dilation_rate"] {
      guard layer[key] == nil || layer.extent(key) == Extent(side: 1) else {
        throw refusal(layer, key, seen: layer[key], allowed: "1x1")
      }
    }
    guard layer["groups"] == nil || layer["groups"]?.integer == 1 else {
      throw refusal(layer, "groups", seen: layer["groups"], allowed: "1")
    }
    let mode = layer["padding", "border_mode"]
    let paddingOfValid = zeros ?? Extent(side: 0)
    let isPadded =
      switch mode?.string {
      case "same": zeros == nil || zeros == Extent(side: 0)
      case "valid": paddingOfValid == Extent(height: kernel.height / 2, width: kernel.width / 2)
      default: false
      }
    guard isPadded else {
      throw refusal(
        layer, "padding", seen: mode,
        allowed: "what keeps the extent: same, or as many zeros by ZeroPadding2D")
    }
    zeros = nil
    guard let outputs = layer["filters", "nb_filter"]?.integer, !hasFlattened, poolings.count < 5
    else { throw wrongPlace(layer) }
    isChannelsFirst =
      layer["data_format"]?.string == "channels_first" || layer["dim_ordering"]?.string == "th"
    weighted.append(
      Weighted(
        name: layer.name, kernel: kernel, outputs: outputs, hasBias: layer.hasBias,
        activation: try activation(of: layer, allowed: ["relu", "linear"])))
    openConvolutions += 1
  }

  private mutating func takePooling(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try requireActivation()
    guard openConvolutions > 0, zeros == nil, poolings.count < 5 else { throw wrongPlace(layer) }
    for key in ["pool_size", "strides"] {
      guard layer.extent(key) == Extent(side: 2) || (key == "strides" && layer[key] == nil) else {
        throw refusal(layer, key, seen: layer[key], allowed: "2x2")
      }
    }
    let mode = layer["padding", "border_mode"]
    var pool: Pooling
    switch mode?.string {
    case "valid", nil: pool = Pooling(rounding: .floor)
    case "same": pool = Pooling(rounding: .ceiling)
    default: throw refusal(layer, "padding", seen: mode, allowed: "valid or same")
    }
    if layer.className == "AveragePooling2D" { pool.method = .average }
    poolings.append(FoundNetwork.PlacedPooling(pool, behind: weighted.count))
    openConvolutions = 0
  }

  private mutating func takeDense(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try requireActivation()
    guard hasFlattened || globalPooling != nil else {
      throw FileError(
        .unsupported, code: "keras.layer", file: file,
        "is no VGG: a dense layer does not read the flattened map",
        place: "layer \(layer.name)", seen: "no Flatten",
        allowed: "Flatten or a pooling over the whole map in front of it")
    }
    guard let outputs = layer["units", "output_dim"]?.integer else {
      throw refusal(layer, "units", seen: layer["units"], allowed: "a number")
    }
    weighted.append(
      Weighted(
        name: layer.name, kernel: nil, outputs: outputs, hasBias: layer.hasBias,
        activation: try activation(of: layer, allowed: ["relu", "softmax", "linear"]),
        quantization: try quantization(of: layer)))
  }

  /// `int8` of a policy's mode `int8`, of its name `int8_from_float32`, or of `int4/128`.
  private func quantization(of layer: ModelConfiguration.Layer) throws(FileError) -> String? {
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

  private func activation(
    of layer: ModelConfiguration.Layer, allowed: [String]
  ) throws(FileError) -> String {
    let value = layer["activation"]
    let name = value.map { $0.string ?? $0["class_name"]?.string ?? "" } ?? "linear"
    guard allowed.contains(name.lowercased()) else {
      throw refusal(layer, "activation", seen: value, allowed: allowed.joined(separator: ", "))
    }
    return name.lowercased()
  }

  /// Whether the last layer with weights has neither activation nor normalisation, and nothing is behind it yet.
  var canTakeNormalization: Bool {
    guard let last = weighted.last else { return false }
    return last.activation == "linear" && last.normalization == nil && zeros == nil
      && (last.kernel == nil || openConvolutions > 0)
  }

  /// Notes what is behind the last layer with weights.
  mutating func setNormalization(_ normalization: Normalization) {
    weighted[weighted.count - 1].normalization = normalization
  }

  /// An activation that is a layer of its own belongs to the layer with weights before it.
  private mutating func takeActivation(_ layer: ModelConfiguration.Layer) throws(FileError) {
    let name =
      layer.className == "Activation"
      ? try activation(of: layer, allowed: ["relu", "softmax", "linear"]) : layer.className.lowercased()
    if name == "linear" { return }
    for key in ["max_value", "negative_slope", "threshold"] {
      guard let value = layer[key], value.number != 0 else { continue }
      throw refusal(layer, key, seen: value, allowed: "that of relu")
    }
    guard let last = weighted.last, last.activation == "linear", name == "relu" || last.kernel == nil else {
      throw wrongPlace(layer)
    }
    weighted[weighted.count - 1].activation = name
  }

  /// In front of everything but the end, the layer with weights before it must have had its activation; a dense layer may
  /// do without.
  private func requireActivation() throws(FileError) {
    guard let last = weighted.last, last.activation != "relu" else { return }
    guard last.kernel == nil, last.activation == "linear" else {
      throw wrongActivation(of: last, allowed: last.kernel == nil ? "relu or linear" : "relu")
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

extension ModelConfiguration.Layer {
  /// One number for both sides, or a number for each.
  fileprivate func extent(_ key: String) -> Extent? {
    guard let numbers = self[key]?.integers, let height = numbers.first, let width = numbers.last,
      numbers.count <= 2
    else { return nil }
    return Extent(height: height, width: width)
  }

  fileprivate var hasBias: Bool { self["use_bias", "bias"]?.bool ?? true }
}

extension JSONValue {
  /// A whole number, or all numbers of nested arrays; nil where there is anything else.
  fileprivate var integers: [Int]? {
    if let integer { return [integer] }
    guard let members = array?.map(\.integers), !members.contains(nil) else { return nil }
    return members.compactMap(\.self).flatMap(\.self)
  }
}
