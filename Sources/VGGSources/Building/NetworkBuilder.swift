internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// The work of making a model of found weights.
struct NetworkBuilder {
  var found: FoundNetwork
  let file: String
  var tensors: [Tensor] = []
  var decisions: [Provenance.Decision] = []
  /// The tensors that were worked into others, and the layers that they are in now.
  var folded: [(source: SourceTensor, layer: String)] = []
  /// The normalisation behind the last activation, for the next layer to take in.
  private var pending: (map: ChannelMap, isBehindPooling: Bool)?

  init(found: FoundNetwork, file: String) {
    self.found = found
    self.file = file
  }

  mutating func network(_ options: ImportOptions) throws(FileError) -> Network {
    let (prefix, poolings) = try identify(options.architecture)
    var convolutions: [Convolution] = []
    for (index, layer) in found.convolutions.enumerated() {
      var convolution = try convolution(
        layer, name: prefix.architecture.convolutionNames[index],
        inputChannels: convolutions.last?.outputChannels)
      if index > 0, found.convolutions[index - 1].outputNormalization != nil { convolution.hasBias = true }
      convolutions.append(convolution)
    }
    let features = Network.featureLayers(
      prefix, convolutions: convolutions, poolings: poolings, headPooling: found.headPooling,
      normalization: found.normalization)
    var stored = found.convolutions[...]
    for layer in features {
      if case .convolution(let convolution) = layer.operation {
        try add(stored.removeFirst(), name: layer.name, outputs: convolution.outputChannels)
      } else {
        try passPending(through: layer)
      }
    }
    let featureNetwork = Network(
      architecture: prefix.architecture, inputChannels: convolutions[0].inputChannels,
      inputExtent: found.inputExtent, layers: features)
    let (head, extent) = try self.head(behind: featureNetwork, options)
    if let pending { throw pending.map.withoutNext }
    if !folded.isEmpty {
      decisions.append(
        Provenance.Decision(
          .foldedNormalizations(layerCount: Set(folded.map(\.layer)).count),
          because: "it is linear in a network that is not trained; digests of the unfolded tensors are kept"))
    }
    return Network(
      architecture: prefix.architecture, inputChannels: convolutions[0].inputChannels, inputExtent: extent,
      layers: features + (head?.layers ?? []))
  }

  /// A convolution of the network, its shape checked and its tensors named.
  private func convolution(
    _ layer: FoundNetwork.WeightedLayer, name: String, inputChannels: Int?
  ) throws(FileError) -> Convolution {
    let shape = layer.weight.canonicalShape
    let kernel = Extent(height: shape[0], width: shape[1])
    var convolution =
      layer.convolution ?? Convolution(kernel: kernel, inputChannels: shape[2], outputChannels: shape[3])
    convolution.hasBias = layer.hasBias || layer.batchNormalization != nil
    guard shape[2] > 0, shape[3] > 0, shape[2] <= 1 << 16, shape[3] <= 1 << 16 else {
      throw FileError(
        .malformed, code: "model.channels", file: file, "has an impossible number of channels",
        place: "layer \(layer.name)", seen: "\(shape[2]) in, \(shape[3]) out", allowed: "1 to \(1 << 16)")
    }
    if let inputChannels, inputChannels != shape[2] {
      throw FileError(
        .malformed, code: "model.chain", file: file, "has layers that do not fit together",
        place: "layer \(layer.name), which is \(name)", seen: "\(shape[2]) input channels",
        allowed: "\(inputChannels), as the layer before it gives")
    }
    return convolution
  }

