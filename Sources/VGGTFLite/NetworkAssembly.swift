internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// Makes of a chain of operators what the canonical model is built of.
struct NetworkAssembly {
  private let file: TFLiteFile
  private let metadata: ModelMetadata?
  private let chain: OperatorChain
  private let parsed: ParsedNetwork
  private(set) var decisions: [Provenance.Decision] = []
  /// The constants that weights and biases are.
  private var used: Set<Int> = []

  init(_ file: TFLiteFile, _ metadata: ModelMetadata?) throws(FileError) {
    (self.file, self.metadata) = (file, metadata)
    chain = try OperatorChain(file, metadata)
    var grammar = VGGGrammar()
    (grammar.denseLayersFlatten, grammar.allowsAnyPooling, grammar.allowsLinearHiddenLayers) = (
      true, true, true
    )
    do throws(GrammarRefusal) { parsed = try grammar.parse(chain.elements.map(\.neutral)) } catch {
      throw NetworkAssembly.refusal(error, chain, file)
    }
  }

  /// What kind of file it is: `float`, `float16`, `int8-weights` or `int8`, with who made it.
  var generation: String {
    let types = Set(chain.elements.compactMap(\.weight).map { file.tensors[$0].type })
    let kind =
      chain.integerInput != nil
      ? "int8" : types.contains(.int8) ? "int8-weights" : types.contains(.float16) ? "float16" : "float"
    return metadata == nil ? "tflite-\(kind)" : "vggconv-\(kind)"
  }

  /// The network, and what the file says of each of its layers.
  mutating func network() throws(FileError) -> FoundNetwork {
    var found = FoundNetwork(
      convolutions: [], dense: [], flattenOrder: .hwc, poolings: .placed(parsed.poolings),
      normalization: normalization, inputExtent: try inputExtent())
    found.headPooling = parsed.headPooling?.pooling
    found.headActivation = headActivation
    for weighted in parsed.weighted {
      var layer = try weightedLayer(weighted)
      if weighted.isHead {
        if weighted.activation == nil { layer.hiddenActivation = Activation.none }
        found.dense.append(layer)
      } else {
        found.convolutions.append(layer)
      }
    }
    if let input = chain.integerInput { try makeInteger(&found, input: input) }
    let coded = (found.convolutions + found.dense).filter { $0.weightCodes != nil }
    if chain.integerInput == nil, !coded.isEmpty {
      decisions.append(
        Provenance.Decision(
          .quantization("int8", layers: coded.map(\.name)),
          because:
            "so weights and scales are stored"))
    }
    try noteHybridLayers()
    return found
  }

  /// Layers whose maps runtimes round to codes, which is not imitated; our own files have none.
  private mutating func noteHybridLayers() throws(FileError) {
    let hybrid = chain.elements.filter(\.isHybrid)
    guard let first = hybrid.first else { return }
    guard metadata == nil else {
      throw chain.refusal(
        first.operation, "has its weights changed: vggconv turns codes into reals in front of each layer",
        seen: "int8 weights beside maps of float32", allowed: "a DEQUANTIZE between them")
    }
    var names: [String] = []
    for element in hybrid { names.append(try file.tensors[element.operation.output].name()) }
    decisions.append(
      Provenance.Decision(
        .computesInFloat32(layers: names),
        because: "runtimes round the maps that they read to int8, as well; that is not imitated"))
  }

  // MARK: Layers

  private mutating func weightedLayer(
    _ weighted: ParsedNetwork.Weighted
  ) throws(FileError) -> FoundNetwork.WeightedLayer {
    let element = chain.elements[weighted.layer]
    guard let index = element.weight else { preconditionFailure("a layer with weights has a weight") }
    let name = try file.tensors[element.operation.output].name()
    var weight = try tensor(index, .ohwi, of: element)
    if weight.shape.count == 2 { weight.layout = .outIn }
    if weighted.isHead, weight.shape.count == 4 {
      let (product, overflow) = (weight.shape[1] * weight.shape[2]).multipliedReportingOverflow(
        by: weight.shape[3])
      guard !overflow else { throw impossible(index, element) }
      (weight.shape, weight.layout) = ([weight.shape[0], product], .outIn)
    }
    var layer = FoundNetwork.WeightedLayer(name: name, weight: weight, bias: nil)
    if weight.format.kind == .int8 {
      layer.weightCodes = try codes(of: index, outputs: weight.shape[0], layer: name, element)
    }
    if let bias = try bias(of: element), file.tensors[bias].type != .int32 {
      layer.bias = try tensor(bias, .vector, of: element)
    }
    return layer
  }

