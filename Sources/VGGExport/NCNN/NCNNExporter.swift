public import VGGBytes
public import VGGModel
internal import VGGTensors

/// Describes the two files of an ncnn network: `.param`, text with a line for each layer, and `.bin`, the weights in their order.
///
/// The numbers of parameters are those of ncnn's layer sources (`src/layer/*.cpp`), the tags in front of weights those of
/// `src/modelbin.cpp`.
public enum NCNNExporter {
  /// A model as ncnn reads it: float32 and float16 weights as they are, codes of a model that computes in integers as codes, all
  /// others as the values that they stand for.
  ///
  /// ncnn's own codes of activations are symmetric and are made anew in front of each layer, so a model that computes in
  /// integers keeps its weights, and gets for each map the symmetric scale that covers the range it has.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dequantizes: Whether all codes are written as the values that they stand for.
  /// - Throws: `unsupported` where ncnn has no layer that computes the same.
  public static func export(_ model: Model, dequantizes: Bool = false) throws(FileError) -> Export {
    let arithmetic = dequantizes ? nil : model.integerArithmetic
    var lines = [inputLine(model.network)]
    var weights = FileContent()
    var previous = "input"
    for (index, layer) in model.network.layers.enumerated() {
      let (type, settings) = try description(of: layer, isInteger: arithmetic != nil)
      lines.append("\(type) \(layer.name) 1 1 \(previous) \(layer.name)" + settings.map { " \($0)" }.joined())
      previous = layer.name
      append(layer, index, of: model, arithmetic, to: &weights)
    }
    let text = "7767517\n\(lines.count) \(lines.count)\n" + lines.map { "\($0)\n" }.joined()
    return Export(
      files: [
        ExportedFile(FileContent([.bytes(Array(text.utf8))])), ExportedFile(suffix: ".bin", weights),
      ], losses: losses(of: model, arithmetic))
  }

  // MARK: The text

  private static func inputLine(_ network: Network) -> String {
    let extent = network.inputExtent.map { " 0=\($0.width) 1=\($0.height) 2=\(network.inputChannels)" } ?? ""
    return "Input input 0 1 input\(extent)"
  }

  /// The type and the settings of a layer, those that are not ncnn's defaults.
  private static func description(of layer: Layer, isInteger: Bool) throws(FileError) -> (String, [String]) {
    // Codes come with scales of weights and input; what the layer gives is float32 again.
    let codes = isInteger ? ["8=2"] : []
    switch layer.operation {
    case .convolution(let convolution):
      let count =
        convolution.kernel.height * convolution.kernel.width * convolution.inputChannels
        * convolution.outputChannels
      return (
        "Convolution",
        ["0=\(convolution.outputChannels)"]
          + sides(convolution.kernel, 1, 11) + sides(convolution.dilation, 2, 12)
          + sides(convolution.stride, 3, 13) + sides(convolution.padding, 4, 14)
          + ["5=\(convolution.hasBias ? 1 : 0)", "6=\(count)"] + codes
          + (convolution.activation == .relu ? ["9=1"] : [])
      )
    case .dense(let dense):
      return (
        "InnerProduct",
        ["0=\(dense.outputs)", "1=\(dense.hasBias ? 1 : 0)", "2=\(dense.inputs * dense.outputs)"] + codes
          + (dense.activation == .relu ? ["9=1"] : [])
      )
    case .pooling(let pooling):
      let method = "0=\(pooling.method == .maximum ? 0 : 1)"
      guard !pooling.isGlobal else { return ("Pooling", [method, "4=1"]) }
      let fits =
        pooling.kernel.height >= pooling.stride.height && pooling.kernel.width >= pooling.stride.width
      guard pooling.padding == Extent(side: 0),
        pooling.rounding == .floor || pooling.method == .maximum && fits
      else {
        throw FileError(
          .unsupported, code: "export.ncnn", file: "ncnn", "has no such pooling",
          place: "layer \(layer.name)",
          seen:
            "padding \(pooling.padding), \(pooling.method.rawValue), rounded by \(pooling.rounding.rawValue)",
          allowed: "poolings without padding that round down, and maxima that round up",
          advice: "--to onnx has all of them")
      }
      // 0: windows that begin in the map count, as in Caffe; 1: only whole ones.
      return (
        "Pooling",
        [method] + sides(pooling.kernel, 1, 11) + sides(pooling.stride, 2, 12)
          + ["5=\(pooling.rounding == .ceiling ? 0 : 1)"]
      )
    case .normalization(let normalization):
      // ncnn, as Caffe, divides alpha by the number of elements.
      let isWithin = normalization.region == .withinChannel
      let count = isWithin ? normalization.size * normalization.size : normalization.size
      return (
        "LRN",
        [
          "0=\(isWithin ? 1 : 0)", "1=\(normalization.size)",
          "2=\(Float(normalization.scale * Double(count)))",
          "3=\(Float(normalization.beta))", "4=\(Float(normalization.k))",
        ]
      )
    case .softmax: return ("Softmax", ["0=0", "1=1"])
    case .sigmoid: return ("Sigmoid", [])
    }
  }

