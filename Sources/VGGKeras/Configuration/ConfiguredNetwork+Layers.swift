internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Layers that make up the network: convolutions, poolings, dense layers.
extension ConfiguredNetwork {
  mutating func takePadding(_ layer: ModelConfiguration.Layer) throws(FileError) {
    guard let sides = layer["padding"]?.integers, let first = sides.first,
      sides.allSatisfy({ $0 == first }), zeros == nil
    else {
      throw refusal(
        layer, "padding", seen: layer["padding"], allowed: "the same number of zeros on each side")
    }
    zeros = Extent(side: first)
  }

  mutating func takeConvolution(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try requireActivation()
    try takeFormat(layer)
    let kernel =
      layer.extent("kernel_size")
      ?? layer["nb_row"]?.integer.flatMap { rows in
        layer["nb_col"]?.integer.map { Extent(height: rows, width: $0) }
      }
    let mode = layer["padding", "border_mode"]
    let isHead = isHead(kernel, isValid: mode?.string == "valid")
    guard let kernel, isHead || kernel == Extent(side: 3) || kernel == Extent(side: 1) else {
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
    let paddingOfValid = zeros ?? Extent(side: 0)
    let isPadded =
      switch mode?.string {
      case "same": zeros == nil || zeros == Extent(side: 0)
      case "valid": isHead || paddingOfValid == Extent(height: kernel.height / 2, width: kernel.width / 2)
      default: false
      }
    guard isPadded else {
      throw refusal(
        layer, "padding", seen: mode,
        allowed: "what keeps the extent: same, or as many zeros by ZeroPadding2D")
    }
    zeros = nil
    guard let outputs = layer["filters", "nb_filter"]?.integer, !hasFlattened, isHead || !hasHead,
      isHead || headPooling == nil
    else { throw wrongPlace(layer) }
    let activation = try activation(of: layer, allowed: isHead ? Self.headActivations : ["relu", "linear"])
    weighted.append(
      Weighted(
        name: layer.name, kernel: kernel, isHead: isHead, outputs: outputs, hasBias: layer.hasBias,
        activation: activation))
    try requireChannelsLast(activation, in: layer)
    if !isHead { openConvolutions += 1 }
  }

  /// Whether a convolution is a dense layer over all that is left of the map, or over one pixel behind such a layer.
  ///
  /// No block begins with a kernel of 1x1, or with one that is not padded.
  private func isHead(_ kernel: Extent?, isValid: Bool) -> Bool {
    guard let kernel, kernel.height == kernel.width, zeros == nil else { return false }
    if hasHead || headPooling?.pooling.isGlobal == true { return kernel == Extent(side: 1) }
    guard openConvolutions == 0, !poolings.isEmpty else { return false }
    return kernel == Extent(side: 1) || isValid
  }

  mutating func takePooling(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try requireActivation()
    try takeFormat(layer)
    let isSixth = openConvolutions == 0
    guard !poolings.isEmpty || !isSixth, zeros == nil, !hasHead, !hasFlattened, headPooling == nil else {
      throw wrongPlace(layer)
    }
    let kernel = layer.extent("pool_size")
    let stride = layer["strides"] == nil ? kernel : layer.extent("strides")
    let sides = 1...Network.largestInputSide
    guard let kernel, let stride,
      isSixth
        ? [kernel.height, kernel.width, stride.height, stride.width].allSatisfy(sides.contains)
        : kernel == Extent(side: 2) && stride == kernel
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
    if isSixth {
      headPooling = (layer.name, pool)
    } else {
      poolings.append(FoundNetwork.PlacedPooling(pool, behind: weighted.count))
    }
    openConvolutions = 0
  }

  mutating func takeDense(_ layer: ModelConfiguration.Layer) throws(FileError) {
    try requireActivation()
    guard !weighted.isEmpty else { throw topOnly(layer) }
    guard hasFlattened || headPooling?.pooling.isGlobal == true else {
      throw FileError(
        .unsupported, code: "keras.layer", file: file,
        "is not a VGG: a dense layer does not read the flattened map",
        place: "layer \(layer.name)", seen: "no Flatten",
        allowed: "Flatten or a pooling over the whole map in front of it")
    }
    guard let outputs = layer["units", "output_dim"]?.integer else {
      throw refusal(layer, "units", seen: layer["units"], allowed: "a number")
    }
    weighted.append(
      Weighted(
        name: layer.name, kernel: nil, isHead: true, outputs: outputs, hasBias: layer.hasBias,
        activation: try activation(of: layer, allowed: Self.headActivations),
        quantization: try quantization(of: layer)))
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
