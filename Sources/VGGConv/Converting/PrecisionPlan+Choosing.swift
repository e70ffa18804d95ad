public import VGGBytes
public import VGGCompress
internal import VGGEngine
public import VGGModel
internal import VGGNative
internal import VGGVerify

extension OpenedModel {
  /// Chooses a precision for each layer, so that the model is the smallest within a distance, or the nearest within a size.
  ///
  /// The models are measured as a judgement would measure them: on the same pictures, by the same distance. Its distance is the one
  /// that ``OpenedModel/convert(to:applying:sparingHarmedLayers:calibratedWith:judging:overwrites:tool:progress:)`` with
  /// the plan's passes finds, and its size that of the file, to the byte.
  ///
  /// - Parameters:
  ///   - budget: What the model must not exceed.
  ///   - settings: How scales are found, which layers are kept, and whether convolutions may have four bits. The precision counts
  ///     for nothing.
  ///   - pictures: Pictures like those that the model is made for; some of them are measured with besides the generated ones.
  ///   - judging: What the models are measured with. One that does not meet a stated part of equal decisions is not chosen.
  ///   - tool: The program that will write, which the file names.
  ///   - progress: Is told how many models have been measured.
  /// - Throws: `unsupported` where nothing is within the budget, with what can be had.
  public func precisionPlan(
    for budget: PrecisionBudget, by settings: QuantizationSettings,
    calibratedWith pictures: PictureSet? = nil,
    judging: JudgingOptions = JudgingOptions(), tool: String = "vggconv",
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> PrecisionPlan {
    let inputs = try JudgementInputs(for: self, judging, calibration: pictures, file: path)
    let outputs = try inputs.outputs(of: self, for: model, engine: judging.engine)
    var sizes = FileSizes(tool: tool, scratchFolder: options.scratchFolder)
    let measures = PrecisionSearch.Measures(
      distance: { (model) throws(FileError) in
        let closeness = try outputs.closeness(of: model, file: path)
        if let least = judging.limits.sameClassFraction, let same = closeness.sameDecisionFraction,
          same < least
        {
          return .infinity
        }
        return closeness.outputDistance
      },
      size: { (model) throws(FileError) in
        let size = try sizes.size(of: model)
        return StoredSize(byteCount: size.byteCount, tensorBytes: size.tensorBytes)
      })
    var meter: (any ProgressMeter)?
    defer { meter?.finish() }
    var search = try PrecisionSearch(of: model, by: settings, measures: measures) { most in
      if meter == nil { meter = progress?.begin(.choosing, total: most) }
      meter?.advance(by: 1)
    }
    return try search.plan(for: budget)
  }
}

extension SourceOutputs {
  /// How close a model is.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - file: The file of what it is made of, for errors.
  func closeness(of model: Model, file: String) throws(FileError) -> Closeness {
    do throws(EngineError) { return try closeness(of: model) } catch { throw FileError(error, file: file) }
  }
}
