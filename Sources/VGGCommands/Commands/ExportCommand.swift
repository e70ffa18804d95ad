internal import CommandLineKit
internal import VGGConv
internal import VGGExport
internal import VGGModel

private let formatOption = Option<ExportFormat>(
  choice: "to", valueName: "FORMAT", help: "The format to write")
private let dequantizeSwitch = Switch(
  "dequantize", help: "Write the values that codes stand for, as float32")
private let runtimeOption = Option<TFLiteExporter.Runtime>(
  choice: "runtime", valueName: "PROGRAM",
  help: "tflite: the program that runs it, LiteRT or TensorFlow Lite Micro",
  standard: .litert)
private let outputOption = Option("output", short: "o", valueName: "OUT", help: "Write to this file")

/// Writes a model in a format of other tools.
let exportCommand = Command(
  "export", abstract: "write it for other tools: tflite, safetensors, npz",
  discussion: """
    tflite is a whole network for LiteRT (TensorFlow Lite) or TensorFlow Lite Micro. Weights in float16 and int8 keep their \
    type, and become float32 when the file is loaded; int4 is written as the float32 values that it stands for. A model that \
    computes in integers is written as it is, and gives the same codes where the runtime rounds as the model does. What TFLite \
    has no place for is metadata under the name 'vggconv'.

    In safetensors and npz, tensors keep their canonical names and layouts: [row, column, input, output] for convolutions, and [input, output] for dense \
    layers, with the inputs of fc6 in the order row, column, channel.

    There, weights in int8 and int4 keep their codes, a signed byte each, under the tensor's name; NAME.scales, NAME.zero_points (if there \
    are any) and NAME.group_size (for groups along the input) say what they stand for: (code - zero point) * scale. Scales are \
    one for the tensor, one for each output, or a row of them for each group.
    """,
  examples: [
    .init("export vgg16.vggw --to safetensors -o vgg16.safetensors", "For Python, Rust and JavaScript"),
    .init("export vgg16.vggw --to tflite -o vgg16.tflite", "For LiteRT"),
    .init(
      "export board.vggw --to tflite --runtime tflm -o board.tflite", "For boards: TensorFlow Lite Micro"),
    .init("export vgg16.vggw --to npz -o vgg16.npz", "For NumPy"),
    .init("export int8.vggw --to npz --dequantize -o int8.npz", "What the codes stand for"),
  ],
  positionals: [Positional("MODEL", help: "A native model or a source file")],
  options: [
    formatOption, runtimeOption, dequantizeSwitch, outputOption, ModelOptions.force, EngineArguments.threads,
  ] + ModelOptions.using
) { arguments, console in
  guard let format = arguments[formatOption] else {
    throw UsageError("--to is missing: safetensors, npz or tflite")
  }
  guard let output = arguments[outputOption] else { throw UsageError("-o is missing: where to write") }
  let model = try OpenedModel(arguments.positionals[0], ModelOptions.modelOptions(arguments), console).model
  if arguments[runtimeOption] != nil, format != .tflite {
    throw UsageError("--runtime is only for --to tflite")
  }
  var options = ExportOptions()
  options.overwrites = arguments[ModelOptions.force]
  options.dequantizes = arguments[dequantizeSwitch]
  options.runtime = arguments[runtimeOption] ?? .litert
  let result = try model.export(to: format, at: output, options: options, progress: console)
  for loss in result.losses { console.note("\(output): \(loss.text)") }
  for (path, size) in result.files { console.print("\(path): \(Format.bytes(size))") }
  return .success
}
