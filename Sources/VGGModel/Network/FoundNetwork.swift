/// The weights that an importer found, in the order of the network, before it is known which network they are.
///
/// Importers know their format; what makes a VGG of weights is decided here, once for all of them: by the shapes in
/// their order, never by names.
public struct FoundNetwork: Sendable {
  /// A convolution or dense layer of the source.
  public struct WeightedLayer: Sendable {
    /// The layer's name in the source.
    public var name: String
    /// The weight: rank 4 for a convolution, rank 2 for a dense layer, with the layout it has in the source.
    public var weight: SourceTensor
    /// The bias, rank 1, where there is one.
    public var bias: SourceTensor?
    /// What the source says of the layer's stride, padding, dilation and activation; nil: what VGG has.
    public var convolution: Convolution?
    /// The batch normalisation behind the layer, in front of its activation; it is worked into weight and bias.
    public var batchNormalization: BatchNormalization?

    /// Creates a layer.
    public init(name: String, weight: SourceTensor, bias: SourceTensor?, convolution: Convolution? = nil) {
      self.name = name
      self.weight = weight
      self.bias = bias
      self.convolution = convolution
    }
  }

  /// The convolutions of the five blocks in order.
  public var convolutions: [WeightedLayer]
  /// The dense layers in order, none to three.
  public var dense: [WeightedLayer]
  /// The order in which the first dense layer's inputs are flattened.
  public var flattenOrder: FlattenOrder
  /// The five pooling layers, and as a sixth one a pooling over the whole map in front of the dense layers.
  public var pooling: [Pooling]
  /// The normalisation behind the first convolution, where there is one.
  public var normalization: LocalResponseNormalization?
  /// The input's extent, where the source tells it.
  public var inputExtent: Extent?

  /// Creates a description of what was found.
  public init(
    convolutions: [WeightedLayer], dense: [WeightedLayer], flattenOrder: FlattenOrder, pooling: [Pooling],
    normalization: LocalResponseNormalization? = nil, inputExtent: Extent? = nil
  ) {
    self.convolutions = convolutions
    self.dense = dense
    self.flattenOrder = flattenOrder
    self.pooling = pooling
    self.normalization = normalization
    self.inputExtent = inputExtent
  }
}

extension Model {
  /// Makes a canonical model of the weights that an importer found.
  ///
  /// - Parameters:
  ///   - found: The layers in order.
  ///   - file: The source file's path, for errors.
  ///   - preprocessing: What is known of it.
  ///   - provenance: Where the weights come from; the decisions taken here are added.
  ///   - options: What the user decided.
  /// - Throws: `unsupported` where the weights are no VGG; `malformed` where they do not fit together or are not finite.
  public init(
    _ found: FoundNetwork, file: String, preprocessing: Preprocessing?, labels: [String] = [],
    provenance: Provenance, options: ImportOptions
  ) throws(FileError) {
    var assembly = Assembly(found: found, file: file)
    let network = try assembly.network(options)
    var provenance = provenance
    provenance.decisions += assembly.decisions
    provenance.folded = assembly.folded.map { Provenance.FoldedTensor($0.source.name, into: $0.layer) }
    if !options.allowsNonFinite { try assembly.requireFiniteValues() }
    do throws(ShapeError) {
      try self.init(
        network: network, tensors: assembly.tensors, preprocessing: preprocessing, labels: labels,
        provenance: provenance)
      foldedSources = assembly.folded.map(\.source)
    } catch {
      throw FileError(.malformed, code: "model.shape", file: file, error.problem, place: error.layer)
    }
  }
}

/// The work of making a model of found weights.
private struct Assembly {
  var found: FoundNetwork
  let file: String
  var tensors: [Tensor] = []
  var decisions: [Provenance.Decision] = []
  /// The tensors that were worked into others, and the layers that they are in now.
  var folded: [(source: SourceTensor, layer: String)] = []

  init(found: FoundNetwork, file: String) {
    self.found = found
    self.file = file
  }

  mutating func network(_ options: ImportOptions) throws(FileError) -> Network {
    let architecture = try identify()
    if let wanted = options.architecture, wanted != architecture {
      throw FileError(
        .unsupported, code: "model.architecture", file: file, "is another network than was asked for",
        seen: architecture.rawValue, allowed: wanted.rawValue)
    }
    var convolutions: [Convolution] = []
    for (name, layer) in zip(architecture.convolutionNames, found.convolutions) {
      convolutions.append(
        try convolution(layer, name: name, inputChannels: convolutions.last?.outputChannels))
    }
    let features = Network.featureLayers(
      architecture, convolutions: convolutions, pooling: found.pooling, normalization: found.normalization)
    if !folded.isEmpty {
      let count = Set(folded.map(\.layer)).count
      decisions.append(
        Provenance.Decision(
          "batch-normalization", "folded into \(count) convolutions",
          because: "it is linear in a network that is not trained; digests of the unfolded tensors are kept"))
    }
    let channels = convolutions[convolutions.count - 1].outputChannels
    let (dense, extent) = try self.dense(
      of: architecture, features: features, channels: channels, inputChannels: convolutions[0].inputChannels)
    return Network(
      architecture: architecture, inputChannels: convolutions[0].inputChannels, inputExtent: extent,
      layers: features + Network.denseLayers(dense))
  }

  /// Which of the six networks has these kernels.
  private func identify() throws(FileError) -> Architecture {
    do throws(FileError) { return try architecture() } catch {
      let shapes = found.convolutions.map(\.weight.canonicalShape)
      throw error.naming(
        KnownNetwork(
          kernels: shapes.filter { $0.count == 4 }.map {
            KnownNetwork.Kernel(outputs: $0[3], inputs: $0[2], height: $0[0], width: $0[1])
          }, hasDense: !found.dense.isEmpty))
    }
  }

