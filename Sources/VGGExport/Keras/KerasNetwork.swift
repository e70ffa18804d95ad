internal import JSONKit
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A model in the terms of Keras, with the names that `keras.applications` gives to the layers of a VGG.
struct KerasNetwork {
  /// A layer.
  struct Layer {
    /// Its own name.
    var name: String
    /// Keras's name for what it is.
    var className: String
    /// What its constructor is given besides the name.
    var settings: [(key: String, value: JSONValue)] = []
    /// Kernel and bias, where there are any.
    var tensors: [Tensor] = []
    /// The lengths of the output's axes, the batch excluded; nil where one is not fixed.
    var outputShape: [Int?]
  }

  /// The model's name, such as `vgg16`.
  let name: String
  /// The layers in order, the input first.
  private(set) var layers: [Layer] = []
  private let file: String

  /// Translates a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - isWhole: Whether the layers are to compute what the model computes; otherwise only their names and weights count.
  ///   - file: The path of the file, for errors.
  /// - Throws: `unsupported` where Keras has no layer for one of the model's.
  init(_ model: Model, isWhole: Bool, file: String) throws(FileError) {
    self.file = file
    let network = model.network
    name = "vgg\(network.architecture.weightLayerCount)"
    let sides = network.inputExtent.map { [$0.height, $0.width] as [Int?] } ?? [nil, nil]
    layers.append(
      Layer(name: "input_1", className: "InputLayer", outputShape: sides + [network.inputChannels]))
    let shapes = network.inputExtent.flatMap { try? network.outputShapes(for: $0) }
    for (index, layer) in network.layers.enumerated() {
      let next = index + 1 < network.layers.count ? network.layers[index + 1].operation : nil
      let sides = shapes.map { [$0[index].extent.height, $0[index].extent.width] as [Int?] } ?? [nil, nil]
      let tensors = layer.tensorRequirements.compactMap { model.tensor($0.name) }
      switch layer.operation {
      case .convolution(let convolution):
        try append(convolution, of: layer, tensors, sides, isWhole: isWhole)
      case .pooling(let pooling): try append(pooling, of: layer, sides, isWhole: isWhole)
      case .normalization:
        guard !isWhole else {
          throw refusal(
            layer, "a local response normalisation, for which Keras has no layer",
            advice: "write the weights alone with --weights-only, or the network with --to caffe")
        }
        append(layer.name, "LocalResponseNormalization", sides + [channels])
      case .dense(let dense): append(dense, of: layer, tensors, behind: next)
      case .softmax, .sigmoid:
        // Part of the dense layer in front of it.
        guard index > 0, network.layers[index - 1].isDense else {
          throw refusal(layer, "a layer without a dense layer in front of it")
        }
      }
    }
  }

  /// The channels of the last layer.
  private var channels: Int? { layers.last?.outputShape.last ?? nil }

  private mutating func append(
    _ name: String, _ className: String, _ outputShape: [Int?],
    _ settings: [(key: String, value: JSONValue)] = [], _ tensors: [Tensor] = []
  ) {
    layers.append(
      Layer(
        name: name, className: className, settings: settings, tensors: tensors, outputShape: outputShape))
  }

  private mutating func append(
    _ convolution: Convolution, of layer: VGGModel.Layer, _ tensors: [Tensor], _ sides: [Int?], isWhole: Bool
  ) throws(FileError) {
    let kernel = convolution.kernel
    let keepsExtent =
      convolution.stride == Extent(side: 1) && convolution.dilation == Extent(side: 1)
      && convolution.padding == Extent(height: kernel.height / 2, width: kernel.width / 2)
      && kernel.height % 2 == 1 && kernel.width % 2 == 1
    guard keepsExtent || !isWhole else {
      throw refusal(layer, "a convolution that does not keep the extent of its map")
    }
    append(
      layer.name.kerasName("conv"), "Conv2D", sides + [convolution.outputChannels],
      [
        ("filters", .integer(Int64(convolution.outputChannels))), ("kernel_size", kernel.json),
        ("strides", convolution.stride.json), ("padding", "same"), ("data_format", "channels_last"),
        ("dilation_rate", convolution.dilation.json),
        ("activation", .string(convolution.activation.kerasName)), ("use_bias", .bool(convolution.hasBias)),
      ], tensors)
  }

  private mutating func append(
    _ pooling: Pooling, of layer: VGGModel.Layer, _ sides: [Int?], isWhole: Bool
  ) throws(FileError) {
    let method = pooling.method == .maximum ? "Max" : "Average"
    let format = (key: "data_format", value: "channels_last" as JSONValue)
    guard !pooling.isGlobal else {
      let name = pooling.method == .maximum ? "global_max_pooling2d" : "global_average_pooling2d"
      return append(name, "Global\(method)Pooling2D", [channels], [format])
    }
    // What Keras calls the same extent is the extent divided by the stride, rounded up.
    let isHalving = pooling.kernel == Extent(side: 2) && pooling.stride == Extent(side: 2)
    guard pooling.padding == Extent(side: 0), pooling.rounding == .floor || isHalving || !isWhole else {
      throw refusal(
        layer, "a pooling of \(pooling.kernel) by steps of \(pooling.stride) that is padded or rounds up",
        advice: "Keras rounds up only 2x2 by steps of 2; write it with --to caffe")
    }
    append(
      layer.name.kerasName(pooling.method == .maximum ? "pool" : "avg_pool"), "\(method)Pooling2D",
      sides + [channels],
      [
        ("pool_size", pooling.kernel.json), ("strides", pooling.stride.json),
        ("padding", pooling.rounding == .floor ? "valid" : "same"), format,
      ])
  }

  private mutating func append(
    _ dense: Dense, of layer: VGGModel.Layer, _ tensors: [Tensor], behind next: VGGModel.Layer.Operation?
  ) {
    if let last = layers.last, last.outputShape.count == 3 {
      append("flatten", "Flatten", [dense.inputs], [("data_format", "channels_last")])
    }
    let activation =
      switch next {
      case .softmax: "softmax"
      case .sigmoid: "sigmoid"
      default: dense.activation.kerasName
      }
    append(
      ["fc6": "fc1", "fc7": "fc2", "fc8": "predictions"][layer.name] ?? layer.name, "Dense", [dense.outputs],
      [
        ("units", .integer(Int64(dense.outputs))), ("activation", .string(activation)),
        ("use_bias", .bool(dense.hasBias)),
      ], tensors)
  }

  private func refusal(_ layer: VGGModel.Layer, _ seen: String, advice: String? = nil) -> FileError {
    FileError(
      .unsupported, code: "keras.write.layer", file: file, "cannot be written as a Keras model",
      place: "layer \(layer.name)", seen: seen, advice: advice)
  }
}

extension String {
  /// `block3_conv2` of `conv3_2`, and `block3_pool` of `pool3`.
  fileprivate func kerasName(_ kind: String) -> String {
    let numbers = split { !$0.isNumber }
    guard let block = numbers.first else { return self }
    return "block\(block)_\(kind)" + (numbers.count > 1 ? numbers[1] : "")
  }
}

extension Activation {
  fileprivate var kerasName: String {
    switch self {
    case .relu: "relu"
    case .none: "linear"
    }
  }
}

extension Extent {
  fileprivate var json: JSONValue { [.integer(Int64(height)), .integer(Int64(width))] }
}
