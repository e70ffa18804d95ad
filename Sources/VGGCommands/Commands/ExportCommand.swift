internal import CommandLineKit
internal import VGGConv
internal import VGGExport
internal import VGGModel
internal import VGGNative

private let formatOption = Option<ExportFormat>(
  choice: "to", valueName: "FORMAT", help: "The format to write")
private let dequantizeSwitch = Switch(
  "dequantize", help: "Write the values that codes stand for, as float32")
private let namesOption = Option<TensorNaming>(
  choice: "names", valueName: "WHOSE", help: "Whose names and layouts tensors have, in safetensors and npz")
private let outputOption = Option("output", short: "o", valueName: "OUT", help: "Write to this file")

/// Writes a model's tensors in a format of other tools.
let exportCommand = Command(
  "export", abstract: "write a model in a format of other tools",
  discussion: """
    Tensors keep their canonical names and layouts: [row, column, input, output] for convolutions, and [input, output] for dense \
    layers, with the inputs of fc6 in the order row, column, channel. With --names they have those of another program, so that \
    it loads them as they are: of torchvision or timm (a state dict), of Keras, or of Caffe (layer/blob). These programs have no \
    codes, so their names go with the values that codes stand for. Safetensors also say how pictures are prepared, which \
    layers there are, and the names of the classes. Nothing is permuted: the channels stay in the order that is said there.

    Weights in int8 and int4 keep their codes, a signed byte each, under the tensor's name; NAME.scales, NAME.zero_points (if there \
    are any) and NAME.group_size (for groups along the input) say what they stand for: (code - zero point) * scale. Scales are \
    one for the tensor, one for each output, or a row of them for each group.

    For ncnn there are two files: the network as text, and beside it with the extension .bin the weights. A model that computes \
    in integers keeps the codes of its weights; those of activations are ncnn's own.
    """,
  examples: [
    .init("export vgg16.vggw --to safetensors -o vgg16.safetensors", "For Python, Rust and JavaScript"),
    .init(
      "export vgg16.vggw --to safetensors --names torchvision -o vgg16.safetensors",
      "For torchvision.models.vgg16().load_state_dict(load_file(...))"),
    .init("export vgg16.vggw --to npz -o vgg16.npz", "For NumPy"),
    .init("export vgg16.vggw --to ncnn -o vgg16.param", "For ncnn: vgg16.param and vgg16.bin"),
    .init("export int8.vggw --to npz --dequantize -o int8.npz", "What the codes stand for"),
  ],
  positionals: [Positional("MODEL", help: "A native model or a source file")],
  options: [
    formatOption, namesOption, dequantizeSwitch, outputOption, ModelOptions.force, EngineArguments.threads,
  ]
    + ModelOptions.using
) { arguments, console in
  guard let format = arguments[formatOption] else {
    throw UsageError(
      "--to is missing: " + ExportFormat.allCases.map(\.rawValue).joined(separator: ", "))
  }
  guard let output = arguments[outputOption] else { throw UsageError("-o is missing: where to write") }
  guard arguments[namesOption] == nil || format == .safetensors || format == .npz else {
    throw UsageError("--names is for safetensors and npz; \(format.rawValue) has names of its own")
  }
  let opened = try OpenedModel(arguments.positionals[0], ModelOptions.modelOptions(arguments), console)
  var options = ExportOptions()
  options.overwrites = arguments[ModelOptions.force]
  options.dequantizes = arguments[dequantizeSwitch]
  options.naming = arguments[namesOption] ?? .canonical
  options.weightsDigest = opened.native?.weightsDigest.bytes
  let result = try opened.model.export(to: format, at: output, options: options, progress: console)
  for loss in result.losses { console.note("\(output): \(loss.text)") }
  for (path, size) in result.files { console.print("\(path): \(Format.bytes(size))") }
  return .success
}
