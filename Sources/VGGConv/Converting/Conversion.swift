internal import Glibc
public import VGGBytes
public import VGGCompress
internal import VGGEngine
internal import VGGKeras
public import VGGModel
public import VGGNative

/// What was written as a native file, and what came of it.
public struct Conversion: Sendable {
  /// What it was made of.
  public let origin: OpenedModel
  /// What was written, read back.
  public let file: NativeFile
  /// What came of judging it against its origin; nil where nobody wanted that.
  public let judgement: Judgement?
  /// What the passes did to each layer; nil where there were none.
  public let compression: CompressionReport?
  /// What the user should know of the pictures of the calibration.
  public let warnings: [CalibrationWarning]
  /// The integers of each map, and what they clip; nil where no pass made the model compute in integers.
  public let activations: CalibratedActivations?

  /// The model that was written.
  public var model: Model { file.model }
}

extension OpenedModel {
  /// Writes the model as a native file, made smaller by some passes.
  ///
  /// It is judged before it gets its name. One that is not what it was to be is not written; one that is no longer close to its
  /// origin is written, and the judgement says so.
  ///
  /// - Parameters:
  ///   - path: Where to write it.
  ///   - passes: What makes it smaller, in order; none: the weights stay as they are, bit for bit.
  ///   - sparesHarmedLayers: Whether changes of precision also keep the layers that they would harm most.
  ///   - pictures: Pictures like those that the model is made for, for passes that look at what its layers give; nil: none.
  ///   - judging: What it is judged with; nil: it is not judged.
  ///   - overwrites: Whether a file of that name is replaced.
  ///   - tool: The program that writes, such as "vggconv 1.0.0", for the file's manifest.
  ///   - progress: Is told how far it has come.
  /// - Throws: `cannotCreate` where the file exists and is not to be replaced; `fault` where it would not be what it was to be;
  ///   what a pass cannot do with this model.
  @discardableResult
  public func convert(
    to path: String, applying passes: [Pass] = [], sparingHarmedLayers sparesHarmedLayers: Bool = false,
    calibratedWith pictures: PictureSet? = nil, judging: JudgingOptions? = JudgingOptions(),
    overwrites: Bool = false, tool: String = "vggconv",
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) -> Conversion {
    try Conversion.requireFree(path, overwrites: overwrites)
    let applied = try AppliedPasses(
      passes, to: self, sparingHarmedLayers: sparesHarmedLayers, calibratedWith: pictures,
      engine: judging?.engine ?? EngineOptions())
    let staged = try stage(applied.model, to: path, overwrites: overwrites, tool: tool, progress)
    let judgement = try judging.map { options throws(FileError) in
      try Judgement(of: staged.file, against: self, options, calibration: pictures, progress)
    }
    try staged.publish()
    return Conversion(
      origin: self, file: staged.file, judgement: judgement,
      compression: passes.isEmpty
        ? nil
        : try CompressionReport(from: model, in: native, to: staged.file.model, staged.file.storedBytes),
      warnings: applied.warnings, activations: applied.activations)
  }

  /// Writes a model that was made of this one to a file that has no name yet.
  private func stage(
    _ converted: Model, to path: String, overwrites: Bool, tool: String, _ progress: (any ProgressMonitor)?
  ) throws(FileError) -> StagedFile {
    let meter = progress?.begin(.writing, total: converted.parameterCount * MemoryLayout<Float>.size)
    defer { meter?.finish() }
    // A native model knows the digests of its sources.
    let sources = native == nil ? ([file] + companions).map(\.bytes) : []
    return try VGGWFile.stage(converted, to: path, overwrite: overwrites, tool: tool, sources: sources) {
      meter?.advance(by: $0)
    }
  }
}

extension Conversion {
  /// Refuses an output that exists, before hours of work are spent on it.
  public static func requireFree(_ path: String, overwrites: Bool = false) throws(FileError) {
    guard !overwrites, access(path, F_OK) == 0 else { return }
    throw FileError(
      .cannotCreate, code: "output.exists", file: path, "exists already", advice: "--force replaces it")
  }

  /// The source's name with `.vggw` for its extension, in the source's folder; for a folder beside it.
  public static func standardOutput(for source: String) -> String {
    var name = source[...]
    while name.hasSuffix("/") { name = name.dropLast() }
    if ["", ".", ".."].contains(name.split(separator: "/").last ?? "") { return "\(name)/model.vggw" }
    for suffix in [".weights.h5", ".weights.json", ".caffemodel.h5", ".keras"] where name.hasSuffix(suffix) {
      return name.dropLast(suffix.count) + ".vggw"
    }
    if KerasSource.isFolder(source) { return name + ".vggw" }
    if let dot = name.lastIndex(of: "."), !name[dot...].contains("/") { name = name[..<dot] }
    return name + ".vggw"
  }
}
