public import VGGBytes
public import VGGCompress
internal import VGGEngine
public import VGGModel
internal import VGGNative
public import VGGVerify

/// What a conversion would give, found without writing anything.
public struct Forecast: Sendable {
  /// The model that would be written.
  public let model: Model
  /// The bytes of its file.
  public let byteCount: Int
  /// The stored bytes of each tensor, by name.
  public let tensorBytes: [String: Int]
  /// What the passes do to each layer.
  public let compression: CompressionReport
  /// How close the model is to its origin.
  public let closeness: Closeness
  /// What the user should know of the pictures of the calibration.
  public let warnings: [CalibrationWarning]
  /// The integers of each map, and what they clip; nil where no pass made the model compute in integers.
  public let activations: CalibratedActivations?
}

extension OpenedModel {
  /// Finds out what ``OpenedModel/convert(to:applying:sparingHarmedLayers:calibratedWith:judging:overwrites:tool:progress:)`` would
  /// write, to the byte, and the distance that it would be judged by.
  ///
  /// - Parameters:
  ///   - passes: What makes the model smaller, in order.
  ///   - sparesHarmedLayers: Whether changes of precision also keep the layers that they would harm most.
  ///   - pictures: Pictures like those that the model is made for; nil: none.
  ///   - judging: What the model is measured with.
  ///   - tool: The program that would write, which the file names.
  ///   - progress: Is told how far it has come.
  /// - Throws: What a pass cannot do with this model.
  public func forecast(
    applying passes: [Pass], sparingHarmedLayers sparesHarmedLayers: Bool = false,
    calibratedWith pictures: PictureSet? = nil, judging: JudgingOptions = JudgingOptions(),
    tool: String = "vggconv", progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> Forecast {
    let meter = progress?.begin(.verifying, total: 2)
    defer { meter?.finish() }
    let applied = try AppliedPasses(
      passes, to: self, sparingHarmedLayers: sparesHarmedLayers, calibratedWith: pictures,
      engine: judging.engine)
    meter?.advance(by: 1)
    var sizes = FileSizes(tool: tool, scratchFolder: options.scratchFolder)
    let size = try sizes.size(of: applied.model)
    let outputs = try JudgementInputs(for: self, judging, calibration: pictures, file: path)
      .outputs(of: self, for: applied.model, engine: judging.engine)
    let closeness = try outputs.closeness(of: applied.model, file: path)
    meter?.advance(by: 1)
    return Forecast(
      model: applied.model, byteCount: size.byteCount, tensorBytes: size.tensorBytes,
      compression: try CompressionReport(from: model, in: native, to: applied.model, size.tensorBytes),
      closeness: closeness, warnings: applied.warnings, activations: applied.activations)
  }
}
