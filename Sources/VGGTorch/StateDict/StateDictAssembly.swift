internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Makes what the canonical model is built of from the layers of a state dict.
///
/// A state dict names layers with weights and nothing else. Where a file of our own says more, that counts; else it is a VGG's:
/// convolutions that keep the extent, ReLUs, and poolings of 2x2 that round down.
struct StateDictAssembly {
  private let dict: StateDict
  private let modules: StateDictModules
  private let options: ImportOptions
  private var file: String { dict.file }
  private(set) var decisions: [Provenance.Decision] = []
  /// What is not in the model.
  var dropped: [Provenance.DroppedTensor] { modules.dropped }

  private var convolutions: [StateDictModules.Module] { modules.modules.filter { !$0.place.isDense } }
  private var dense: [StateDictModules.Module] { modules.modules.filter(\.place.isDense) }

  init(_ dict: StateDict, options: ImportOptions) throws(FileError) {
    (self.dict, self.options) = (dict, options)
    modules = try StateDictModules(dict)
  }

  /// The network's layers.
  mutating func network() throws(FileError) -> FoundNetwork {
    let isChannelsFirst = layoutIsChannelsFirst()
    let order = options.flattenOrder ?? (isChannelsFirst ? .chw : .hwc)
    decisions += [
      Provenance.Decision(
        .kernelLayout(isChannelsFirst ? .oihw : .hwio),
        because: "as kernels under such names, such as \(convolutions[0].name), are stored"),
      Provenance.Decision(
        .flattenOrder(order), because: options.flattenOrder == nil ? "as the kernels are stored" : "asked for"
      ),
    ]
    var found = FoundNetwork(
      convolutions: [], dense: [], flattenOrder: order, poolings: .unknown(Pooling(rounding: .floor)))
    if let metadata = dict.metadata {
      try take(metadata, into: &found)
    } else {
      decisions.append(
        Provenance.Decision(.usualStructure, because: "assumed: a state dict names only layers with weights"))
      try takePlaces(into: &found)
    }
    let metadataLayers = dict.metadata?.network?.layers ?? []
    let stated = (
      metadataLayers.compactMap { if case .convolution(let layer) = $0.operation { layer } else { nil } },
      metadataLayers.compactMap { if case .dense(let layer) = $0.operation { layer } else { nil } }
    )
    for (index, module) in convolutions.enumerated() {
      var layer = try weightedLayer(module, layout: isChannelsFirst ? .oihw : .hwio)
      if index < stated.0.count { layer.convolution = stated.0[index] }
      found.convolutions.append(layer)
    }
    for (index, module) in dense.enumerated() {
      var layer = try weightedLayer(module, layout: isChannelsFirst ? .outIn : .inOut)
      if index < stated.1.count - 1, stated.1[index].activation == .none {
        layer.hiddenActivation = Activation.none
      }
      found.dense.append(layer)
    }
    if convolutions.contains(where: { $0.normalization != nil })
      || dense.contains(where: { $0.normalization != nil })
    {
      decisions.append(
        Provenance.Decision(
          .normalizationEpsilon(epsilon),
          because: options.normalizationEpsilon == nil
            ? "assumed: PyTorch's own; a state dict does not tell" : "asked for"))
    }
    if let normalization = options.normalization {
      found.normalization = normalization
      decisions.append(
        Provenance.Decision(.localResponseNormalization(.stated(normalization)), because: "asked for"))
    }
    let codes = modules.codes
    found.integerArithmetic = { (network) throws(FileError) in try codes.arithmetic(of: network) }
    return found
  }

  private var epsilon: Double { options.normalizationEpsilon ?? 1e-5 }

  /// Whether kernels are [output, input, row, column]: as the names say, unless only the other order makes them squares of
  /// 3x3 or 1x1.
  private func layoutIsChannelsFirst() -> Bool {
    let shapes = convolutions.compactMap { $0.tensors[.weight]?.shape }
    func areKernels(_ axis: Int) -> Bool {
      shapes.allSatisfy { $0[axis] == $0[axis + 1] && [1, 3].contains($0[axis]) }
    }
    let usual =
      modules.family != .keras && !(modules.family == .caffe && modules.hasSlashes && !hasBlobNumbers)
    return areKernels(usual ? 2 : 0) || !areKernels(usual ? 0 : 2) ? usual : !usual
  }

  /// Whether weights are called by the number of a blob, as Caffe's are.
  private var hasBlobNumbers: Bool {
    modules.modules.contains { $0.tensorNames[.weight]?.hasSuffix("/0") == true }
  }

  // MARK: Layers without weights

  /// What a file of our own says.
  private mutating func take(_ metadata: ModelMetadata, into found: inout FoundNetwork) throws(FileError) {
    guard let network = metadata.network else {
      throw FileError(
        .malformed, code: "metadata", file: file, "has metadata that do not list the layers",
        place: "metadata layers", allowed: "as 'vggconv export --to safetensors' writes them")
    }
    let layers = network.layers
    var poolings: [FoundNetwork.PlacedPooling] = []
    var (convolutionCount, denseCount) = (0, 0)
    for layer in layers {
      switch layer.operation {
      case .convolution: convolutionCount += 1
      case .dense: denseCount += 1
      case .pooling(let pooling):
        if layer.name == "pool6" {
          found.headPooling = pooling
        } else {
          poolings.append(FoundNetwork.PlacedPooling(pooling, behind: convolutionCount))
        }
      case .normalization(let normalization): found.normalization = normalization
      case .softmax, .sigmoid: break
      }
    }
    guard (convolutionCount, denseCount) == (convolutions.count, dense.count) else {
      throw FileError(
        .malformed, code: "metadata.layers", file: file, "has other layers than its metadata say",
        seen: "\(convolutions.count) convolutions, \(dense.count) dense layers",
        allowed: "\(convolutionCount) and \(denseCount)")
    }
    found.poolings = .placed(poolings)
    found.inputExtent = network.inputExtent
    if let head = network.head {
      found.headActivation = FoundNetwork.FoundActivation(head.activation, because: "the metadata say so")
    }
    decisions.append(
      Provenance.Decision(recorded: "structure", "layer by layer", because: "the metadata list all layers"))
  }

