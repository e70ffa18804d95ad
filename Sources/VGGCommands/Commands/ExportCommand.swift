internal import CommandLineKit
internal import VGGBoards
internal import VGGConv
internal import VGGExport
internal import VGGModel
internal import VGGNative

private let formatOption = Option<ExportFormat>(
  choice: "to", valueName: "FORMAT", help: "The format to write")
private let dequantizeSwitch = Switch(
  "dequantize", help: "Write the values that codes stand for, as float32")
private let runtimeOption = Option<TFLiteExporter.Runtime>(
  choice: "runtime", valueName: "PROGRAM",
  help: "tflite: the program that runs it, LiteRT or TensorFlow Lite Micro",
  standard: .litert)
private let externalSwitch = Switch(
  "external-data",
  help: "onnx: put the tensors into a second file, NAME.onnx.data; above 2 GB they are anyway")
private let preprocessingSwitch = Switch(
  "with-preprocessing", help: "onnx: prepare pictures in the graph, which takes their bytes then")
private let namesOption = Option<TensorNaming>(
  choice: "names", valueName: "WHOSE", help: "Whose names and layouts tensors have, in safetensors and npz")
private let weightsOnlySwitch = Switch(
  "weights-only", help: "Write only the weights (keras, keras-legacy)")
private let outputOption = Option("output", short: "o", valueName: "OUT", help: "Write to this file")

/// Writes a model in a format of other tools.
let exportCommand = Command(
  "export", abstract: "write a model in a format of other tools",
  discussion: """
    tflite is a whole network for LiteRT (TensorFlow Lite) or TensorFlow Lite Micro. Weights in float16 and int8 keep their \
    type, and become float32 when the file is loaded; int4 is written as the float32 values that it stands for. A model that \
    computes in integers is written as it is, and gives the same codes where the runtime rounds as the model does. What TFLite \
    has no place for is metadata under the name 'vggconv'.

    In safetensors and npz, tensors keep their canonical names and layouts: [row, column, input, output] for convolutions, and [input, output] for dense \
    layers, with the inputs of fc6 in the order row, column, channel. With --names they have those of another program, so that \
    it loads them as they are: of torchvision or timm (a state dict), of Keras, or of Caffe (layer/blob). These programs have no \
    codes, so their names go with the values that codes stand for. Safetensors also say how pictures are prepared, which \
    layers there are, and the names of the classes. Nothing is permuted: the channels stay in the order that is said there.

    There, weights in int8 and int4 keep their codes, a signed byte each, under the tensor's name; NAME.scales, NAME.zero_points (if there \
    are any) and NAME.group_size (for groups along the input) say what they stand for: (code - zero point) * scale. Scales are \
    one for the tensor, one for each output, or a row of them for each group.

    onnx is a graph that ONNX Runtime, OpenVINO, MNN and others run, with the operators of opset 13, or of 21 for codes of four \
    bits and for groups. Its input is 'input': float32, [N, channels, height, width], prepared. With --with-preprocessing it is \
    'picture': bytes, [N, height, width, channels], red, green, blue, or grey, of the network's size. Weights of float16 and bfloat16 \
    stay so, and a Cast widens them; weights of int8 and int4 stay codes behind a DequantizeLinear; a model that computes in integers \
    has QuantizeLinear and DequantizeLinear around each layer. Preprocessing, class names and source are in its metadata.

    For ncnn there are two files: the network as text, and beside it with the extension .bin the weights. A model that computes \
    in integers keeps the codes of its weights; those of activations are ncnn's own.

    keras is a model of Keras 3 (.keras), or its weights where OUT ends in .weights.h5; keras-legacy is the .h5 of Keras 2, which \
    Keras 3 reads too, with weights that fit keras.applications. caffe is a .caffemodel, and OUT with .prototxt for its extension. \
    In these all weights are float32.

    netron is the graph alone, with types and shapes, for Netron to draw.

    c is a folder of C sources for boards, of a model that computes in integers: a runtime without heap and libraries, the model as constants, the \
    image of its weights, and a self-test. It is run here before it gets its name, and each layer must give the codes that the model gives. \
    Weights lie in memory such as flash, or with --window are read in parts. Printed are flash, RAM, and what smaller or larger arenas \
    cost.

    What was written is read back before it gets its name, where vggconv reads the format, and must be the model, bit for bit.
    """,
  examples: [
    .init("export vgg16.vggw --to safetensors -o vgg16.safetensors", "For Python, Rust and JavaScript"),
    .init(
      "export vgg16.vggw --to safetensors --names torchvision -o vgg16.safetensors",
      "For torchvision.models.vgg16().load_state_dict(load_file(...))"),
    .init("export vgg16.vggw --to tflite -o vgg16.tflite", "For LiteRT"),
    .init(
      "export board.vggw --to tflite --runtime tflm -o board.tflite", "For boards: TensorFlow Lite Micro"),
    .init("export vgg16.vggw --to npz -o vgg16.npz", "For NumPy"),
    .init("export vgg16.vggw --to onnx -o vgg16.onnx", "For ONNX Runtime, OpenVINO and others"),
    .init("export vgg16.vggw --to ncnn -o vgg16.param", "For ncnn: vgg16.param and vgg16.bin"),
    .init("export vgg16.vggw --to keras -o vgg16.keras", "For Keras 3"),
    .init("export vgg16.vggw --to keras-legacy --weights-only -o vgg16.h5", "For keras.applications"),
    .init("export vgg16.vggw --to caffe -o vgg16.caffemodel", "For Caffe, with vgg16.prototxt"),
    .init("export board.vggw --to c -o board", "For boards: a folder of C sources"),
    .init("export int8.vggw --to npz --dequantize -o int8.npz", "What the codes stand for"),
  ],
  positionals: [Positional("MODEL", help: "A native model or a source file")],
  options: [
    formatOption, namesOption, runtimeOption, dequantizeSwitch, externalSwitch, preprocessingSwitch,
    weightsOnlySwitch, BoardArguments.embedding, BoardArguments.window, BoardArguments.limit,
    BoardArguments.digest, BoardArguments.expands, outputOption, ModelOptions.force, EngineArguments.threads,
    ModelOptions.noCheck,
  ] + ModelOptions.reading
) { arguments, console in
  guard let format = arguments[formatOption] else {
    throw UsageError("--to is missing: " + ExportFormat.allCases.map(\.rawValue).joined(separator: ", "))
  }
  guard let output = arguments[outputOption] else { throw UsageError("-o is missing: where to write") }
  try requireFitting(arguments, format)
  let opened = try opened(arguments, console)
  var options = ExportOptions()
  options.overwrites = arguments[ModelOptions.force]
  options.dequantizes = arguments[dequantizeSwitch]
  options.naming = arguments[namesOption] ?? .canonical
  options.weightsDigest = opened.native?.weightsDigest.bytes
  options.runtime = arguments[runtimeOption] ?? .litert
  options.usesExternalData = arguments[externalSwitch]
  options.preparesPictures = arguments[preprocessingSwitch]
  options.writesWeightsOnly = arguments[weightsOnlySwitch]
  options.board = BoardArguments.options(arguments)
  let result = try opened.model.export(to: format, at: output, options: options, progress: console)
  if let board = result.board {
    BoardText(board, at: output, console).print()
    return .success
  }
  for loss in result.losses { console.note("\(output): \(loss.text)") }
  for (path, size) in result.files { console.print("\(path): \(Format.bytes(size))") }
  console.print(proofText(result.proof))
  return .success
}

