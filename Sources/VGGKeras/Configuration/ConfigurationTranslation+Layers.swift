internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Layers that make up the network: convolutions, poolings, dense layers.
extension ConfigurationTranslation {
  mutating func takePadding(_ layer: ModelConfiguration.Layer) throws(FileError) {
    guard let sides = layer["padding"]?.integers, let first = sides.first,
      sides.allSatisfy({ $0 == first }), (0...Network.largestInputSide).contains(first)
    else {
      throw refusal(
        layer, "padding", seen: layer["padding"], allowed: "the same number of zeros on each side")
    }
    append(layer, .padding(Extent(side: first)))
  }

  mutating func takeConvolution(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try takeFormat(layer)
    let kernel =
      layer.extent("kernel_size")
      ?? layer["nb_row"]?.integer.flatMap { rows in
        layer["nb_col"]?.integer.map { Extent(height: rows, width: $0) }
      }
    guard let kernel else {
      throw refusal(layer, "kernel_size", seen: layer["kernel_size", "nb_row"], allowed: "3x3 or 1x1")
    }
    var window = NeutralLayer.Window(kernel: kernel, padding: Extent(side: 0))
    for key in ["strides", "subsample", "dilation_rate"] where layer[key] != nil {
      guard let extent = layer.extent(key) else {
        throw refusal(layer, key, seen: layer[key], allowed: "1x1")
      }
      if key == "dilation_rate" { window.dilation = extent } else { window.stride = extent }
    }
    if let groups = layer["groups"] {
      guard let number = groups.integer else { throw refusal(layer, "groups", seen: groups, allowed: "1") }
      window.groups = number
    }
    switch layer["padding", "border_mode"]?.string {
    case "same": window.padding = kernel.paddingThatKeepsTheMap
    case "valid": break
    default: throw paddingRefusal(layer)
    }
    guard let outputs = layer["filters", "nb_filter"]?.integer else {
      throw refusal(layer, "filters", seen: layer["filters", "nb_filter"], allowed: "a number")
    }
    append(
      layer, .convolution(window),
      weighted: ConfiguredNetwork.Weighted(
        name: layer.name, kernel: kernel, outputs: outputs, hasBias: layer.hasBias))
    try takeActivation(of: layer)
  }

  func paddingRefusal(_ layer: ModelConfiguration.Layer) -> FileError {
    refusal(
      layer, "padding", seen: layer["padding", "border_mode"],
      allowed: "what keeps the extent: same, or as many zeros by ZeroPadding2D")
  }

  mutating func takePooling(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try takeFormat(layer)
    let kernel = layer.extent("pool_size")
    let stride = layer["strides"] == nil ? kernel : layer.extent("strides")
    let sides = 1...Network.largestInputSide
    guard let kernel, let stride,
      [kernel.height, kernel.width, stride.height, stride.width].allSatisfy(sides.contains)
    else {
      let key = kernel == Extent(side: 2) ? "strides" : "pool_size"
      throw refusal(layer, key, seen: layer[key], allowed: "2x2")
    }
    let mode = layer["padding", "border_mode"]
    var pool: Pooling
    switch mode?.string {
    case "valid", nil: pool = Pooling(rounding: .floor)
    case "same" where kernel == Extent(side: 2) && stride == kernel: pool = Pooling(rounding: .ceiling)
    default: throw refusal(layer, "padding", seen: mode, allowed: "valid, or same for 2x2")
    }
    (pool.kernel, pool.stride) = (kernel, stride)
    if layer.className == "AveragePooling2D" { pool.method = .average }
    append(layer, .pooling(pool))
  }

  mutating func takeDense(_ layer: ModelConfiguration.Layer) throws(FileError) {
    guard let outputs = layer["units", "output_dim"]?.integer else {
      throw refusal(layer, "units", seen: layer["units"], allowed: "a number")
    }
    append(
      layer, .dense,
      weighted: ConfiguredNetwork.Weighted(
        name: layer.name, kernel: nil, outputs: outputs, hasBias: layer.hasBias,
        quantization: try quantization(of: layer)))
    isFlat = true
    try takeActivation(of: layer)
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

  /// Whether Keras computes the layer in float16 or bfloat16, by its policy.
  var computesInHalf: Bool {
    let policy = self["dtype"]
    let name = policy?.string ?? policy?["config"]?["name"]?.string
    return name?.hasSuffix("float16") == true
  }
}

extension JSONValue {
  /// A whole number, or all numbers of nested arrays; nil where there is anything else.
  fileprivate var integers: [Int]? {
    if let integer { return [integer] }
    guard let members = array?.map(\.integers), !members.contains(nil) else { return nil }
    return members.compactMap(\.self).flatMap(\.self)
  }
}
