internal import VGGBytes
internal import VGGFlatBuffers
internal import VGGModel
internal import VGGTensors

/// Makes a TFLite model of a model, layer by layer.
struct TFLiteTranslation {
  let model: Model
  let runtime: TFLiteExporter.Runtime
  let dequantizes: Bool
  /// How the file computes in integers; nil: it computes in float32.
  let arithmetic: IntegerArithmetic?
  private(set) var losses: [ExportLoss] = []
  private var graph = TFLiteGraph()
  /// The maps from the input on, in the order of their computation.
  private var chain: [Int32] = []
  /// The shape of the last one, without the number of pictures.
  private var shape: [Int] = []
  private var codes: ActivationQuantization?

  init(_ model: Model, runtime: TFLiteExporter.Runtime, dequantizes: Bool) {
    (self.model, self.runtime) = (model, runtime)
    // One kind of codes for all: a model whose dense layers alone have groups is smallest where these are, and they become float32.
    self.dequantizes = dequantizes || model.tensors.contains { $0.quantization?.isOfTFLite == false }
    arithmetic = self.dequantizes ? nil : model.integerArithmetic
  }

  private var mapType: TFLite.TensorType { arithmetic == nil ? .float32 : .int8 }

  mutating func root() throws(FileError) -> FlatBufferTable {
    let network = model.network
    // Without dense layers, pictures may have any size; a file has one, and LiteRT can be told another.
    let extent = network.inputExtent ?? Extent(side: 224)
    let outputs: [FeatureShape]
    do throws(ShapeError) { outputs = try network.outputShapes(for: extent) } catch {
      throw TFLiteExporter.refusal(model, error.problem, place: error.layer)
    }
    let input = FeatureShape(extent: extent, channels: network.inputChannels)
    codes = arithmetic?.input
    addMap("input", [extent.height, extent.width, network.inputChannels])
    let weights = try addWeights()
    for (index, layer) in network.layers.enumerated() {
      try add(
        layer, index, input: index == 0 ? input : outputs[index - 1], output: outputs[index], weights[index])
    }
    noteLosses()
    addMetadata()
    return graph.model(
      description: TFLiteMetadata.description(of: model), input: chain[0], output: chain[chain.count - 1],
      outputName: network.layers.last?.name ?? "output")
  }

  // MARK: Maps

  private mutating func addMap(_ name: String, _ shape: [Int]) {
    let isOfAnySize = model.network.inputExtent == nil
    chain.append(
      graph.addMap(
        name, shape: [1] + shape, mapType, codes,
        signature: isOfAnySize && shape.count == 3 ? [1, -1, -1, shape[2]] : nil))
    self.shape = shape
  }

  /// Adds an operator that reads the last map and gives the next one.
  private mutating func addOperator(
    _ operation: TFLite.Operation, version: Int32, constants: [Int32] = [], _ options: FlatBufferTable? = nil,
    gives name: String, _ shape: [Int]
  ) {
    let input = chain[chain.count - 1]
    addMap(name, shape)
    graph.addOperator(
      operation, version: version, [input] + constants, to: chain[chain.count - 1], options)
  }

  // MARK: Layers

