internal import CommandLineKit
internal import VGGBytes
internal import VGGCompress
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
    to output: String, applying passes: [Pass], by arguments: Arguments, _ console: Console
  ) throws -> Conversion {
    do throws(FileError) {
      var passes = passes
      if case .auto = arguments[QuantizationOptions.kept] {
        passes = try model.sparingHarmedLayers(in: passes)
      }
      return try convert(
        to: output, applying: passes,
        judging: arguments[JudgementArguments.noVerification] ? nil : JudgementArguments.judging(arguments),
        overwrites: arguments[ModelOptions.force], tool: "vggconv \(toolVersion)", progress: console)
    } catch {
      guard error.code == "quantize.layer", let name = error.seen, let known = error.allowed else {
        throw error
      }
      throw UsageError("--keep names '\(name)'; layers with weights: \(known)")
    }
  }
}