  /// The tensor of a layer's bias; nil: it has none, or one of zeros that is there for the runtimes.
  private func bias(of element: OperatorChain.Element) throws(FileError) -> Int? {
    guard let bias = element.bias,
      metadata?.layersWithoutBias.contains(try file.tensors[element.operation.output].name()) == true,
      let (bytes, _) = try file.constant(bias), bytes.withBytes({ $0.allSatisfy { $0 == 0 } })
    else { return element.bias }
    return nil
  }

  /// A constant as it stands in the file.
  private mutating func tensor(
    _ index: Int, _ layout: SourceLayout, of element: OperatorChain.Element
  ) throws(FileError) -> SourceTensor {
    let tensor = file.tensors[index]
    let kind: NumberFormat.Kind? =
      switch tensor.type {
      case .float32: .float32
      case .float16: .float16
      case .int8 where layout != .vector: .int8
      default: nil
      }
    guard let kind else {
      throw chain.refusal(
        element.operation, "has weights of a type that is not supported",
        seen: "type \(tensor.typeNumber) of tensor \(index)", allowed: "float32, float16 or int8")
    }
    guard let (bytes, offset) = try file.constant(index) else {
      throw chain.refusal(element.operation, "has weights that are computed", seen: "tensor \(index)")
    }
    guard tensor.shape.count == (layout == .vector ? 1 : tensor.shape.count),
      tensor.byteCount(ofElement: NumberFormat(kind).byteCount) == bytes.count, !tensor.shape.contains(0)
    else { throw impossible(index, element) }
    used.insert(index)
    return SourceTensor(
      name: try tensor.name(), shape: tensor.shape, format: NumberFormat(kind), bytes: bytes, layout: layout,
      fileOffset: offset)
  }

  private func impossible(_ index: Int, _ element: OperatorChain.Element) -> FileError {
    let count = (try? file.constant(index))??.bytes.count ?? 0
    return FileError(
      .malformed, code: "tflite.tensor", file: file.path, "has a tensor whose values do not fit its shape",
      offset: file.tensors[index].table.offset, place: "tensor \(index) of \(element.operation.place)",
      seen: "\(count) bytes", allowed: "\(file.tensors[index].shape)")
  }

  /// What the codes of a weight stand for.
  private func codes(
    of index: Int, outputs: Int, layer: String, _ element: OperatorChain.Element
  ) throws(FileError) -> Quantization {
    guard let rule = try file.tensors[index].quantization() else {
      throw chain.refusal(
        element.operation, "has codes, but nothing says what they stand for", seen: "tensor \(index)")
    }
    guard rule.scales.count == 1 || rule.scales.count == outputs && rule.dimension == 0,
      rule.scales.allSatisfy({ $0 > 0 })
    else {
      throw chain.refusal(
        element.operation, "has weights whose scales are not those of its outputs",
        seen: "\(rule.scales.count) scales along axis \(rule.dimension)",
        allowed: "1 or \(outputs) along axis 0")
    }
    return Quantization(
      by: rule.scales.count == outputs && metadata?.singleScales.contains(layer) != true
        ? .outputChannel : .tensor, scales: rule.scales,
      zeroPoints: rule.zeroPoints.allSatisfy { $0 == 0 } ? [] : rule.zeroPoints)
  }

  // MARK: Integers