  private mutating func add(
    _ layer: Layer, _ index: Int, input: FeatureShape, output: FeatureShape, _ weights: [Int32]
  ) throws(FileError) {
    let before = codes
    let isInteger = arithmetic != nil
    let shape =
      self.shape.count == 1
      ? [output.channels] : [output.extent.height, output.extent.width, output.channels]
    switch layer.operation {
    case .convolution(let convolution):
      let window = try window(
        layer,
        TFLiteWindow.Geometry(
          input: input.extent, output: output.extent, window: convolution.effectiveKernel,
          stride: convolution.stride, padding: convolution.padding), countsPadding: false, prefersSame: true)
      codes = arithmetic?.outputs[index]
      addOperator(
        .convolution, version: isInteger ? 3 : convolution.dilation == Extent(side: 1) ? 1 : 2,
        constants: weights,
        FlatBufferTable([
          TFLite.Convolution.padding: .byte(window.rawValue),
          TFLite.Convolution.strideWidth: .int32(Int32(convolution.stride.width)),
          TFLite.Convolution.strideHeight: .int32(Int32(convolution.stride.height)),
          TFLite.Convolution.activation: convolution.activation.value,
          TFLite.Convolution.dilationWidth: .int32(Int32(convolution.dilation.width)),
          TFLite.Convolution.dilationHeight: .int32(Int32(convolution.dilation.height)),
        ]), gives: layer.name, shape)
    case .pooling(let pooling):
      try add(pooling, of: layer, input: input, output: output, shape)
    case .dense(let dense):
      flatten(before: layer)
      codes = arithmetic?.outputs[index]
      addOperator(
        .fullyConnected, version: isInteger ? 4 : 1, constants: weights,
        FlatBufferTable([TFLite.Dense.activation: dense.activation.value]), gives: layer.name, [dense.outputs]
      )
    case .softmax:
      codes = arithmetic?.outputs[index]
      addOperator(
        .softmax, version: isInteger ? 2 : 1, FlatBufferTable([TFLite.Softmax.beta: .float32(1)]),
        gives: layer.name, shape)
    case .sigmoid:
      codes = arithmetic?.outputs[index]
      addOperator(.logistic, version: isInteger ? 2 : 1, gives: layer.name, shape)
    case .normalization(let normalization):
      try requireRuntime(layer, normalization, before)
      addOperator(
        .localResponseNormalization, version: 1,
        FlatBufferTable([
          TFLite.Normalization.radius: .int32(Int32(normalization.size / 2)),
          TFLite.Normalization.bias: .float32(Float(normalization.k)),
          TFLite.Normalization.alpha: .float32(Float(normalization.scale)),
          TFLite.Normalization.beta: .float32(Float(normalization.beta)),
        ]), gives: layer.name, shape)
    }
  }

  private mutating func add(
    _ pooling: Pooling, of layer: Layer, input: FeatureShape, output: FeatureShape, _ shape: [Int]
  ) throws(FileError) {
    var (kernel, stride, padding) = (pooling.kernel, pooling.stride, TFLite.Padding.valid)
    if pooling.isGlobal {
      // A window as large as the map, and not MEAN, whose integers are rounded otherwise. The stride tells it from other poolings.
      (kernel, stride) = (input.extent, Extent(side: 1))
      if model.network.inputExtent == nil {
        throw TFLiteExporter.refusal(
          model, "pools maps of any extent, but a TFLite file has windows of one",
          place: "layer \(layer.name)",
          advice: "import it with dense layers, or leave the pooling out")
      }
    } else {
      padding = try window(
        layer,
        TFLiteWindow.Geometry(
          input: input.extent, output: output.extent, window: pooling.kernel, stride: pooling.stride,
          padding: pooling.padding), countsPadding: pooling.method == .average,
        prefersSame: pooling.rounding == .ceiling)
    }
    addOperator(
      pooling.method == .maximum ? .maximumPooling : .averagePooling, version: arithmetic == nil ? 1 : 2,
      FlatBufferTable([
        TFLite.Pooling.padding: .byte(padding.rawValue),
        TFLite.Pooling.strideWidth: .int32(Int32(stride.width)),
        TFLite.Pooling.strideHeight: .int32(Int32(stride.height)),
        TFLite.Pooling.width: .int32(Int32(kernel.width)),
        TFLite.Pooling.height: .int32(Int32(kernel.height)),
        TFLite.Pooling.activation: Activation.none.value,
      ]), gives: layer.name, shape)
  }

  /// The padding that an operator is told, after zeros are added to the map where it cannot be told enough.
  ///
  /// Zeros change no maximum, since maps behind a ReLU have nothing below zero.
  private mutating func window(
    _ layer: Layer, _ geometry: TFLiteWindow.Geometry, countsPadding: Bool, prefersSame: Bool
  ) throws(FileError) -> TFLite.Padding {
    let window = TFLiteWindow(geometry, countsPadding: countsPadding, prefersSame: prefersSame)
    guard let window, window.zeros == Extent(side: 0) || !(countsPadding && arithmetic != nil) else {
      throw TFLiteExporter.refusal(
        model, "has windows that TFLite cannot place", place: "layer \(layer.name)",
        seen: "\(geometry.window) with stride \(geometry.stride) and padding \(geometry.padding)",
        allowed: "padding as SAME or VALID has it")
    }
    let zeros = window.zeros
    if zeros != Extent(side: 0) {
      let (rows, columns) = (Int32(zeros.height), Int32(zeros.width))
      let amounts = graph.addConstant(
        "\(layer.name)/paddings", [0, 0, rows, rows, columns, columns, 0, 0], shape: [4, 2])
      addOperator(
        .pad, version: arithmetic == nil ? 1 : 2, constants: [amounts], FlatBufferTable([:]),
        gives: "\(layer.name)/padded", [shape[0] + 2 * zeros.height, shape[1] + 2 * zeros.width, shape[2]])
    }
    return window.padding
  }

