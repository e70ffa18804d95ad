internal import VGGBytes
internal import VGGCompress
internal import VGGEngine
internal import VGGModel

/// What some passes made of a model, and what they told on the way.
struct AppliedPasses {
  let model: Model
  /// What the user should know of the pictures of the calibration, each thing once.
  let warnings: [CalibrationWarning]
  /// The integers of each map, and what they clip; nil where no pass made the model compute in integers.
  let activations: CalibratedActivations?

  /// Applies passes.
  ///
  /// - Parameters:
  ///   - passes: The passes, in order.
  ///   - opened: The model.
  ///   - sparesHarmedLayers: Whether changes of precision also keep the layers that they would harm most.
  ///   - pictures: Pictures like those that the model is made for; nil: none.
  ///   - engine: How networks are run.
  /// - Throws: What a pass cannot do with this model.
  init(
    _ passes: [Pass], to opened: OpenedModel, sparingHarmedLayers sparesHarmedLayers: Bool,
    calibratedWith pictures: PictureSet?, engine: EngineOptions
  ) throws(FileError) {
    var warnings: [CalibrationWarning] = []
    var activations: CalibratedActivations?
    let context = PassContext(
      engine: engine, calibration: pictures?.layerBatches ?? .none,
      scratchFolder: opened.options.scratchFolder,
      // Two passes may look at the same pictures.
      warn: { if !warnings.contains($0) { warnings.append($0) } }, calibrated: { activations = $0 })
    model = try opened.model.applying(passes, sparingHarmedLayers: sparesHarmedLayers, in: context)
    (self.warnings, self.activations) = (warnings, activations)
  }
}
