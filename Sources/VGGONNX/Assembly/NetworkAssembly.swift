internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What was found in a file, and the decisions that make a network of it.
struct NetworkAssembly {
  let chain: ONNXChain
  private let options: ImportOptions
  private let parsed: ParsedNetwork
  private var reading: WeightReading
  private(set) var decisions: [Provenance.Decision] = []

  private var file: ONNXFile { chain.file }
  private var elements: [ChainElement] { chain.elements }

  /// Reads a graph as a chain of layers, and takes each for what it is in a VGG.
  init(_ graph: ONNXGraph, options: ImportOptions) throws(FileError) {
    self.options = options
    chain = try ONNXChain(graph)
    reading = WeightReading(graph)
    var grammar = VGGGrammar()
    (grammar.allowsAnyPooling, grammar.allowsLinearHiddenLayers) = (true, true)
    do throws(GrammarRefusal) {
      parsed = try grammar.parse(chain.elements.map(\.neutral))
    } catch {
      throw chain.error(error)
    }
  }

  /// The tensors of the file that are not in the model, and why.
  var dropped: [Provenance.DroppedTensor] {
    let known = reading.used.union(chain.operands)
    return chain.graph.model.tensors.filter { !known.contains($0.name) }.map { tensor in
      let nodes = chain.graph.readers(of: tensor.name).map { chain.graph.model.nodes[$0].place }
      return Provenance.DroppedTensor(
        tensor.name,
        because: nodes.isEmpty
          ? "nothing reads it" : "\(nodes.prefix(3).joined(separator: ", ")) reads it, which has no weights")
    }
  }

  /// The network in the form that all importers give.
  mutating func network() throws(FileError) -> FoundNetwork {
    let arithmetic = try integerArithmetic()
    var found = FoundNetwork(
      convolutions: [], dense: [], flattenOrder: .chw, poolings: .placed(parsed.poolings),
      normalization: try normalization())
    found.inputExtent = chain.inputShape?.extent
    found.headPooling = parsed.headPooling?.pooling
    if let arithmetic { found.integerArithmetic = { _ in arithmetic } }
    var hasNativeOrder = false
    var linear: [String] = []
    for (index, weighted) in parsed.weighted.enumerated() {
      let element = elements[weighted.layer]
      let codes = arithmetic.map { _ in codesRead(byElement: weighted.layer) } ?? nil
      var layer: FoundNetwork.WeightedLayer
      if case .convolution = element.neutral.operation {
        layer =
          try weighted.isHead
          ? reading.denseConvolution(element, input: codes) : reading.convolution(element, input: codes)
      } else {
        let (read, isNative) = try reading.dense(element, input: codes)
        layer = read
        let channels = found.convolutions.last?.weight.canonicalShape.last
        guard
          !isNative
            || found.dense.isEmpty && !chain.flattensChannelsLast
              && element.weight?.baseShape[2] == channels
        else {
          throw reading.rearranged(element)
        }
        if found.dense.isEmpty { hasNativeOrder = isNative }
      }
      if let statistics = weighted.normalization?.statistics {
        layer.batchNormalization = try reading.normalization(elements[statistics])
      }
      if let output = weighted.outputNormalization, let statistics = output.statistics {
        layer.outputNormalization = FoundNetwork.WeightedLayer.OutputNormalization(
          try reading.normalization(elements[statistics]), isBehindPooling: output.place == .behindPooling)
      }
      if weighted.isHead {
        if weighted.activation == nil, index < parsed.weighted.count - 1 {
          layer.hiddenActivation = Activation.none
          linear.append(layer.name)
        }
        found.dense.append(layer)
      } else {
        found.convolutions.append(layer)
      }
    }
    if !linear.isEmpty { decide(.linearLayers(linear), "nothing stands between them and the next layer") }
    if !found.dense.isEmpty {
      let isFlattened = parsed.flatten != nil
      found.flattenOrder =
        options.flattenOrder ?? (hasNativeOrder || (isFlattened && chain.flattensChannelsLast) ? .hwc : .chw)
      decide(
        .flattenOrder(found.flattenOrder),
        options.flattenOrder != nil
          ? "the user says so"
          : hasNativeOrder
            ? "the weight is stored so, and the graph rearranges it"
            : chain.flattensChannelsLast
              ? "a Transpose puts the channels last" : "ONNX has maps channel, row, column")
    }
    for index in found.convolutions.indices {
      found.convolutions[index].weight.isRotated = options.kernelsAreRotated ?? false
    }
    decide(
      .kernelFlip(options.kernelsAreRotated ?? false),
      options.kernelsAreRotated == nil ? "ONNX computes correlations" : "the user says so")
    let poolings = parsed.poolings.map(\.pooling) + [found.headPooling].compactMap(\.self)
    if poolings.contains(where: { $0.rounding == .ceiling }) {
      let isCeiling = poolings.allSatisfy { $0.isGlobal || $0.rounding == .ceiling }
      decide(.poolingRounding(isCeiling ? .ceiling : nil), "ceil_mode says so")
    }
    found.headActivation = headActivation
    try requireChannels(found)
    return found
  }