  /// Dense layers read vectors.
  private mutating func flatten(before layer: Layer) {
    guard shape.count == 3 else { return }
    let count = shape.reduce(1, *)
    let newShape = graph.addConstant("\(layer.name)/shape", [1, Int32(count)])
    addOperator(
      .reshape, version: 1, constants: [newShape],
      FlatBufferTable([TFLite.Reshape.shape: .int32s([1, Int32(count)])]), gives: "\(layer.name)/flattened",
      [count])
  }

  private func requireRuntime(
    _ layer: Layer, _ normalization: LocalResponseNormalization, _ codes: ActivationQuantization?
  ) throws(FileError) {
    let place = "layer \(layer.name)"
    guard runtime == .litert else {
      throw TFLiteExporter.refusal(
        model, "has a local response normalisation, which TensorFlow Lite Micro does not have", place: place,
        allowed: "the networks A, B, C, D and E", advice: "--runtime litert, for float32")
    }
    guard codes == nil else {
      throw TFLiteExporter.refusal(
        model, "normalises codes, which LiteRT does only in float32, with other results", place: place,
        advice: "--dequantize writes the values that the codes stand for, to be computed with in float32")
    }
    guard normalization.region == .acrossChannels, normalization.size % 2 == 1 else {
      throw TFLiteExporter.refusal(
        model, "has a local response normalisation that LiteRT does not have", place: place,
        seen: "\(normalization.size) \(normalization.region == .acrossChannels ? "channels" : "pixels")",
        allowed: "an odd number of channels")
    }
  }

  // MARK: Weights

  /// Adds the weights and biases; those that are stored in another type than they are used in are converted in front of all layers.
  private mutating func addWeights() throws(FileError) -> [[Int32]] {
    var weights: [[Int32]] = []
    for (index, layer) in model.network.layers.enumerated() {
      var own: [Int32] = []
      for requirement in layer.tensorRequirements {
        guard let tensor = model.tensor(requirement.name) else {
          preconditionFailure("a model has its tensors")
        }
        own.append(try add(tensor, ofLayer: index))
      }
      if own.count == 1 { own.append(addZeros(for: layer, index)) }
      weights.append(own)
    }
    return weights
  }

  /// The bias of a layer that has none: LiteRT's convolutions must have one, and XNNPACK looks at its scales.
  private mutating func addZeros(for layer: Layer, _ index: Int) -> Int32 {
    let count = layer.tensorRequirements[0].shape.last ?? 0
    let zeros = FlatBufferValue.bytes(Array(repeating: 0, count: 4 * count))
    guard let arithmetic, let quantization = model.tensor(layer.weightName)?.quantization else {
      return graph.addConstant(layer.biasName, shape: [count], .float32, zeros)
    }
    let scales = layer.sumScales(
      input: arithmetic.input(ofLayer: index), weight: quantization, outputs: count)
    return graph.addConstant(
      layer.biasName, shape: [count], .int32, zeros, TFLiteGraph.quantization(scales: scales))
  }

  private mutating func add(_ tensor: Tensor, ofLayer index: Int) throws(FileError) -> Int32 {
    let arrangement =
      tensor.role == .weight ? model.network.arrangement(ofLayer: index, in: .channelsLast) : nil
    let shape = arrangement?.shape ?? tensor.shape
    func reals(_ type: RealType) -> FlatBufferValue {
      .content(FileContent([.reals(arrangement?.arrange(tensor.values) ?? tensor.values, as: type)]))
    }
    if tensor.storage == .sparse { note(.densified) }
    switch tensor.content {
    case .real(_, .float16) where !dequantizes:
      return try addConverted(tensor, shape, .float16, reals(.float16), version: 3)
    case .real(_, .bfloat16) where !dequantizes: note(.widened(.bfloat16))
    case .real: break
    case .codes(let codes, let quantization) where !dequantizes:
      let values = FlatBufferValue.content(
        FileContent([.codes(arrangement?.arrange(codes) ?? codes)]))
      let rule = TFLiteGraph.quantization(
        scales: quantization.scales, zeroPoints: quantization.zeroPoints.map { Int64($0) })
      if arithmetic != nil { return graph.addConstant(tensor.name, shape: shape, .int8, values, rule) }
      return try addConverted(
        tensor, shape, .int8, values, rule, version: quantization.grouping == .tensor ? 2 : 5)
    case .bias(let bias) where !dequantizes:
      let values = FlatBufferValue.bytes(
        bias.codes.flatMap { code in withUnsafeBytes(of: code.littleEndian) { Array($0) } })
      return graph.addConstant(
        tensor.name, shape: shape, .int32, values, TFLiteGraph.quantization(scales: bias.scales))
    case .codes, .bias: note(.dequantized)
    }
    return graph.addConstant(tensor.name, shape: shape, .float32, reals(.float32))
  }

