public import VGGBytes
internal import VGGInterchange
public import VGGModel
internal import VGGProtobuf
internal import VGGTensors

/// Describes `.onnx` files (onnx.ai), which ONNX Runtime, OpenVINO, MNN, TVM and many others read.
///
/// The graph is in the order of most of them: maps are [N, channels, rows, columns], kernels [output, input, row, column], and fc6
/// reads maps flattened channel, row, column. Operations, weights and values have the canonical names of their layers. Operators are
/// those of opset 13, or of 21 where codes have four bits or share scales along the input. Weights of float16 and bfloat16 are widened by
/// a Cast, and codes of weights become values by DequantizeLinear, so that all programs compute in float32 with exactly the model's
/// values. A model that computes in integers has QuantizeLinear and DequantizeLinear around each layer, from which ONNX
/// Runtime makes operations on integers.
public enum ONNXExporter {
  /// What is decided about a file.
  public struct Options: Sendable {
    /// Whether tensors are in a second file. They are anyway where one file would have more than 2^31 - 1 bytes, which no reader of
    /// messages takes.
    public var usesExternalData = false
    /// The name of that file, which the first one refers to.
    public var externalName: String
    /// Whether the graph prepares pictures itself. Its input is then ``ONNXExporter/pictureName``: bytes [N, rows, columns, channels],
    /// red, green, blue, or grey.
    public var preparesPictures = false
    /// Whether codes are written as the values that they stand for.
    public var dequantizes = false

    /// Creates options.
    public init(externalName: String) { self.externalName = externalName }
  }

  /// What stands for the extension in the name of the second file.
  public static let externalSuffix = ".onnx.data"
  /// The name of the input that takes prepared pictures: float32, [N, channels, rows, columns].
  public static let inputName = "input"
  /// The name of the input that takes pictures as they are.
  public static let pictureName = "picture"

  /// What errors call the file, which has no name yet.
  static let fileName = "the ONNX file"
  /// The version of the file format: that of 2021, which all programs of today read.
  private static let irVersion = 8
  /// The version that blocks of codes and codes of four bits need.
  private static let irVersionOfBlocks = 10

  /// A model as a graph.
  ///
  /// - Throws: `unsupported` where ONNX has no such layer, or nobody knows how pictures are prepared but the graph is to do it.
  public static func export(_ model: Model, _ options: Options) throws(FileError) -> Export {
    if options.preparesPictures, model.preprocessing == nil {
      throw FileError(
        .unsupported, code: "onnx.preprocessing", file: fileName,
        "cannot prepare pictures, for the model does not say how",
        advice: "import it with --mean, or leave out --with-preprocessing")
    }
    let model = options.dequantizes ? model.dequantized() : model
    var (message, external) = try file(of: model, options, isExternal: options.usesExternalData)
    if external == nil, message.content.byteCount > Int32.max {
      (message, external) = try file(of: model, options, isExternal: true)
    }
    var files = [ExportedFile(message.content)]
    if let external { files.append(ExportedFile(suffix: externalSuffix, external)) }
    return Export(files: files, losses: losses(of: model, options))
  }

  private static func file(
    of model: Model, _ options: Options, isExternal: Bool
  ) throws(FileError) -> (MessageContent, external: FileContent?) {
    let network = model.network
    var layers = ONNXLayers(
      model, external: isExternal ? ONNXGraph.External(location: options.externalName) : nil,
      preparing: options.preparesPictures ? model.preprocessing : nil)
    try layers.addAll()

    let sides: [ONNXGraph.Axis] =
      network.inputExtent.map { [.length($0.height), .length($0.width)] }
      ?? [.symbol("height"), .symbol("width")]
    let channels: [ONNXGraph.Axis] = [.length(network.inputChannels)]
    let graph = layers.graph.message(
      name: "VGG \(network.architecture.rawValue)",
      input: options.preparesPictures
        ? (pictureName, .uint8, [.symbol("N")] + sides + channels)
        : (inputName, .float32, [.symbol("N")] + channels + sides),
      output: (layers.current, [.symbol("N")] + outputShape(of: network)))

    let needsBlocks = model.tensors.contains { $0.needsBlocks }
    var message = MessageContent()
    message.append(field: ONNXField.Model.irVersion, integer: needsBlocks ? irVersionOfBlocks : irVersion)
    message.append(field: ONNXField.Model.producer, text: ONNXField.ownProducer)
    message.append(field: ONNXField.Model.graph, message: graph)
    var operators = MessageContent()
    operators.append(field: ONNXField.OperatorSet.version, integer: needsBlocks ? 21 : 13)
    message.append(field: ONNXField.Model.operatorSet, message: operators)
    for (key, value) in metadata(of: model).entries {
      message.append(field: ONNXField.Model.metadata, message: ONNXGraph.entry(key, value))
    }
    return (message, layers.graph.external?.content)
  }

  /// The shape of what the network gives for a picture.
  private static func outputShape(of network: Network) -> [ONNXGraph.Axis] {
    if let head = network.head { return [.length(head.outputCount)] }
    if let extent = network.inputExtent, let map = try? network.outputShapes(for: extent).last {
      return [.length(map.channels), .length(map.extent.height), .length(map.extent.width)]
    }
    let channels = network.layers.lazy.compactMap { layer in
      if case .convolution(let convolution) = layer.operation { convolution.outputChannels } else { nil }
    }
    return [.length(channels.last ?? 0), .symbol("rows"), .symbol("columns")]
  }

  private static func metadata(of model: Model) -> ModelMetadata {
    var metadata = ModelMetadata(model, keepsCodes: true)
    metadata.normalization = model.network.normalization
    return metadata
  }

  private static func losses(of model: Model, _ options: Options) -> [ExportLoss] {
    var losses: [ExportLoss] = [.decisions]
    if options.dequantizes { losses.append(.dequantized) }
    if let rounding = model.integerArithmetic?.rounding, rounding != .litert {
      losses.append(.rounding(rounding))
    }
    if model.tensors.contains(where: { $0.storage == .sparse }) { losses.append(.densified) }
    if model.tensors.contains(where: { $0.role == .bias && $0.quantization != nil }) {
      losses.append(.other("holds the values that codes of biases stand for, as float32"))
    }
    if options.preparesPictures {
      losses.append(.other("does not bring pictures to the network's size; they must have it"))
    }
    return losses
  }
}

extension Model {
  /// The same model with the values that codes stand for.
  fileprivate func dequantized() -> Model {
    do throws(ShapeError) {
      return try Model(
        network: network,
        tensors: tensors.map {
          $0.quantization == nil && $0.elementType != .biasCode ? $0 : $0.replacing(values: $0.values)
        },
        preprocessing: preprocessing, labels: labels, provenance: provenance)
    } catch {
      preconditionFailure("tensors of the same shapes fit the network: \(error)")
    }
  }
}

extension Tensor {
  /// Whether codes need the operators that came with opset 21.
  fileprivate var needsBlocks: Bool {
    guard role == .weight, let quantization else { return false }
    if case .inputGroups = quantization.grouping { return true }
    return quantization.type == .int4
  }
}