  /// The settings of both axes: width, and height where it differs.
  private static func sides(_ extent: Extent, _ width: Int, _ height: Int) -> [String] {
    ["\(width)=\(extent.width)"] + (extent.height == extent.width ? [] : ["\(height)=\(extent.height)"])
  }

  // MARK: The weights

  private static func append(
    _ layer: Layer, _ index: Int, of model: Model, _ arithmetic: IntegerArithmetic?,
    to content: inout FileContent
  ) {
    guard let weight = model.tensor(layer.weightName),
      let arranged = model.network.arrangement(ofLayer: index, in: .channelsFirst)
    else { return }
    var scales: [Float] = []
    switch weight.content {
    case .codes(let codes, let quantization) where arithmetic != nil:
      content.append(Tag.int8.rawValue)
      content.append(.codes(arranged.arrange(codes)))
      let outputs = weight.shape.last ?? 1
      scales = (0..<outputs).map { 1 / quantization.scales[quantization.grouping == .tensor ? 0 : $0] }
    case .real(let values, as: .float16):
      content.append(Tag.float16.rawValue)
      content.append(.reals(arranged.arrange(values), as: .float16))
    default:
      content.append(Tag.float32.rawValue)
      content.append(.reals(arranged.arrange(weight.values), as: .float32))
    }
    content.pad(toMultipleOf: 4)
    if let bias = model.tensor(layer.biasName) { content.append(.reals(bias.values, as: .float32)) }
    guard let arithmetic else { return }
    scales.append(127 / arithmetic.input(ofLayer: index).largestMagnitude)
    content.append(.reals(MemoryValues(scales), as: .float32))
  }

  /// What stands in front of a weight: how its numbers are stored.
  private enum Tag: UInt32 {
    case float32 = 0
    case float16 = 0x0130_6B47
    case int8 = 0x000D_4B38
  }

  // MARK: What is lost

  private static func losses(of model: Model, _ arithmetic: IntegerArithmetic?) -> [ExportLoss] {
    var losses: [ExportLoss] = model.preprocessing == nil ? [] : [.preprocessing]
    if !model.labels.isEmpty { losses.append(.labels) }
    losses.append(.provenance)
    if let arithmetic {
      losses += [
        .rounding(arithmetic.rounding),
        .other(
          "has the codes of weights as they are, but symmetric codes of activations, which ncnn makes anew in front of each "
            + "layer: its outputs are near the model's and not the same"),
      ]
    }
    for type in [RealType.float16, .bfloat16]
    where model.tensors.contains(where: {
      $0.elementType == .real(type) && !(type == .float16 && $0.role == .weight)
    }) {
      losses.append(.widened(type))
    }
    let hasCodes = model.tensors.contains { if case .real = $0.elementType { false } else { true } }
    if arithmetic == nil, hasCodes { losses.append(.dequantized) }
    if model.tensors.contains(where: { $0.storage == .sparse }) { losses.append(.densified) }
    return losses
  }
}

extension ActivationQuantization {
  /// The largest magnitude of a value that a code stands for.
  fileprivate var largestMagnitude: Float { max(value(of: 127), -value(of: -128)) }
}
