internal import VGGHDF5
internal import VGGModel

/// Makes what the canonical model is built of from the layers of a file of any generation.
///
/// Every shape is checked before any bytes are asked for, so that a file which declares more than it has costs nothing.
struct NetworkAssembly {
  /// Where the bytes are.
  struct Source {
    var hdf5: HDF5File
    /// The path, for errors.
    var file: String
    /// Where the HDF5 file begins in the source; nil where it does not stand there as it is.
    var offset: Int?
    /// The size of the HDF5 file.
    var byteCount: Int
  }

  private let source: Source
  private let weights: KerasWeights
  private let options: ImportOptions
  /// What the configuration says, where there is one.
  let configured: ConfiguredNetwork?
  private(set) var decisions: [Provenance.Decision]
  private(set) var dropped: [Provenance.DroppedTensor] = []
  private var ledger: Ledger
  private var file: String { source.file }

  init(_ weights: KerasWeights, from source: Source, options: ImportOptions) throws(FileError) {
    self.source = source
    self.weights = weights
    self.options = options
    decisions = weights.decisions
    ledger = Ledger(file: source.file)
    configured = try weights.configuration.map { (configuration) throws(FileError) in
      try ConfiguredNetwork(configuration, file: source.file, options: options)
    }
    decisions += configured?.decisions ?? []
  }

  /// The network's layers, with nothing of the file left over.
  mutating func network() throws(FileError) -> FoundNetwork {
    var layers: [KernelAndBias] = []
    for layer in weights.layers where !layer.weights.isEmpty { layers.append(try weighted(layer)) }
    guard !layers.isEmpty else {
      throw FileError(
        .unsupported, code: "keras.empty", file: file, "has no weights",
        seen: "\(weights.layers.count) layers")
    }
    layers = try agreeing(with: configured, layers)
    try requireBiases(layers)
    dropped = try ledger.dropped(from: source.hdf5.root)
    let normalization = try self.normalization()

    let convolutions = layers.filter(\.isConvolution)
    let dense = layers.filter { !$0.isConvolution }
    try requireConvolutionsFirst(layers)
    let convention = KernelConvention(
      KernelConvention.Evidence(
        writer: weights.generation.writer, backend: weights.backend,
        kernels: convolutions.map { ($0.kernel.dataset.shape, $0.kernel.name) }, hasTop: !dense.isEmpty,
        configuration: configured), options: options)
    decisions += convention.decisions
    try ShapeCheck(file: file, offset: source.offset, layout: convention.layout)
      .require(convolutions, dense)
    try requireBlocks(convolutions, convention.layout, hasNormalization: normalization != nil)

    var found = FoundNetwork(
      convolutions: [], dense: [], flattenOrder: convention.flattenOrder,
      pooling: configured?.pooling ?? Array(repeating: Pooling(rounding: .floor), count: 5),
      normalization: normalization, inputExtent: configured?.inputExtent)
    for layer in convolutions {
      found.convolutions.append(
        try foundLayer(layer, convention.layout, isRotated: convention.isRotated))
    }
    for layer in dense { found.dense.append(try foundLayer(layer, .inOut, isRotated: false)) }
    return found
  }

  // MARK: Weights

  /// A kernel of rank 4 or 2, then a bias of rank 1 or none; anything else is refused by its name.
  private mutating func weighted(_ layer: KerasLayer) throws(FileError) -> KernelAndBias {
    for weight in layer.weights {
      try ledger.use(weight.dataset)
      _ = try format(of: weight.dataset)
    }
    let kernel = layer.weights[0]
    guard [2, 4].contains(kernel.dataset.shape.count) else {
      let isNormalization =
        layer.weights.count >= 2 && layer.weights.allSatisfy { $0.dataset.shape.count == 1 }
      throw FileError(
        .unsupported, code: "keras.layer", file: file, "has a layer that no VGG has",
        place: "layer \(layer.name)",
        seen: layer.weights.map { "\($0.dataset.shape)" }.joined(separator: " ")
          + (isNormalization ? ", as of a batch normalisation" : ""),
        allowed: "a kernel of 4 or 2 axes, and a bias of 1")
    }
    if layer.weights.count > 1, layer.weights[1].dataset.shape.count != 1 || layer.weights.count > 2 {
      let unknown = layer.weights[1].dataset.shape.count != 1 ? layer.weights[1] : layer.weights[2]
      throw FileError(
        .unsupported, code: "keras.unknown", file: file, "has a tensor that belongs to no layer of a VGG",
        place: "tensor \(unknown.dataset.path)", seen: "shape \(unknown.dataset.shape)",
        allowed: "a kernel and a bias in layer \(layer.name)")
    }
    return KernelAndBias(
      name: layer.name, kernel: kernel, bias: layer.weights.count > 1 ? layer.weights[1] : nil)
  }

