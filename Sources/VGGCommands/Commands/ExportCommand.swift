internal import CommandLineKit
internal import VGGConv
internal import VGGExport
internal import VGGModel

private let formatOption = Option<ExportFormat>(
  choice: "to", valueName: "FORMAT", help: "The format to write")
private let dequantizeSwitch = Switch(
  "dequantize", help: "Write the values that codes stand for, as float32")
private let weightsOnlySwitch = Switch(
  "weights-only", help: "Write only the weights (keras, keras-legacy)")
private let outputOption = Option("output", short: "o", valueName: "OUT", help: "Write to this file")

/// Writes a model's tensors in a format of other tools.
let exportCommand = Command(
  "export", abstract: "write the model for other tools: safetensors, npz, Keras, Caffe",
  discussion: """
    Tensors keep their canonical names and layouts: [row, column, input, output] for convolutions, and [input, output] for dense \
    layers, with the inputs of fc6 in the order row, column, channel.

    Weights in int8 and int4 keep their codes, a signed byte each, under the tensor's name; NAME.scales, NAME.zero_points (if there \
    are any) and NAME.group_size (for groups along the input) say what they stand for: (code - zero point) * scale. Scales are \
    one for the tensor, one for each output, or a row of them for each group.

    keras is a model of Keras 3 (.keras), or its weights where OUT ends in .weights.h5; keras-legacy is the .h5 of Keras 2, which \
    Keras 3 reads too, with weights that fit keras.applications. caffe is a .caffemodel, and OUT with .prototxt for its extension. \
    In these all weights are float32.
    """,
  examples: [
    .init("export vgg16.vggw --to safetensors -o vgg16.safetensors", "For Python, Rust and JavaScript"),
    .init("export vgg16.vggw --to npz -o vgg16.npz", "For NumPy"),
    .init("export vgg16.vggw --to keras -o vgg16.keras", "For Keras 3"),
    .init("export vgg16.vggw --to keras-legacy --weights-only -o vgg16.h5", "For keras.applications"),
    .init("export vgg16.vggw --to caffe -o vgg16.caffemodel", "For Caffe, with vgg16.prototxt"),
    .init("export int8.vggw --to npz --dequantize -o int8.npz", "What the codes stand for"),
  ],
  positionals: [Positional("MODEL", help: "A native model or a source file")],
  options: [
    formatOption, dequantizeSwitch, weightsOnlySwitch, outputOption, ModelOptions.force,
    EngineArguments.threads,
  ]
    + ModelOptions.using
) { arguments, console in
  guard let format = arguments[formatOption] else {
    throw UsageError("--to is missing: " + ExportFormat.allCases.map(\.rawValue).joined(separator: ", "))
  }
  guard let output = arguments[outputOption] else { throw UsageError("-o is missing: where to write") }
  let model = try OpenedModel(arguments.positionals[0], ModelOptions.modelOptions(arguments), console).model
  var options = ExportOptions()
  options.overwrites = arguments[ModelOptions.force]
  options.dequantizes = arguments[dequantizeSwitch]
  options.writesWeightsOnly = arguments[weightsOnlySwitch]
  guard !options.writesWeightsOnly || format == .keras || format == .kerasLegacy else {
    throw UsageError("--weights-only is for --to keras and --to keras-legacy")
  }
  let result = try model.export(to: format, at: output, options: options, progress: console)
  for loss in result.losses { console.note("\(output): \(loss.text)") }
  for (path, size) in result.files { console.print("\(path): \(Format.bytes(size))") }
  return .success
}