  /// The input must have as many channels as the first convolution reads.
  private func requireChannels(_ found: FoundNetwork) throws(FileError) {
    guard let declared = chain.inputShape?.channels,
      let first = found.convolutions.first?.weight.canonicalShape,
      declared != first[2]
    else { return }
    throw file.malformed(
      "input", "has an input that does not fit its first convolution", seen: "\(declared) channels",
      allowed: "\(first[2])")
  }

  /// What is applied to the last dense layer: a node tells it, or that nothing stands there.
  private var headActivation: FoundNetwork.FoundActivation? {
    guard let last = parsed.weighted.last, last.isHead else { return nil }
    guard let found = parsed.headActivation else {
      return FoundNetwork.FoundActivation(
        .linear, because: "nothing stands behind \(elements[last.layer].node.name)")
    }
    return FoundNetwork.FoundActivation(
      found.kind, because: "\(elements[found.layer].node.place) stands behind the last layer")
  }

  /// The constants of the normalisation: float32 in the graph, exact in the metadata of our own files.
  private mutating func normalization() throws(FileError) -> LocalResponseNormalization? {
    if let given = options.normalization {
      decide(.localResponseNormalization(.stated(given)), "the user says so")
      return given
    }
    guard let index = parsed.localResponseNormalization else { return nil }
    let node = elements[index].node
    let size = node.integer("size", otherwise: 0)
    guard (1...1 << 16).contains(size) else {
      throw file.malformed(
        "lrn", "has an impossible normalisation", at: node.offset, place: node.place, seen: "size \(size)",
        allowed: "1 to 65536")
    }
    let alpha = node.float("alpha", otherwise: 1e-4)
    func exact(_ number: Float) -> Double { Double("\(number)") ?? Double(number) }
    let read = LocalResponseNormalization(
      size: size, scale: exact(alpha) / Double(size), beta: exact(node.float("beta", otherwise: 0.75)),
      k: exact(node.float("bias", otherwise: 1)))
    decide(
      .localResponseNormalization(.caffe(alpha: alpha, elementCount: size)),
      "ONNX divides alpha by the number of channels, as Caffe does")
    if let stated = chain.metadata?.normalization, stated.size == size,
      Float(stated.scale * Double(size)) == alpha, Float(stated.beta) == Float(read.beta),
      Float(stated.k) == Float(read.k)
    {
      return stated
    }
    return read
  }

  // MARK: Integers

  /// What the codes stand for that an element reads.
  private func codesRead(byElement index: Int) -> ActivationQuantization? {
    elements[..<index].last(where: \.isLayer)?.codes ?? chain.inputCodes
  }

  /// How the network computes in integers; nil where no map is rounded to codes.
  ///
  /// - Throws: `unsupported` where only some are.
  private func integerArithmetic() throws(FileError) -> IntegerArithmetic? {
    let layers = elements.filter(\.isLayer)
    let outputs = layers.compactMap(\.codes)
    guard chain.inputCodes != nil || !outputs.isEmpty else { return nil }
    let hasCodes = layers.filter { $0.weight != nil }.allSatisfy {
      $0.weight?.scales != nil && ($0.bias == nil || $0.bias?.scales != nil)
    }
    guard let input = chain.inputCodes, outputs.count == layers.count, hasCodes else {
      let first =
        chain.inputCodes == nil
        ? "its input" : layers.first { $0.codes == nil }?.node.place ?? "a weight or bias"
      throw file.unsupported(
        "codes", "computes in integers only in part", place: "the graph",
        seen: "\(first) is not rounded to codes",
        allowed:
          "codes of int8 for the input, all weights and biases and what each layer gives, or for weights alone",
        advice: "quantise all layers, or none of the maps")
    }
    return IntegerArithmetic(
      rounding: chain.metadata?.rounding ?? .litert, input: input, outputs: outputs)
  }

  private mutating func decide(_ kind: Provenance.Decision.Kind, _ evidence: String) {
    decisions.append(Provenance.Decision(kind, because: evidence))
  }
}
