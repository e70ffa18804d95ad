internal import CommandLineKit
internal import VGGConv
internal import VGGModel

private let formatOption = Option<ExportFormat>(
  choice: "to", valueName: "FORMAT", help: "The format to write")
private let outputOption = Option("output", short: "o", valueName: "OUT", help: "Write to this file")

/// Writes a model's tensors in a format of other tools.
let exportCommand = Command(
  "export", abstract: "write the tensors as safetensors or npz, for other tools",
  discussion: """
    Tensors keep their canonical names and layouts: [row, column, input, output] for convolutions, and [input, output] for dense \
    layers, with the inputs of fc6 in the order row, column, channel.
    """,
  examples: [
    .init("export vgg16.vggw --to safetensors -o vgg16.safetensors", "For Python, Rust and JavaScript"),
    .init("export vgg16.vggw --to npz -o vgg16.npz", "For NumPy"),
  ],
  positionals: [Positional("MODEL", help: "A native model or a source file")],
  options: [formatOption, outputOption, ModelOptions.force, EngineArguments.threads] + ModelOptions.using
) { arguments, console in
  guard let format = arguments[formatOption] else { throw UsageError("--to is missing: safetensors or npz") }
  guard let output = arguments[outputOption] else { throw UsageError("-o is missing: where to write") }
  let model = try OpenedModel(arguments.positionals[0], ModelOptions.modelOptions(arguments), console).model
  let size = try model.export(
    to: format, at: output, overwrites: arguments[ModelOptions.force], progress: console)
  console.print("\(output): \(Format.bytes(size)), \(model.tensors.count) tensors")
  return .success
}