/// Opens the model, or imports a source as the options say.
private func opened(_ arguments: Arguments, _ console: Console) throws -> OpenedModel {
  let path = arguments.positionals[0]
  let (reading, model) = (try ModelOptions.sourceOptions(arguments), ModelOptions.modelOptions(arguments))
  guard OpenedModel.isNative(path) else { return try OpenedModel(path, reading, console) }
  guard reading.importing == model.importing, reading.prototxt == nil, reading.mean == nil else {
    throw UsageError("\(path) is a native model: options about reading a source mean nothing for it")
  }
  return try OpenedModel(path, model, console)
}

/// Refuses options that belong to another format.
private func requireFitting(_ arguments: Arguments, _ format: ExportFormat) throws(UsageError) {
  guard arguments[namesOption] == nil || format == .safetensors || format == .npz else {
    throw UsageError("--names is for safetensors and npz; \(format.rawValue) has names of its own")
  }
  guard arguments[runtimeOption] == nil || format == .tflite else {
    throw UsageError("--runtime is only for --to tflite")
  }
  guard format == .onnx || !(arguments[externalSwitch] || arguments[preprocessingSwitch]) else {
    throw UsageError("--external-data and --with-preprocessing go with --to onnx")
  }
  guard format == .c || !BoardArguments.areGiven(arguments) else {
    throw UsageError("--embed, --window, --ram, --digest and --weights-expanded go with --to c")
  }
  guard format == .keras || format == .kerasLegacy || !arguments[weightsOnlySwitch] else {
    throw UsageError("--weights-only is for --to keras and --to keras-legacy")
  }
}

/// What came of reading the files back, in one line.
private func proofText(_ proof: ExportProof?) -> String {
  guard let proof else { return "not read back: vggconv does not read this format" }
  return "read back: all \(proof.tensorCount) tensors are the model's, bit for bit ("
    + "\(Format.grouped(proof.elementCount)) numbers)"
}
