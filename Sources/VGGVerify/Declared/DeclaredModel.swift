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
  /// What the passes say that pictures which were given do not.
  let refuted: [ModelDifference]
  /// What tensors are multiplied by in all, by their names: channels of the model's maps are in other units than the source's.
  let scalings: [String: DeclaredScaling]

  /// Repeats passes with the source.
  ///
  /// - Parameters:
  ///   - source: The source.
  ///   - passes: The passes.
  ///   - judged: The judged model, for what cannot be found again without the pictures of the calibration: the ranges of maps, and
  ///     which of two codes a weight got. Everything else follows from the source, and whether these suit the network is for the
  ///     outputs to show. Means of inputs are declared by the passes.
  ///   - recalibration: The pictures of the calibration, if somebody gives them: then nothing is taken as claimed.
  /// - Throws: Where a tensor of the source cannot be read.
  init(
    _ source: Model, passes: [Pass], judged: Model? = nil, recalibration: Recalibration? = nil
  ) throws(FileError) {
    var state = DeclaredState(source)
    for (index, pass) in passes.enumerated() {
      guard try state.repeat(passes, at: index, judged: judged, recalibration) else {
        state.unknownPasses.append(pass)
        continue
      }
    }
    (refuted, scalings) = (state.refuted, state.scalings)
    (network, tensors) = (state.network, state.tensors)
    if var arithmetic = state.arithmetic {
      arithmetic.outputs = Array(arithmetic.outputs.prefix(network.layers.count))
      if let model = try? source.replacing(network, tensors.map(\.tensorOfCodes), arithmetic) {
        (self.model, unknownPasses) = (model, state.unknownPasses)
        return
      }
      // What is claimed does not fit what the passes make of the source.
      state.unknownPasses += passes.filter { if case .quantizeActivations = $0 { true } else { false } }
    }
    unknownPasses = state.unknownPasses
    do throws(ShapeError) {
      model = try source.replacing(network, tensors.map(\.tensor), nil)
    } catch {
      throw FileError(
        .fault, code: "verify.declared", file: source.provenance.sourceName, error.description)
    }
  }
}

extension DeclaredModel {
  /// A model with the channels of its maps in the units of another one's: multiplied as the passes multiply the source's, or back.
  ///
  /// Powers of two move through the layers without a rounding, so it computes the same.
  func rescaling(_ other: Model, back: Bool = false) -> Model {
    guard !scalings.isEmpty else { return other }
    return other.mappingTensors { tensor in
      guard let scaling = scalings[tensor.name] else { return tensor }
      let step = DeclaredStep.scaled(back ? scaling.inverse : scaling)
      return tensor.replacing(values: DeclaredValues(base: tensor.values, steps: [step]))
    }
  }
}

extension Model {
  /// A model of other layers and tensors, from the same source.
  func replacing(
    _ network: Network, _ tensors: [Tensor], _ arithmetic: IntegerArithmetic?
  ) throws(ShapeError) -> Model {
    try Model(
      network: network, tensors: tensors, preprocessing: preprocessing,
      // Without dense layers there are no classes to name.
      labels: network.hasTop ? labels : [], integerArithmetic: arithmetic, provenance: provenance)
  }
}

extension Model {
  /// The passes between another model and this one; nil where this one was not made from the other's passes onwards.
  func passes(since source: Model) -> [Pass]? {
    let (own, earlier) = (provenance.passes, source.provenance.passes)
    return own.starts(with: earlier) ? Array(own.dropFirst(earlier.count)) : nil
  }
}
