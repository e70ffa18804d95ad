internal import CVGGManifest
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

extension Network {
  /// Reads and checks the part of a manifest that describes the layers.
  init(_ message: Vggw__Network, _ reader: MessageReader) throws(FileError) {
    let sides = 0...Network.largestInputSide
    let height = try reader.number(message.input_height, sides, "input_height")
    let width = try reader.number(message.input_width, sides, "input_width")
    guard (height == 0) == (width == 0) else {
      throw reader.failure(
        "input_height", "has half an extent", seen: "\(height)x\(width)", allowed: "both zero or none")
    }
    self.init(
      architecture: try reader.choice(message.architecture, Manifest.architectures, "architecture"),
      inputChannels: try reader.number(message.input_channels, Layer.channels, "input_channels"),
      inputExtent: height == 0 ? nil : Extent(height: height, width: width),
      layers: try reader.list(message.layers, message.n_layers, "layers") { layer throws(FileError) in
        let name = try reader.string(layer.name, "layers.name")
        return Layer(name: name, operation: try Layer.operation(layer, reader.within("layer \(name)")))
      })
    try checkLayers(reader)
  }

  /// Requires exactly the layers of the architecture or of its beginning, under their names and in order, and that they fit
  /// together.
  private func checkLayers(_ reader: MessageReader) throws(FileError) {
    var (convolutions, poolings): ([Convolution], [Pooling]) = ([], [])
    var headPooling: Pooling?
    var normalization: LocalResponseNormalization?
    for layer in layers {
      switch layer.operation {
      case .convolution(let convolution): convolutions.append(convolution)
      case .pooling(let pooling) where layer.name == "pool6": headPooling = pooling
      case .pooling(let pooling): poolings.append(pooling)
      case .normalization(let found): normalization = found
      case .dense, .softmax, .sigmoid: break
      }
    }
    let sides = convolutions.map { $0.kernel.height == $0.kernel.width ? $0.kernel.height : 0 }
    let endsInPooling = [true, false].first {
      NetworkPrefix(architecture, convolutionCount: convolutions.count, endsInPooling: $0)?.poolingPlaces
        .count
        == poolings.count
    }
    guard let endsInPooling,
      let prefix = NetworkPrefix(
        architecture, convolutionCount: convolutions.count, endsInPooling: endsInPooling),
      architecture.kernelSides.joined().starts(with: sides),
      (architecture == .aLRN) == (normalization != nil), poolings.allSatisfy({ !$0.isGlobal }),
      head == nil || inputExtent != nil
    else {
      throw reader.failure("layers", "has layers that are not those of network \(architecture.rawValue)")
    }
    let expected =
      Network.featureLayers(
        prefix, convolutions: convolutions, poolings: poolings, headPooling: headPooling,
        normalization: normalization) + (head?.layers ?? [])
    guard layers == expected else {
      let different = zip(layers, expected).first { $0 != $1 }
      throw reader.failure(
        "layers", "has layers in a wrong order or under wrong names",
        seen: different?.0.name ?? "\(layers.count) layers",
        allowed: different?.1.name ?? "\(expected.count)")
    }
    do throws(ShapeError) {
      _ = try outputShapes(for: inputExtent ?? Extent(side: Network.largestInputSide))
    } catch {
      throw reader.within("layer \(error.layer)").failure("shape", error.problem)
    }
  }
}

extension Layer {
  /// What a number of channels can be.
  fileprivate static let channels = 1...1 << 16
  /// What a kernel, a stride or a dilation can be.
  private static let sides = 1...Network.largestInputSide
  /// What a padding can be.
  private static let paddings = 0...Network.largestInputSide
  /// What the inputs of a dense layer can be: a flattened map of the largest input.
  private static let denseInputs = 1...1 << 36
  /// What the outputs of a dense layer can be.
  private static let denseOutputs = 1...1 << 24

  fileprivate static func operation(
    _ message: Vggw__Layer, _ reader: MessageReader
  ) throws(FileError) -> Operation {
    switch message.operation_case {
    case VGGW__LAYER__OPERATION_CONVOLUTION:
      .convolution(try convolution(reader.required(message.convolution, "convolution"), reader))
    case VGGW__LAYER__OPERATION_POOLING:
      .pooling(try pooling(reader.required(message.pooling, "pooling"), reader))
    case VGGW__LAYER__OPERATION_NORMALIZATION:
      .normalization(try normalization(reader.required(message.normalization, "normalization"), reader))
    case VGGW__LAYER__OPERATION_DENSE:
      .dense(try dense(reader.required(message.dense, "dense"), reader))
    case VGGW__LAYER__OPERATION_SOFTMAX:
      .softmax
    case VGGW__LAYER__OPERATION_SIGMOID:
      .sigmoid
    default:
      throw reader.failure("operation", "has a layer of an unknown kind")
    }
  }

  private static func extent(
    _ height: UInt32, _ width: UInt32, _ allowed: ClosedRange<Int>, _ field: String, _ reader: MessageReader
  ) throws(FileError) -> Extent {
    Extent(
      height: try reader.number(height, allowed, "\(field)_height"),
      width: try reader.number(width, allowed, "\(field)_width"))
  }

  private static func convolution(
    _ message: Vggw__Convolution, _ reader: MessageReader
  ) throws(FileError) -> Convolution {
    var convolution = Convolution(
      kernel: try extent(message.kernel_height, message.kernel_width, sides, "kernel", reader),
      inputChannels: try reader.number(message.input_channels, channels, "input_channels"),
      outputChannels: try reader.number(message.output_channels, channels, "output_channels"))
    convolution.stride = try extent(message.stride_height, message.stride_width, sides, "stride", reader)
    convolution.padding = try extent(
      message.padding_height, message.padding_width, paddings, "padding", reader)
    convolution.dilation = try extent(
      message.dilation_height, message.dilation_width, sides, "dilation", reader)
    convolution.hasBias = message.has_bias != 0
    convolution.activation = try reader.choice(message.activation, Manifest.activations, "activation")
    return convolution
  }

  private static func pooling(
    _ message: Vggw__Pooling, _ reader: MessageReader
  ) throws(FileError) -> Pooling {
    var pooling = Pooling(rounding: try reader.choice(message.rounding, Manifest.roundings, "rounding"))
    pooling.method = try reader.choice(message.method, Manifest.poolingMethods, "method")
    pooling.kernel = try extent(message.kernel_height, message.kernel_width, sides, "kernel", reader)
    pooling.stride = try extent(message.stride_height, message.stride_width, sides, "stride", reader)
    pooling.isGlobal = message.global != 0
    pooling.padding = try extent(message.padding_height, message.padding_width, paddings, "padding", reader)
    return pooling
  }

  private static func normalization(
    _ message: Vggw__Normalization, _ reader: MessageReader
  ) throws(FileError) -> LocalResponseNormalization {
    LocalResponseNormalization(
      size: try reader.number(message.size, channels, "size"),
      scale: try reader.finite(message.scale, "scale"), beta: try reader.finite(message.beta, "beta"),
      k: try reader.finite(message.k, "k"),
      region: try reader.choice(message.region, Manifest.regions, "region"))
  }

  private static func dense(_ message: Vggw__Dense, _ reader: MessageReader) throws(FileError) -> Dense {
    var dense = Dense(
      inputs: try reader.number(message.inputs, denseInputs, "inputs"),
      outputs: try reader.number(message.outputs, denseOutputs, "outputs"),
      activation: try reader.choice(message.activation, Manifest.activations, "activation"))
    dense.hasBias = message.has_bias != 0
    return dense
  }
}
