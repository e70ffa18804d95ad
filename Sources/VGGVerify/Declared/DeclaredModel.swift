internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// What the declared passes make of the source: what a faithful model must be, tensor by tensor and layer by layer.
struct DeclaredModel: Sendable {
  /// The layers that are left.
  let network: Network
  /// The tensors that they need, in order.
  let tensors: [DeclaredTensor]
  /// Passes that this program cannot repeat.
  let unknownPasses: [Pass]
  /// The same as a model whose values are computed as they are read.
  let model: Model

  /// Repeats passes with the source.
  ///
  /// - Parameters:
  ///   - source: The source.
  ///   - passes: The passes.
  ///   - claimed: What the judged model says of its maps, where it computes in integers. This alone cannot be found again without the
  ///     pictures of the calibration; everything else of the arithmetic follows from it and the source, and whether it suits
  ///     the network is for the outputs to show.
  ///   - judged: The judged model, whose codes are looked at where pictures decided between two of them: by the last pass that
  ///     changes weights, for what was there before another one is not known any more.
  /// - Throws: Where a tensor of the source cannot be read.
  init(
    _ source: Model, passes: [Pass], claimed: IntegerArithmetic? = nil, judged: Model? = nil
  ) throws(FileError) {
    var arithmetic = source.integerArithmetic
    var network = source.network
    var tensors = source.tensors.map(DeclaredTensor.init)
    var unknown: [Pass] = []
    for (place, pass) in passes.enumerated() {
      switch pass {
      case .quantize(let settings):
        let isChosen = settings.precision == .int4 && settings.codeRounding != .nearest
        let isLast = passes[(place + 1)...].allSatisfy { !$0.isLossy }
        // Judged against the model that the next pass was applied to, each of them can be repeated.
        if isChosen, judged == nil || !isLast { unknown.append(pass) }
        let kept = Set(settings.keptLayers.map { "\($0)/weight" })
        for index in tensors.indices {
          let original = tensors[index].original
          guard original.role == .weight, !kept.contains(original.name) else { continue }
          try tensors[index].quantize(
            by: settings, claimed: isChosen && isLast ? judged?.tensor(original.name)?.codes : nil)
        }
      case .quantizeActivations(let settings):
        guard var declared = claimed else {
          unknown.append(pass)
          continue
        }
        declared.rounding = settings.rounding
        arithmetic = declared
        // A later pass may have left out the last layers.
        for (index, layer) in network.layers.prefix(declared.outputs.count).enumerated() {
          guard let weight = tensors.first(where: { $0.original.name == layer.weightName }),
            let bias = tensors.firstIndex(where: { $0.original.name == layer.biasName }),
            let scales = weight.quantization?.scales
          else { continue }
          let outputs = tensors[bias].original.count
          let input = declared.input(ofLayer: index).scale
          try tensors[bias].count(
            inUnits: (0..<outputs).map { input * scales[scales.count == 1 ? 0 : $0] })
        }
      case .prune(let fraction):
        let dense = Set(network.layers.filter(\.isDense).map(\.weightName))
        for index in tensors.indices where dense.contains(tensors[index].original.name) {
          try tensors[index].prune(fraction: fraction)
        }
      case .dropDense:
        network = network.withoutDense
        let needed = Set(network.tensorRequirements.map(\.name))
        tensors.removeAll { !needed.contains($0.original.name) }
      case .unknown: unknown.append(pass)
      }
    }
    if var claimed = arithmetic {
      claimed.outputs = Array(claimed.outputs.prefix(network.layers.count))
      if let model = try? source.replacing(network, tensors.map(\.tensorOfCodes), claimed) {
        (self.network, self.tensors, self.model, unknownPasses) = (network, tensors, model, unknown)
        return
      }
      // What is claimed does not fit what the passes make of the source.
      unknown += passes.filter { if case .quantizeActivations = $0 { true } else { false } }
    }
    self.network = network
    self.tensors = tensors
    unknownPasses = unknown
    do throws(ShapeError) {
      model = try source.replacing(network, tensors.map(\.tensor), nil)
    } catch {
      throw FileError(
        .fault, code: "verify.declared", file: source.provenance.sourceName, error.description)
    }
  }
}

extension Model {
  /// A model of other layers and tensors.
  fileprivate func replacing(
    _ network: Network, _ tensors: [Tensor], _ arithmetic: IntegerArithmetic?
  ) throws(ShapeError) -> Model {
    try Model(
      network: network, tensors: tensors, preprocessing: preprocessing,
      // Without dense layers there are no classes to name.
      labels: network.hasTop ? labels : [], integerArithmetic: arithmetic, provenance: provenance)
  }
}

extension Tensor {
  /// The codes that it has; nil where it has none.
  fileprivate var codes: (any TensorCodes)? {
    if case .codes(let codes, _) = content { codes } else { nil }
  }
}

extension Model {
  /// The passes between another model and this one; nil where this one was not made from the other's passes onwards.
  func passes(since source: Model) -> [Pass]? {
    let (own, earlier) = (provenance.passes, source.provenance.passes)
    return own.starts(with: earlier) ? Array(own.dropFirst(earlier.count)) : nil
  }
}
