internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// What the source has become after some passes.
struct DeclaredState {
  private let source: Model
  private(set) var network: Network
  private(set) var tensors: [DeclaredTensor]
  private(set) var arithmetic: IntegerArithmetic?
  /// What tensors are multiplied by in all, by their names.
  private(set) var scalings: [String: DeclaredScaling] = [:]
  /// What passes say that the pictures do not.
  private(set) var refuted: [ModelDifference] = []
  /// Passes that cannot be repeated.
  var unknownPasses: [Pass] = []
  /// The tensors in front of each pass.
  private var history: [[DeclaredTensor]] = []

  /// Begins with the source.
  init(_ source: Model) {
    (self.source, network, arithmetic) = (source, source.network, source.integerArithmetic)
    tensors = source.tensors.map(DeclaredTensor.init)
  }

  /// Repeats one of some passes; false where that cannot be done.
  ///
  /// - Parameters:
  ///   - passes: All passes.
  ///   - place: Which one; those in front of it have been repeated.
  ///   - judged: The judged model, for what only the pictures of its calibration tell.
  ///   - recalibration: These pictures, if there are any.
  mutating func `repeat`(
    _ passes: [Pass], at place: Int, judged: Model?, _ recalibration: Recalibration?
  ) throws(FileError) -> Bool {
    history.append(tensors)
    let earlier = passes[..<place]
    switch passes[place] {
    case .quantize(let settings):
      // What was there before another pass changed weights is not known any more. Judged against the model that the
      // next pass was applied to, each of them can be repeated.
      let isChosen = settings.precision == .int4 && settings.codeRounding != .nearest
      if isChosen, judged == nil || passes[(place + 1)...].contains(where: \.changesWeights) { return false }
      let kept = Set(settings.keptLayers.map { "\($0)/weight" })
      for index in tensors.indices {
        let original = tensors[index].original
        guard original.role == .weight, !kept.contains(original.name) else { continue }
        try tensors[index].quantize(
          by: settings, claimed: isChosen ? judged?.tensor(original.name)?.codes : nil)
      }
    case .quantizeActivations(let settings):
      let maps = try recalibration.map { pictures throws(FileError) in
        try pictures.arithmetic(of: model(tensors), by: settings)
      }
      guard var declared = maps ?? judged?.integerArithmetic else { return false }
      declared.rounding = settings.rounding
      arithmetic = declared
      try countBiases(in: declared)
    case .prune(let fraction):
      let dense = Set(network.layers.filter(\.isDense).map(\.weightName))
      for index in tensors.indices where dense.contains(tensors[index].original.name) {
        try tensors[index].prune(fraction: fraction)
      }
    case .dropDense:
      network = network.withoutDense
      let needed = Set(network.tensorRequirements.map(\.name))
      tensors.removeAll { !needed.contains($0.original.name) }
      scalings = scalings.filter { needed.contains($0.key) }
    case .equalize(let factors): return scale(by: factors)
    case .correctBiases(let means):
      guard let means, means.roundingPassCount <= earlier.count else { return false }
      let rounding = earlier.suffix(means.roundingPassCount)
      guard rounding.allSatisfy({ if case .quantize = $0 { true } else { false } }) else { return false }
      return try correctBiases(by: means, history[rounding.startIndex - earlier.startIndex], recalibration)
    case .unknown: return false
    }
    return true
  }

  /// A model of tensors that stand for codes or numbers.
  private func model(_ tensors: [DeclaredTensor]) throws(FileError) -> Model {
    do throws(ShapeError) {
      return try source.replacing(network, tensors.map(\.tensorToRun), nil)
    } catch {
      throw FileError(
        .fault, code: "verify.declared", file: source.provenance.sourceName, error.description)
    }
  }

  private mutating func countBiases(in arithmetic: IntegerArithmetic) throws(FileError) {
    // A later pass may have left out the last layers.
    for (index, layer) in network.layers.prefix(arithmetic.outputs.count).enumerated() {
      guard let weight = tensors.first(where: { $0.original.name == layer.weightName }),
        let bias = tensors.firstIndex(where: { $0.original.name == layer.biasName }),
        let scales = weight.quantization?.scales
      else { continue }
      let outputs = tensors[bias].original.count
      let input = arithmetic.input(ofLayer: index).scale
      try tensors[bias].count(
        inUnits: (0..<outputs).map { input * scales[scales.count == 1 ? 0 : $0] })
    }
  }

  private mutating func scale(by factors: ChannelEqualization?) -> Bool {
    guard let found = factors?.declaredScalings(in: network) else { return false }
    for index in tensors.indices {
      guard let scaling = found[tensors[index].original.name] else { continue }
      guard tensors[index].scale(by: scaling) else { return false }
    }
    scalings.merge(found) { $0.followed(by: $1) }
    return true
  }

  private mutating func correctBiases(
    by declared: InputMeans, _ unrounded: [DeclaredTensor], _ recalibration: Recalibration?
  ) throws(FileError) -> Bool {
    guard declared.layers.allSatisfy({ $0.suits(network) }), arithmetic == nil else { return false }
    var layers = declared.layers
    if let recalibration {
      layers = try recalibration.means(for: layers, of: model(unrounded))
      refuted += zip(declared.layers, layers).compactMap { $0.difference(from: $1) }
    }
    for layer in layers {
      guard let weight = tensors.firstIndex(where: { $0.original.name == "\(layer.name)/weight" }),
        let bias = tensors.firstIndex(where: { $0.original.name == "\(layer.name)/bias" })
      else { return false }
      let errors = try layer.meanErrors(from: unrounded[weight], to: tensors[weight])
      guard tensors[bias].correct(by: errors) else { return false }
    }
    return true
  }
}

extension DeclaredTensor {
  /// The tensor for a network of real numbers, whose codes are read as codes where there is one scale for each output at least.
  fileprivate var tensorToRun: Tensor {
    if case .inputGroups = quantization?.grouping { return tensor }
    return quantization == nil || isUnchanged ? tensor : tensorOfCodes
  }
}

extension Tensor {
  /// The codes that it has; nil where it has none.
  fileprivate var codes: (any TensorCodes)? {
    if case .codes(let codes, _) = content { codes } else { nil }
  }
}