  private func architecture() throws(FileError) -> Architecture {
    var sides: [Int] = []
    for layer in found.convolutions {
      let shape = layer.weight.canonicalShape
      guard shape.count == 4, shape[0] == shape[1], shape[0] == 1 || shape[0] == 3 else {
        throw FileError(
          .unsupported, code: "model.kernel", file: file, "is no VGG", place: "layer \(layer.name)",
          seen: "a kernel of \(shape.prefix(2).map(String.init).joined(separator: "x"))",
          allowed: "3x3 or 1x1")
      }
      sides.append(shape[0])
    }
    if let architecture = Architecture(kernelSides: sides, hasNormalization: found.normalization != nil) {
      return architecture
    }
    let known = Architecture.allCases.map { "\($0.rawValue): \($0.convolutionCount)" }.joined(separator: ", ")
    var seen = "\(sides.count) convolutions"
    if let first = sides.firstIndex(of: 1) { seen += ", number \(first + 1) the first of 1x1" }
    if found.normalization != nil { seen += ", a local response normalisation" }
    throw FileError(
      .unsupported, code: "model.architecture", file: file, "is none of the six VGG networks", seen: seen,
      allowed: known + "; 1x1 only as the third convolution of blocks 3 to 5 of C")
  }

  /// A convolution of the network, its shape checked and its tensors named.
  private mutating func convolution(
    _ layer: FoundNetwork.WeightedLayer, name: String, inputChannels: Int?
  ) throws(FileError) -> Convolution {
    let shape = layer.weight.canonicalShape
    let kernel = Extent(height: shape[0], width: shape[1])
    var convolution =
      layer.convolution ?? Convolution(kernel: kernel, inputChannels: shape[2], outputChannels: shape[3])
    convolution.hasBias = layer.bias != nil || layer.batchNormalization != nil
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
    try add(layer, name: name, outputs: shape[3])
    return convolution
  }

  /// The dense layers, and the input's extent that the first of them tells.
  private mutating func dense(
    of architecture: Architecture, features: [Layer], channels: Int, inputChannels: Int
  ) throws(FileError) -> (dense: [Dense], inputExtent: Extent?) {
    guard let first = found.dense.first else { return ([], found.inputExtent) }
    guard found.dense.count <= 3 else {
      throw FileError(
        .unsupported, code: "model.dense", file: file, "is no VGG", seen: "\(found.dense.count) dense layers",
        allowed: "none to three")
    }
    let inputs = first.weight.canonicalShape[0]
    if found.inputExtent == nil, found.pooling.last?.isGlobal == true {
      found.inputExtent = Extent(side: 224)
      decisions.append(
        Provenance.Decision(
          "input-size", "224x224", because: "assumed: the head reads means of the map, whatever its extent"))
    }
    let featureNetwork = Network(
      architecture: architecture, inputChannels: inputChannels, inputExtent: found.inputExtent,
      layers: features)
    let extent = try flattenedExtent(inputs, channels: channels, features: featureNetwork, layer: first.name)
    var dense: [Dense] = []
    for (index, name) in Network.denseNames(count: found.dense.count).enumerated() {
      var layer = found.dense[index]
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
      if index == 0, found.flattenOrder == .chw {
        layer.weight.layout =
          layer.weight.layout == .outIn
          ? .outInFromCHW(channels: channels, extent: extent.flattened)
          : .inOutFromCHW(channels: channels, extent: extent.flattened)
      }
      try add(layer, name: name, outputs: shape[1])
      var description = Dense(
        inputs: shape[0], outputs: shape[1], activation: index == found.dense.count - 1 ? .none : .relu)
      description.hasBias = layer.bias != nil || layer.batchNormalization != nil
      dense.append(description)
    }
    return (dense, extent.input)
  }

  /// The extent of pool5 and of the input, from the first dense layer's inputs and what the source says.
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
      throw mismatch("\(inputs) inputs", allowed: "a multiple of the \(channels) channels of pool5")
    }
    if let input = found.inputExtent {
      let pool5: FeatureShape?
      do throws(ShapeError) {
        pool5 = try features.outputShapes(for: input).last
      } catch {
        throw FileError(.malformed, code: "model.shape", file: file, error.problem, place: error.layer)
      }
      guard let pool5, pool5.count == inputs else {
        throw mismatch(
          "\(inputs) inputs = \(inputs / channels) pixels",
          allowed: "\(pool5?.extent.description ?? "0") pixels, as an input of \(input) gives",
          advice: roundingThatFits(inputs, features, input))
      }
      return (pool5.extent, input)
    }
    let pixels = inputs / channels
    let side = Int(Double(pixels).squareRoot().rounded())
    guard side * side == pixels, side * 32 <= Network.largestInputSide else {
      throw mismatch(
        "\(inputs) inputs = \(pixels) pixels", allowed: "a square number of pixels of \(channels) channels")
    }
    let input = Extent(side: side * 32)
    decisions.append(
      Provenance.Decision(
        "input-size", input.description,
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

  private mutating func add(_ stored: FoundNetwork.WeightedLayer, name: String, outputs: Int)
    throws(FileError)
  {
    folded += stored.tensorsToFold.map { ($0, name) }
    let layer = try stored.folded(file: file)
    tensors.append(Tensor(name: "\(name)/weight", role: .weight, source: layer.weight))
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
      .malformed, code: "model.nonfinite", file: file, "has a value that is no finite number",
      offset: offset, place: place, seen: "\(value)", allowed: "finite numbers",
      advice: "--allow-nonfinite takes it as it is")
  }
}