  /// The number format of a data set's elements.
  private func format(of dataset: HDF5Dataset) throws(FileError) -> NumberFormat {
    // Keras and h5py store bfloat16 as two bytes without a meaning.
    if case .opaque(byteCount: 2, _) = dataset.type { return NumberFormat(.bfloat16) }
    let number = dataset.type.number
    if let number, number.kind != .int8 { return number }
    throw FileError(
      .unsupported, code: "keras.type", file: file,
      number == nil ? "holds no floating-point numbers" : "holds quantised weights, which are not read",
      place: "tensor \(dataset.path)", seen: dataset.type.summary,
      allowed: "float16, bfloat16, float32 or float64")
  }

  /// Biases may be missing only where the configuration says so, or everywhere.
  private func requireBiases(_ layers: [KernelAndBias]) throws(FileError) {
    let someHaveOne = layers.contains { $0.bias != nil }
    for (index, layer) in layers.enumerated() {
      let isExpected = configured?.weighted[index].hasBias ?? someHaveOne
      guard isExpected != (layer.bias != nil) else { continue }
      throw FileError(
        .malformed, code: "keras.bias", file: file,
        isExpected ? "has a layer with a kernel but without a bias" : "has a bias that is not configured",
        offset: layer.kernel.dataset.fileOffset(from: source.offset), place: "layer \(layer.name)",
        seen: isExpected ? "1 weight" : "2 weights",
        allowed: isExpected ? "2: a kernel and a bias" : "1: a kernel")
    }
  }

  private func requireConvolutionsFirst(_ layers: [KernelAndBias]) throws(FileError) {
    guard let firstDense = layers.firstIndex(where: { !$0.isConvolution }),
      let late = layers[firstDense...].first(where: \.isConvolution)
    else { return }
    throw FileError(
      .unsupported, code: "keras.order", file: file, "is no VGG: a convolution comes after a dense layer",
      place: "layer \(late.name)", seen: "after \(layers[firstDense].name)", allowed: "convolutions first")
  }

  // MARK: What the configuration says

  /// The layers in the order of the configuration, which must describe exactly them.
  private func agreeing(
    with configured: ConfiguredNetwork?, _ layers: [KernelAndBias]
  ) throws(FileError) -> [KernelAndBias] {
    guard let configured else { return layers }
    var ordered = layers
    let names = configured.weighted.map(\.name)
    if Set(names).count == names.count, Set(names) == Set(layers.map(\.name)) {
      ordered = names.compactMap { name in layers.first { $0.name == name } }
    }
    let common = min(ordered.count, names.count)
    for (described, layer) in zip(configured.weighted, ordered) {
      let shape = layer.kernel.dataset.shape
      if described.fits(shape) { continue }
      let kind = described.kernel.map { "a convolution of \($0)" } ?? "a dense layer"
      throw disagreement(
        "layer \(layer.name)", seen: "a kernel of shape \(shape)",
        allowed: "\(kind) with \(described.outputs) outputs, as configured (\(described.name))")
    }
    guard ordered.count == names.count else {
      throw disagreement(
        ordered.count > common ? "layer \(ordered[common].name)" : "layer \(names[common])",
        seen: "\(ordered.count) layers with weights", allowed: "\(names.count), as configured")
    }
    return ordered
  }

  private func disagreement(_ place: String, seen: String, allowed: String) -> FileError {
    FileError(
      .malformed, code: "keras.config.weights", file: file,
      "has other weights than its configuration describes",
      place: place, seen: seen, allowed: allowed)
  }

