internal import CommandLineKit
internal import VGGBytes
internal import VGGConv
internal import VGGModel

extension OpenedModel {
  /// Opens what a command was given, and says what a user should know of how it was read.
  init(_ path: String, _ options: OpenOptions, _ console: Console) throws(FileError) {
    try self.init(path, options: options, progress: console)
    warn(console)
  }

  /// Says what a user should know of how the file was read.
  func warn(_ console: Console) {
    guard let sandboxFailure else { return }
    console.note("\(file.path): was read without a sandbox: \(sandboxFailure)")
  }

  /// Writes the model as the options of a command say.
  ///
  /// - Throws: A `UsageError` where the network has no layer that `--keep` names.
  func convert(
    to output: String, applying passes: [Pass], calibratedWith pictures: PictureSet? = nil,
    by arguments: Arguments, _ console: Console
  ) throws -> Conversion {
    try requireStatedLayers(passes)
    return try convert(
      to: output, applying: passes, sparingHarmedLayers: sparesHarmedLayers(arguments),
      calibratedWith: pictures,
      judging: arguments[JudgementArguments.noVerification] ? nil : JudgementArguments.judging(arguments),
      overwrites: arguments[ModelOptions.force], tool: toolName, progress: console)
  }

  /// Refuses names of layers that the network does not have.
  func requireStatedLayers(_ passes: [Pass]) throws(UsageError) {
    do throws(UnknownLayer) { try requireLayers(keptBy: passes) } catch {
      throw UsageError(
        "--keep names '\(error.name)'; layers with weights: \(error.known.joined(separator: ", "))")
    }
  }
}

/// Whether changes of precision also keep the layers that they would harm most.
func sparesHarmedLayers(_ arguments: Arguments) -> Bool {
  if case .auto? = arguments[QuantizationOptions.kept] { true } else { false }
}

/// What files name as the program that wrote them.
let toolName = "vggconv \(toolVersion)"