  /// Takes over how the file computes in integers: the codes of all maps, and the biases.
  private mutating func makeInteger(_ found: inout FoundNetwork, input: Int) throws(FileError) {
    var maps: [ActivationQuantization] = []
    for element in chain.elements {
      guard let output = element.output else { continue }
      maps.append(try activation(output, element.operation.place))
    }
    let inputCodes = try activation(input, "the input")
    for (place, weighted) in parsed.weighted.enumerated() {
      let element = chain.elements[weighted.layer]
      guard let bias = try bias(of: element) else { continue }
      let isHead = place >= found.convolutions.count
      let layer = isHead ? found.dense[place - found.convolutions.count] : found.convolutions[place]
      let before = try element.operation.inputs[0].map { (tensor) throws(FileError) in
        try activation(tensor, element.operation.place)
      }
      guard let before, let weightCodes = layer.weightCodes else {
        throw chain.refusal(
          element.operation, "has weights in reals between maps of codes",
          allowed: "int8 weights and int32 biases")
      }
      let codes = try biasCodes(bias, of: element, input: before, weightCodes, outputs: layer.weight.shape[0])
      if isHead {
        found.dense[place - found.convolutions.count].biasCodes = codes
      } else {
        found.convolutions[place].biasCodes = codes
      }
    }
    let rounding = metadata?.rounding ?? .litert
    decisions.append(
      Provenance.Decision(
        .integerRounding(rounding),
        because: metadata?.rounding == nil
          ? "assumed: a TFLite file leaves it to the runtime, and LiteRT computes like this"
          : "the file's metadata says so"))
    found.integerArithmetic = { [maps] _ in
      IntegerArithmetic(rounding: rounding, input: inputCodes, outputs: maps)
    }
  }

  private func activation(_ tensor: Int, _ place: String) throws(FileError) -> ActivationQuantization {
    guard file.tensors[tensor].type == .int8, let rule = try file.tensors[tensor].quantization(),
      rule.scales.count == 1
    else {
      throw FileError(
        .unsupported, code: "tflite.integers", file: file.path,
        "computes a part in integers and a part in reals",
        offset: file.tensors[tensor].table.offset, place: "tensor \(tensor), \(place)",
        seen: "type \(file.tensors[tensor].typeNumber)", allowed: "int8 with one scale")
    }
    return ActivationQuantization(scale: rule.scales[0], zeroPoint: rule.zeroPoints[0])
  }

  /// The biases, whose unit is that of the sums: runtimes look at no other, but files say one.
  private mutating func biasCodes(
    _ index: Int, of element: OperatorChain.Element, input: ActivationQuantization, _ weights: Quantization,
    outputs: Int
  ) throws(FileError) -> BiasCodes {
    let tensor = file.tensors[index]
    guard tensor.type == .int32, let (bytes, _) = try file.constant(index), tensor.shape == [outputs],
      bytes.count == 4 * outputs
    else {
      throw chain.refusal(
        element.operation, "has biases that are no codes of 32 bits, one for each output",
        seen: "type \(tensor.typeNumber), \(tensor.shape)",
        allowed: "type \(TFLite.TensorType.int32.rawValue), [\(outputs)]")
    }
    let scales = weights.scales
    let units = (0..<outputs).map { input.scale * scales[scales.count == 1 ? 0 : $0] }
    if let rule = try tensor.quantization() {
      let stated = (0..<outputs).map { rule.scales[rule.scales.count == outputs ? $0 : 0] }
      guard rule.zeroPoints.allSatisfy({ $0 == 0 }),
        zip(stated, units).allSatisfy({ abs($0 - $1) <= 1e-4 * $1 })
      else {
        throw chain.refusal(
          element.operation, "has biases in another unit than its sums", seen: "\(stated[0])",
          allowed: "\(units[0])")
      }
    }
    used.insert(index)
    return BiasCodes(bytes, scales: units)
  }

  // MARK: What else is found

  /// The constants of the normalisation; our own metadata has more digits of them than the operator.
  private var normalization: LocalResponseNormalization? {
    guard let index = parsed.localResponseNormalization, let found = chain.elements[index].normalization
    else {
      return nil
    }
    guard let exact = metadata?.normalization, exact.size == found.size,
      Double(Float(exact.scale)) == found.scale, Double(Float(exact.beta)) == found.beta,
      Double(Float(exact.k)) == found.k
    else { return found }
    return exact
  }