  /// Pooling layers stand where the network of these kernels has them.
  private func requireBlocks(
    _ convolutions: [KernelAndBias], _ layout: SourceLayout, hasNormalization: Bool
  ) throws(FileError) {
    guard let configured else { return }
    let sides = convolutions.map { $0.kernel.dataset.shape[layout == .oihw ? 2 : 0] }
    let found = Architecture(kernelSides: sides, hasNormalization: hasNormalization)
    guard let found else { return }  // Refused where the model is built, for all importers alike.
    let blocks = found.kernelSides.map(\.count)
    guard blocks != configured.blocks else { return }
    func list(_ blocks: [Int]) -> String { blocks.map(String.init).joined(separator: ", ") }
    throw FileError(
      .unsupported, code: "keras.config.blocks", file: file, "is no VGG: its pooling layers stand elsewhere",
      place: "model_config", seen: "blocks of \(list(configured.blocks)) convolutions",
      allowed: "\(list(blocks)) in \(found.rawValue)")
  }

  // MARK: Layers without weights

  /// The normalisation of A-LRN, where a layer is one; its constants are the user's.
  private mutating func normalization() throws(FileError) -> LocalResponseNormalization? {
    var name = configured?.normalizationName
    if configured == nil {
      let others = try WeightlessLayers(weights, file: file, options: options)
      decisions += others.decisions
      name = others.normalizationName
    }
    guard let normalization = options.normalization else {
      guard let name else { return nil }
      throw FileError(
        .unsupported, code: "keras.lrn", file: file,
        "has a local response normalisation, whose constants a Keras file does not hold",
        place: "layer \(name)", advice: LayerName.lrnAdvice)
    }
    decisions.append(
      Provenance.Decision(
        "normalization",
        "size \(normalization.size), scale \(normalization.scale), beta \(normalization.beta), k \(normalization.k)",
        because: "asked for"
          + (name.map { "; \($0) stands in its place" } ?? "; the file names no such layer")))
    return normalization
  }

  // MARK: Bytes

  private func foundLayer(
    _ layer: KernelAndBias, _ layout: SourceLayout, isRotated: Bool
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    var weight = try tensor(layer.kernel.dataset, layout)
    weight.isRotated = isRotated
    let bias = try layer.bias.map { (bias) throws(FileError) in try tensor(bias.dataset, .vector) }
    return FoundNetwork.WeightedLayer(name: layer.name, weight: weight, bias: bias)
  }

  /// The numbers of a data set whose shape is checked.
  private func tensor(_ dataset: HDF5Dataset, _ layout: SourceLayout) throws(FileError) -> SourceTensor {
    // The best that HDF5's filters can do is 1 byte for some 1000; more than that was never written.
    guard let byteCount = dataset.byteCount, byteCount / 1100 <= source.byteCount,
      dataset.storage != .unallocated
    else {
      throw FileError(
        .malformed, code: "keras.unwritten", file: file, "declares numbers that were never written",
        place: "tensor \(dataset.path)", seen: "shape \(dataset.shape)",
        allowed: "what a file of \(source.byteCount) bytes can hold")
    }
    let bytes = try source.hdf5.bytes(
      of: dataset, maximumBytes: byteCount, scratchFolder: options.scratchFolder)
    return SourceTensor(
      name: dataset.path, shape: dataset.shape, format: try format(of: dataset), bytes: bytes, layout: layout,
      fileOffset: dataset.fileOffset(from: source.offset))
  }
}

extension HDF5Dataset {
  /// Where the numbers stand in the source file, if they stand there as they are.
  func fileOffset(from start: Int?) -> Int? {
    guard let start, case .contiguous(let offset, _) = storage else { return nil }
    // The file may state any offset, and errors ask for it before it is checked.
    let (sum, overflows) = start.addingReportingOverflow(offset)
    return overflows ? nil : sum
  }
}

extension HDF5Type {
  /// The type in words, for errors.
  fileprivate var summary: String {
    switch self {
    case .float(let layout): "a floating-point number of \(layout.byteCount) bytes, not IEEE's"
    case .integer(let byteCount, let isSigned, _):
      "\(isSigned ? "" : "unsigned ")integers of \(byteCount) bytes"
    case .string(let byteCount): byteCount.map { "texts of \($0) bytes" } ?? "texts"
    case .opaque(let byteCount, _): "\(byteCount) bytes without a meaning"
    case .other(_, let number): "elements of HDF5's class \(number)"
    }
  }
}
