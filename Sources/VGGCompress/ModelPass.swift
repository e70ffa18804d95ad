public import VGGBytes
public import VGGModel

/// What makes another model of a model: with other values, in other types, or with other layers.
///
/// A pass does its work and says by a ``declaration`` what it is, but does not write that into the provenance: it is applied by
/// `Model.applying(_:in:)`, which does.
public protocol ModelPass {
  /// What is to be read in the provenance: the pass with all that it takes to do it again.
  var declaration: Pass { get }

  /// Makes the other model; whatever its provenance says counts for nothing.
  ///
  /// - Parameters:
  ///   - model: The model as the passes before left it.
  ///   - context: What the pass may use.
  func apply(to model: Model, in context: PassContext) throws(FileError) -> Model
}

extension Model {
  /// The model that a pass makes of this one: it comes from where this one comes from, and has gone through one more pass.
  public func applying(
    _ pass: some ModelPass, in context: PassContext = PassContext()
  ) throws(FileError) -> Model {
    var result = try pass.apply(to: self, in: context)
    result.provenance = provenance
    result.provenance.passes.append(pass.declaration)
    return result
  }

  /// The model that a declared pass makes of this one.
  ///
  /// - Throws: `unsupported` with the code `pass.unknown` for a pass that this program does not know, and what the pass cannot
  ///   do with this model.
  public func applying(_ pass: Pass, in context: PassContext = PassContext()) throws(FileError) -> Model {
    switch pass {
    case .quantize(let settings): try applying(QuantizePass(settings, in: self, context), in: context)
    case .quantizeActivations(let settings):
      try applying(QuantizeActivationsPass(settings: settings), in: context)
    case .prune(let fraction): try applying(PruneDensePass(fraction: fraction), in: context)
    case .dropDense: try applying(DropDensePass(), in: context)
    case .equalize(let factors?): try applying(CrossLayerEqualization(factors), in: context)
    case .equalize(nil): try applying(CrossLayerEqualization(of: self), in: context)
    case .correctBiases(let means): try applying(biasCorrection(by: means, in: context), in: context)
    case .unknown(let text):
      throw FileError(
        .unsupported, code: "pass.unknown", file: provenance.sourceName,
        "cannot go through a pass that this program does not know", seen: text)
    }
  }

  /// The model after some declared passes, one after the other.
  ///
  /// - Parameters:
  ///   - passes: The passes.
  ///   - sparesHarmedLayers: Whether changes of precision also keep the layers that they would harm most, see
  ///     `sparingHarmedLayers(in:_:)`.
  ///   - context: What the passes may use.
  public func applying(
    _ passes: [Pass], sparingHarmedLayers sparesHarmedLayers: Bool = false,
    in context: PassContext = PassContext()
  ) throws(FileError) -> Model {
    var (model, context) = (self, context)
    for pass in passes {
      let rounds = if case .quantize = pass { true } else { false }
      if rounds, context.unrounded == nil { context.unrounded = model }
      // Of the model as it has become, so that nothing that a pass before has found is sought again.
      let sparing = sparesHarmedLayers ? try model.sparingHarmedLayers(in: [pass], context) : [pass]
      for pass in sparing { model = try model.applying(pass, in: context) }
      if !rounds { context.unrounded = nil }
    }
    return model
  }
}