  /// The dense layers, and the input's extent that the first of them tells.
  private mutating func head(
    behind features: Network, _ options: ImportOptions
  ) throws(FileError) -> (head: Head?, inputExtent: Extent?) {
    guard let first = found.dense.first, let last = found.dense.last else { return (nil, found.inputExtent) }
    guard found.dense.count <= 3 else {
      throw FileError(
        .unsupported, code: "model.dense", file: file, "is not a VGG",
        seen: "\(found.dense.count) dense layers", allowed: "none to three")
    }
    let channels = found.convolutions[found.convolutions.count - 1].weight.canonicalShape[3]
    if found.inputExtent == nil, found.headPooling?.isGlobal == true {
      found.inputExtent = Extent(side: 224)
      decisions.append(
        Provenance.Decision(
          .inputSize(Extent(side: 224)),
          because: "assumed: the head reads means of the map, whatever its extent"))
    }
    let extent = try flattenedExtent(
      first.weight.canonicalShape[0], channels: channels, features: features, layer: first.name)
    if found.flattenOrder == .chw {
      found.dense[0].weight.layout =
        first.weight.layout == .outIn
        ? .outInFromCHW(channels: channels, extent: extent.flattened)
        : .inOutFromCHW(channels: channels, extent: extent.flattened)
    }
    let activation = try headActivation(of: last, options)
    var dense: [Dense] = []
    for (layer, name) in zip(
      found.dense, Head.denseNames(count: found.dense.count, activation: activation))
    {
      let shape = layer.weight.canonicalShape
      guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
        throw FileError(
          .malformed, code: "model.dense", file: file, "has a dense layer of an impossible shape",
          place: "layer \(layer.name)", seen: "\(layer.weight.shape)", allowed: "two positive numbers")
      }
      if let previous = dense.last, previous.outputs != shape[0] {
        throw FileError(
          .malformed, code: "model.chain", file: file, "has layers that do not fit together",
          place: "layer \(layer.name), which is \(name)", seen: "\(shape[0]) inputs",
          allowed: "\(previous.outputs), as the layer before it gives")
      }
      let takesMap = pending != nil
      try add(layer, name: name, outputs: shape[1])
      var description = Dense(
        inputs: shape[0], outputs: shape[1], activation: layer.hiddenActivation ?? .relu)
      description.hasBias = layer.hasBias || layer.batchNormalization != nil || takesMap
      dense.append(description)
    }
    return (Head(dense, activation: activation), extent.input)
  }

  /// What is applied to the last dense layer: what the user says, else the source; else a softmax, where that makes sense.
  private mutating func headActivation(
    of last: FoundNetwork.WeightedLayer, _ options: ImportOptions
  ) throws(FileError) -> HeadActivation {
    let outputs = last.weight.canonicalShape.last ?? 0
    func decide(_ activation: HeadActivation, _ evidence: String) -> HeadActivation {
      decisions.append(Provenance.Decision(.headActivation(activation), because: evidence))
      return activation
    }
    if let wanted = options.headActivation {
      let said = found.headActivation.map { "; the file says \($0.activation.rawValue)" } ?? ""
      return decide(wanted, "asked for" + said)
    }
    if let known = found.headActivation {
      guard known.activation == .softmax else { return decide(known.activation, known.evidence) }
      guard outputs > 1 else {
        throw FileError(
          .unsupported, code: "model.head", file: file,
          "has a softmax over a single output, which is 100 % for every picture", place: "layer \(last.name)",
          seen: known.evidence, allowed: "2 or more outputs",
          advice: "--head-activation sigmoid or linear, if it was trained so")
      }
      return .softmax
    }
    guard outputs > 1 else {
      throw FileError(
        .unsupported, code: "model.head", file: file,
        "does not tell what is applied to its only output", place: "layer \(last.name)",
        seen: "1 output", allowed: "a sigmoid (a probability) or nothing (a value)",
        advice: "state it: --head-activation sigmoid or linear")
    }
    return decide(.softmax, "assumed: the file does not tell what is applied to \(last.name)")
  }

  /// The extent of the features and of the input, from the first dense layer's inputs and what the source says.
  private mutating func flattenedExtent(
    _ inputs: Int, channels: Int, features: Network, layer: String
  ) throws(FileError) -> (flattened: Extent, input: Extent) {
    func mismatch(_ seen: String, allowed: String, advice: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "model.flatten", file: file,
        "has a dense layer that does not fit the convolutions",
        place: "layer \(layer)", seen: seen, allowed: allowed, advice: advice)
    }
    guard inputs > 0, inputs % channels == 0 else {
      throw mismatch(
        "\(inputs) inputs",
        allowed: "a multiple of the \(channels) channels of \(features.layers.last?.name ?? "the map")")
    }
    if let input = found.inputExtent {
      let map: FeatureShape?
      do throws(ShapeError) {
        map = try features.outputShapes(for: input).last
      } catch {
        throw FileError(.malformed, code: "model.shape", file: file, error.problem, place: error.layer)
      }
      guard let map, map.count == inputs else {
        throw mismatch(
          "\(inputs) inputs = \(inputs / channels) pixels",
          allowed: "\(map?.extent.description ?? "0") pixels, as an input of \(input) gives",
          advice: roundingThatFits(inputs, features, input))
      }
      return (map.extent, input)
    }
    let pixels = inputs / channels
    let side = Int(Double(pixels).squareRoot().rounded())
    let input = Extent(side: side <= Network.largestInputSide ? features.inputSide(forFeatures: side) : .max)
    guard side * side == pixels, let shapes = try? features.outputShapes(for: input),
      shapes.last?.extent == Extent(side: side)
    else {
      throw mismatch(
        "\(inputs) inputs = \(pixels) pixels", allowed: "a square number of pixels of \(channels) channels")
    }
    decisions.append(
      Provenance.Decision(
        .inputSize(input),
        because: "\(layer) reads \(side)x\(side) pixels of \(channels) channels"))
    return (Extent(side: side), input)
  }

  /// What to say where the dense layer would fit if all poolings rounded the other way.
  private func roundingThatFits(_ inputs: Int, _ features: Network, _ input: Extent) -> String? {
    for (rounding, word) in [(Pooling.Rounding.floor, "down"), (.ceiling, "up")] {
      let layers = features.layers.map { layer in
        guard case .pooling(var pooling) = layer.operation else { return layer }
        pooling.rounding = rounding
        return Layer(name: layer.name, operation: .pooling(pooling))
      }
      let network = Network(
        architecture: features.architecture, inputChannels: features.inputChannels, inputExtent: input,
        layers: layers)
      if let pool5 = try? network.outputShapes(for: input).last, pool5.count == inputs {
        return "it would fit if the poolings rounded \(word), to \(pool5.extent) pixels"
      }
    }
    return nil
  }

  /// A layer without weights behind one whose output is normalised.
  private mutating func passPending(through layer: Layer) throws(FileError) {
    guard let pending else { return }
    if pending.isBehindPooling, case .pooling = layer.operation {
      self.pending?.isBehindPooling = false
    } else {
      try pending.map.requirePassage(through: layer)
    }
  }

  private mutating func add(_ stored: FoundNetwork.WeightedLayer, name: String, outputs: Int)
    throws(FileError)
  {
    folded += stored.tensorsToFold(input: pending?.map).map { ($0, name) }
    let layer = try stored.folded(input: pending?.map, file: file)
    pending = try stored.outputNormalization.map { (behind) throws(FileError) in
      (
        try ChannelMap(behind.normalization, behind: layer.name, channels: outputs, file: file),
        behind.isBehindPooling
      )
    }
    tensors.append(layer.weightTensor("\(name)/weight"))
    if let codes = layer.biasCodes {
      guard codes.count == outputs else {
        throw FileError(
          .malformed, code: "model.bias", file: file, "has a bias that does not fit its weight",
          place: "layer \(stored.name)", seen: "\(codes.count) codes", allowed: "\(outputs)")
      }
      tensors.append(
        Tensor(name: "\(name)/bias", role: .bias, shape: [outputs], content: .bias(codes)))
    }
    guard let bias = layer.bias else { return }
    guard bias.canonicalShape == [outputs] else {
      throw FileError(
        .malformed, code: "model.bias", file: file, "has a bias that does not fit its weight",
        offset: bias.fileOffset, place: "tensor \(bias.name)", seen: "\(bias.shape)", allowed: "[\(outputs)]")
    }
    tensors.append(Tensor(name: "\(name)/bias", role: .bias, source: bias))
  }

  /// What the source stores must be finite, and so must what was computed of it.
  func requireFiniteValues() throws(FileError) {
    for layer in found.convolutions + found.dense {
      for tensor in [layer.weight, layer.bias].compactMap(\.self) + (layer.batchNormalization?.tensors ?? [])
        + (layer.outputNormalization?.normalization.tensors ?? [])
      {
        guard let (index, value) = tensor.firstNonFiniteValue() else { continue }
        throw nonFinite(
          value, "tensor \(tensor.name), element \(index)",
          offset: tensor.fileOffset.map { $0 + index * tensor.elementStride })
      }
    }
    let computed = Set(folded.map(\.layer)).flatMap { ["\($0)/weight", "\($0)/bias"] }
    for tensor in tensors where computed.contains(tensor.name) || tensor.source?.scaling != nil {
      let wrong = try tensor.values.reducePieces(rowLength: tensor.shape.last ?? 1, into: Float?.none) {
        _, values in
        values.first { !$0.isFinite }
      } combine: { total, part in
        total = total ?? part
      }
      if let wrong { throw nonFinite(wrong, "tensor \(tensor.name), as computed", offset: nil) }
    }
  }

  private func nonFinite(_ value: Float, _ place: String, offset: Int?) -> FileError {
    FileError(
      .malformed, code: "model.nonfinite", file: file, "has a value that is not a finite number",
      offset: offset, place: place, seen: "\(value)", allowed: "finite numbers",
      advice: "--allow-nonfinite takes it as it is")
  }
}

extension Network {
  /// The side of the smallest picture whose features have a side: convolutions keep it, poolings divide it.
  fileprivate func inputSide(forFeatures side: Int) -> Int {
    layers.reversed().reduce(side) { side, layer in
      guard case .pooling(let pooling) = layer.operation, !pooling.isGlobal else { return side }
      return (side - 1) * pooling.stride.height + pooling.kernel.height - 2 * pooling.padding.height
    }
  }
}
