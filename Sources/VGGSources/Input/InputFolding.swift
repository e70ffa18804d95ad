public import VGGBytes
public import VGGModel
internal import VGGTensors

/// What of the preprocessing of pictures becomes part of the first convolution, so that a device has less to do.
///
/// Nothing of it happens unless somebody asks for it.
public struct InputFolding: Equatable, Sendable {
  /// The channel order that the network takes afterwards; nil: the one that its weights were made for. Exact.
  public var channelOrder: Preprocessing.ChannelOrder?
  /// Whether mean and scale become part of weight and bias: the network then takes pixels of 0 to 255 as they are.
  ///
  /// Inexact where the kernel reaches over the border: padding was the mean colour, and is black afterwards.
  public var includesMeanAndScale: Bool

  /// Creates a choice; as it is without arguments, nothing is folded.
  public init(channelOrder: Preprocessing.ChannelOrder? = nil, includesMeanAndScale: Bool = false) {
    self.channelOrder = channelOrder
    self.includesMeanAndScale = includesMeanAndScale
  }
}

extension Provenance {
  /// What was folded into the first convolution when the model was imported, by the decisions.
  public var inputFolding: InputFolding {
    let orders = decisions.compactMap {
      if case .foldedChannelOrder(let order) = $0.kind { order } else { nil }
    }
    return InputFolding(
      channelOrder: orders.first, includesMeanAndScale: decisions.contains { $0.kind == .foldedMeanAndScale })
  }
}

extension Model {
  /// The imported model with a part of its preprocessing folded into conv1_1, and the rest of it stored.
  ///
  /// - Parameters:
  ///   - folding: What to fold.
  ///   - file: The source file's path, for errors.
  /// - Throws: `unsupported` where the preprocessing is not known or has no channel order.
  public func foldingInput(_ folding: InputFolding, file: String) throws(FileError) -> Model {
    guard folding != InputFolding() else { return self }
    guard var rule = preprocessing, let weight = tensor("conv1_1/weight"), let source = weight.source else {
      throw FileError(
        .unsupported, code: "model.folding", file: file,
        "cannot have its preprocessing folded: it is not known what is done to pictures")
    }
    var first = FirstConvolution(weight: source, bias: tensor("conv1_1/bias")?.source)
    var decisions: [Provenance.Decision] = []
    if let order = folding.channelOrder {
      guard rule.mean.count == 3, rule.channelOrder != .gray, order != .gray else {
        throw FileError(
          .unsupported, code: "model.folding", file: file, "has no channel order to fold", place: "conv1_1",
          seen: "\(rule.channelOrder.rawValue), \(rule.mean.count) channels", allowed: "bgr or rgb")
      }
      let isReversed = order != rule.channelOrder
      if isReversed {
        first.weight.hasReversedInputChannels.toggle()
        rule.channelOrder = order
        rule.mean.reverse()
        rule.scale.reverse()
      }
      decisions.append(
        Provenance.Decision(
          .foldedChannelOrder(order),
          because: isReversed
            ? "asked for; the input channels of conv1_1 are reversed, and with them mean and scale"
            : "asked for; the weights are made for it"))
    }
    if folding.includesMeanAndScale {
      try first.fold(rule)
      rule.mean = rule.mean.map { _ in 0 }
      rule.scale = rule.scale.map { _ in 1 }
      decisions.append(
        Provenance.Decision(
          .foldedMeanAndScale,
          because: "asked for; mean and scale are part of conv1_1. Inexact within one pixel of the border, "
            + "where padding was the mean colour and is black now"))
    }
    return try replacingFirst(first, preprocessing: rule, decisions: decisions, file: file)
  }

  private func replacingFirst(
    _ first: FirstConvolution, preprocessing: Preprocessing, decisions: [Provenance.Decision], file: String
  ) throws(FileError) -> Model {
    var layers = network.layers
    if case .convolution(var convolution) = layers[0].operation {
      convolution.hasBias = first.bias != nil
      layers[0] = Layer(name: layers[0].name, operation: .convolution(convolution))
    }
    var tensors = self.tensors.filter { !$0.name.hasPrefix("conv1_1/") }
    tensors.append(Tensor(name: "conv1_1/weight", role: .weight, source: first.weight))
    if let bias = first.bias { tensors.append(Tensor(name: "conv1_1/bias", role: .bias, source: bias)) }
    var provenance = self.provenance
    provenance.decisions += decisions
    // What a batch normalisation was folded into is not a tensor of the source any more.
    let originals = provenance.folded.contains { $0.layer == "conv1_1" } ? [] : first.originals
    provenance.folded += originals.map { Provenance.FoldedTensor($0.name, into: "conv1_1") }
    do throws(ShapeError) {
      var model = try Model(
        network: Network(
          architecture: network.architecture, inputChannels: network.inputChannels,
          inputExtent: network.inputExtent, layers: layers),
        tensors: tensors, preprocessing: preprocessing, labels: labels, provenance: provenance)
      model.foldedSources = foldedSources + originals
      return model
    } catch {
      throw FileError(.malformed, code: "model.shape", file: file, error.problem, place: error.layer)
    }
  }
}

/// The tensors of conv1_1 while preprocessing is folded into them.
private struct FirstConvolution {
  var weight: SourceTensor
  var bias: SourceTensor?
  /// The source's tensors that are replaced by computed ones.
  private(set) var originals: [SourceTensor] = []

  init(weight: SourceTensor, bias: SourceTensor?) {
    self.weight = weight
    self.bias = bias
  }

  /// With x = (pixel - mean) * scale: weight * x + bias = (weight * scale) * pixel + (bias - weight * scale * mean).
  mutating func fold(_ rule: Preprocessing) throws(FileError) {
    let shape = weight.canonicalShape
    let (inputs, outputs) = (shape[2], shape[3])
    var values = try weight.canonicalValues.array()
    var shift = [Double](repeating: 0, count: outputs)
    for index in values.indices {
      let (input, output) = (index / outputs % inputs, index % outputs)
      let scaled = Double(values[index]) * rule.scale[input]
      shift[output] += scaled * rule.mean[input]
      values[index] = Float(scaled)
    }
    let biases = try bias?.canonicalValues.array() ?? Array(repeating: 0, count: outputs)
    let shifted = zip(biases, shift).map { Float(Double($0) - $1) }
    func computed(_ name: String, _ shape: [Int], _ values: [Float], _ layout: SourceLayout) -> SourceTensor {
      SourceTensor(
        name: "\(name) with mean and scale", shape: shape, format: .float32,
        bytes: ByteRegion(copying: values.withUnsafeBytes { Array($0) }), layout: layout)
    }
    if rule.scale.contains(where: { $0 != 1 }) {
      originals.append(weight)
      weight = computed(weight.name, shape, values, .hwio)
    }
    originals += [bias].compactMap(\.self)
    bias = computed(bias?.name ?? weight.name, [outputs], shifted, .vector)
  }
}