  /// What the places of layers in their lists tell of those between them.
  private mutating func takePlaces(into found: inout FoundNetwork) throws(FileError) {
    if modules.family == .torchvision || modules.family == .timm {
      for (layer, next) in zip(modules.modules, modules.modules.dropFirst())
      where layer.place.isDense == next.place.isDense && next.place.number == layer.end + 1
        && !(modules.family == .timm && next.place.isDense)
      {
        throw FileError(
          .unsupported, code: "statedict.activation", file: file,
          "has no place for a ReLU between two layers",
          place: "layer \(next.name)", seen: "right behind \(layer.name)", allowed: "one place between them")
      }
      let convolutions = self.convolutions
      let gaps = zip(convolutions, convolutions.dropFirst()).map { $1.place.number - $0.end }
      guard gaps.allSatisfy({ [2, 3].contains($0) }) else { return }
      // One place between two is a ReLU, two are a ReLU and a pooling.
      let places = gaps.indices.filter { gaps[$0] == 3 }.map { $0 + 1 } + [convolutions.count]
      found.poolings = .placed(
        places.map { FoundNetwork.PlacedPooling(Pooling(rounding: .floor), behind: $0) })
      decisions.append(
        Provenance.Decision(
          .poolings(places),
          because: "one number more is left out behind these; assumed: maxima, and one at the end"))
      if !dense.isEmpty {
        decisions.append(
          Provenance.Decision(
            .adaptivePoolingLeftOut,
            because: "it changes nothing for an input of the size that the first dense layer tells"))
      }
    } else {
      let blocks = convolutions.map(\.place.block)
      found.blockSizes = Set(blocks).sorted().map { block in blocks.count { $0 == block } }
    }
  }

  // MARK: Layers with weights

  private func weightedLayer(
    _ module: StateDictModules.Module, layout: SourceLayout
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    guard let weight = module.tensors[.weight], let weightName = module.tensorNames[.weight] else {
      preconditionFailure("modules have weights")
    }
    var shape = weight.shape
    if module.place.isDense, shape.count == 4 {
      // A dense layer that is stored as a convolution over all that is left of the map.
      shape =
        layout == .outIn
        ? [shape[0], shape[1] * shape[2] * shape[3]] : [shape[0] * shape[1] * shape[2], shape[3]]
    }
    let source = try self.source(weight, shape, layout)
    var layer = FoundNetwork.WeightedLayer(name: module.name, weight: source, bias: nil)
    if weight.type == .int8 {
      layer.weightCodes = try modules.codes.quantization(
        of: weight, named: weightName, shape: source.canonicalShape)
    }
    if let bias = module.tensors[.bias] {
      if bias.type == .int32, let name = module.tensorNames[.bias] {
        layer.biasCodes = try modules.codes.biasCodes(of: bias, named: name)
      } else {
        layer.bias = try real(bias)
      }
    }
    if let parts = module.normalization {
      func part(_ role: TensorName.Role) throws(FileError) -> SourceTensor? {
        try parts[role].map { (tensor) throws(FileError) in try real(tensor) }
      }
      layer.batchNormalization = BatchNormalization(
        name: "behind \(module.name)", gamma: try part(.weight), beta: try part(.bias), mean: try part(.mean),
        spread: try part(.variance), epsilon: epsilon)
    }
    return layer
  }

  /// A vector of reals.
  private func real(_ tensor: StateDict.Tensor) throws(FileError) -> SourceTensor {
    let source = try self.source(tensor, tensor.shape, .vector)
    guard tensor.type != .int8 else { throw unsupportedType(tensor) }
    return source
  }

  private func source(
    _ tensor: StateDict.Tensor, _ shape: [Int], _ layout: SourceLayout
  ) throws(FileError) -> SourceTensor {
    guard let source = tensor.source(shape, layout) else { throw unsupportedType(tensor) }
    return source
  }

  private func unsupportedType(_ tensor: StateDict.Tensor) -> FileError {
    FileError(
      .unsupported, code: "statedict.type", file: file, "has weights of an unsupported type",
      offset: tensor.fileOffset, place: "tensor \(tensor.name)", seen: tensor.type.rawValue,
      allowed: "F64, F32, F16, BF16, and I8 with scales")
  }

  // MARK: Pictures

  /// What is done to pictures: as the metadata say, else what most weights under such names need.
  func preprocessing(of network: Network) -> FoundPreprocessing {
    if let metadata = dict.metadata {
      return metadata.preprocessing.map {
        FoundPreprocessing($0, .configured, because: "the metadata say so")
      }
        ?? FoundPreprocessing(unknownBecause: "the metadata say nothing of it")
    }
    let isOfTorch = modules.family == .torchvision || modules.family == .timm
    guard isOfTorch, options.channelOrder != .bgr, network.inputChannels == 3 else {
      return FoundPreprocessing(assumedFor: network, options, because: "a state dict")
    }
    let asked = options.channelOrder == nil ? "" : "; channel order asked for"
    return FoundPreprocessing(
      .torchvision(for: network.inputExtent), .assumed,
      because:
        "as for the weights of torchvision and timm; a state dict does not tell, and weights that came from Caffe "
        + "under these names need --channel-order bgr" + asked)
  }
}