  private var headActivation: FoundNetwork.FoundActivation? {
    guard let last = parsed.weighted.last, last.isHead else { return nil }
    guard let found = parsed.headActivation else {
      return FoundNetwork.FoundActivation(
        .linear, because: "nothing stands behind \(chain.elements[last.layer].neutral.name)")
    }
    return FoundNetwork.FoundActivation(
      found.kind, because: "\(chain.elements[found.layer].neutral.name) says so")
  }

  /// The extent of pictures; nil: any.
  private func inputExtent() throws(FileError) -> Extent? {
    let tensor = file.tensors[file.input]
    guard tensor.shape.count == 4, tensor.shape[0] == 1 else {
      throw FileError(
        .unsupported, code: "tflite.input", file: file.path,
        "reads something else than one picture at a time",
        offset: tensor.table.offset, place: "tensor \(file.input)", seen: "\(tensor.shape)",
        allowed: "[1, rows, columns, channels]")
    }
    guard tensor.signature[1] > 0, tensor.signature[2] > 0 else { return nil }
    return Extent(height: tensor.shape[1], width: tensor.shape[2])
  }

  /// The constants that are not in the model, and why.
  func dropped() throws(FileError) -> [Provenance.DroppedTensor] {
    var dropped: [Provenance.DroppedTensor] = []
    let biases = Set(chain.elements.compactMap(\.bias))
    for tensor in file.tensors where !used.contains(tensor.index) {
      guard try file.constant(tensor.index) != nil else { continue }
      dropped.append(
        Provenance.DroppedTensor(
          try tensor.name(),
          because: chain.settings.contains(tensor.index)
            ? "it says how an operator works"
            : biases.contains(tensor.index)
              ? "it is zero, for a layer without a bias" : "no operator of the network reads it"))
    }
    return dropped
  }

  /// What the grammar has against a chain, in TFLite's words.
  private static func refusal(_ refusal: GrammarRefusal, _ chain: OperatorChain, _ file: TFLiteFile)
    -> FileError
  {
    func error(_ problem: String, seen: String? = nil, allowed: String? = nil, advice: String? = nil)
      -> FileError
    {
      let operation = refusal.layer.map { chain.elements[$0].operation }
      return FileError(
        .unsupported, code: "tflite.layer", file: file.path, problem, offset: operation?.table.offset,
        place: operation?.place, seen: seen, allowed: allowed, advice: advice)
    }
    switch refusal.reason {
    case .refused(let own): return own
    case .noConvolutions: return error("is no VGG: it does not begin with convolutions")
    case .misplaced(let seen, let allowed), .normalization(let seen, let allowed):
      return error("has an operator where no VGG has one", seen: seen, allowed: allowed)
    case .setting(let setting, let allowed):
      return error(
        "has an operator that is set otherwise than in a VGG", seen: "\(setting)", allowed: allowed)
    case .reducedHead:
      return error(
        GrammarRefusal.reducedHeadProblem, allowed: GrammarRefusal.allowedHeadConvolution,
        advice: GrammarRefusal.reducedHeadAdvice)
    case .activation(let allowed):
      return error(
        "has an activation that no VGG has there", allowed: allowed.map(\.rawValue).joined(separator: ", "))
    case .noActivation:
      return error("has a convolution without a ReLU", allowed: "a ReLU behind each convolution")
    case .behindEnd(let activation, _):
      return error("goes on behind its last activation", seen: chain.elements[activation].neutral.name)
    case .unknownNormalizationPlace, .unflattened:
      preconditionFailure("a file lists all layers, and its dense layers flatten")
    }
  }
}

extension TFLiteTensor {
  /// The bytes of all elements; nil: more than there can be.
  fileprivate func byteCount(ofElement size: Int) -> Int? {
    var count = size
    for length in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      guard !overflow else { return nil }
      count = product
    }
    return count
  }
}