  /// Adds a constant and an operator that makes float32 of it.
  private mutating func addConverted(
    _ tensor: Tensor, _ shape: [Int], _ type: TFLite.TensorType, _ values: FlatBufferValue,
    _ rule: FlatBufferTable? = nil, version: Int32
  ) throws(FileError) -> Int32 {
    guard runtime == .litert else {
      throw TFLiteExporter.refusal(
        model, "has weights that TensorFlow Lite Micro does not compute with in float32",
        place: "tensor \(tensor.name)", seen: tensor.elementType.name,
        allowed: "float32, or a model that computes in integers",
        advice:
          "vggconv quantize --to int8 --activations int8 --rounding tflm --calibrate DATA, or export with --dequantize"
      )
    }
    if type == .int8 {
      note(
        .other(
          "has weights in int8 that become float32 when it is loaded: the values are the model's, and so is the memory "
            + "that they take then; kernels that round maps to int8 as well are not asked for"))
    }
    let stored = graph.addConstant("\(tensor.name)/stored", shape: shape, type, values, rule)
    let converted = graph.addMap(tensor.name, shape: shape, .float32, isDerived: true)
    graph.addOperator(.dequantize, version: version, [stored], to: converted)
    return converted
  }

  // MARK: What is said besides

  private mutating func note(_ loss: ExportLoss) {
    if !losses.contains(loss) { losses.append(loss) }
  }

  private mutating func noteLosses() {
    if let arithmetic { noteLosses(of: arithmetic) }
    if model.preprocessing != nil || !model.labels.isEmpty {
      note(
        .other(
          "says how pictures are prepared and what classes are called only in metadata of its own, '\(TFLite.ownMetadata)', "
            + "and in words; runtimes apply neither"))
    }
    note(.decisions)
  }

  private mutating func noteLosses(of arithmetic: IntegerArithmetic) {
    if arithmetic.rounding.rawValue != runtime.rawValue {
      note(
        .other(
          "is for a runtime that rounds as \(runtime.rawValue), but the model rounds as \(arithmetic.rounding.rawValue): "
            + "codes will differ by 1 now and then (vggconv quantize --rounding \(runtime.rawValue))"))
    }
    let layers = model.network.layers
    if case .sigmoid? = layers.last?.operation {
      note(.other("has a sigmoid of codes, which runtimes round each in its own way: codes may differ by 1"))
    }
    guard runtime == .tflm else { return }
    if layers.contains(where: {
      $0.isDense && (model.tensor($0.weightName)?.quantization?.scaleCount ?? 0) > 1
    }) {
      note(
        .other(
          "has a scale for each output of dense layers, which TensorFlow Lite Micro of before September 2024 takes for one "
            + "without saying so (vggconv quantize --scales tensor)"))
    }
    if case .softmax? = layers.last?.operation, (model.network.classCount ?? 0) > 511 {
      note(
        .other(
          "has a softmax of more than 511 classes, by which TensorFlow Lite Micro ends the process where all are almost "
            + "equally probable"))
    }
  }

  private mutating func addMetadata() {
    graph.addMetadata(
      "min_runtime_version", TFLiteMetadata.padded(graph.minimumRuntime))
    graph.addMetadata(TFLite.ownMetadata, TFLiteMetadata.own(model, keepsCodes: arithmetic != nil))
    guard runtime == .tflm else { return }
    graph.addMetadata(
      "OfflineMemoryAllocation",
      TFLiteMetadata.memoryPlan(chain: chain.map { Int($0) }, byteCounts: graph.mapByteCounts))
  }
}

extension Activation {
  /// The number in the schema.
  fileprivate var value: FlatBufferValue {
    let activation: TFLite.Activation = self == .relu ? .relu : .none
    return .byte(UInt8(bitPattern: activation.rawValue))
  }
}

extension Quantization {
  /// Whether LiteRT turns such codes into float32: it has groups of neighbours along the input, and four bits, for few kernels only.
  fileprivate var isOfTFLite: Bool { type == .int8 && (grouping == .tensor || grouping == .outputChannel) }
}
