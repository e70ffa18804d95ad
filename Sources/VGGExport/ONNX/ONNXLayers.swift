internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGTensors

/// The layers of a model as operations of a graph.
struct ONNXLayers {
  let model: Model
  /// The graph so far.
  private(set) var graph: ONNXGraph
  /// The name of what the last layer gives.
  private(set) var current: String

  /// Begins with what the graph is given, or with pictures where it prepares them itself.
  init(_ model: Model, external: ONNXGraph.External?, preparing preprocessing: Preprocessing?) {
    self.model = model
    graph = ONNXGraph(external: external)
    current = preprocessing == nil ? ONNXExporter.inputName : ONNXExporter.pictureName
    if let preprocessing { addPreparation(preprocessing) }
    if let arithmetic = model.integerArithmetic {
      addCodes(arithmetic.input, of: "\(ONNXExporter.inputName)/codes")
    }
  }

  /// Adds all layers.
  ///
  /// - Throws: `unsupported` where ONNX has no such layer.
  mutating func addAll() throws(FileError) {
    for (index, layer) in model.network.layers.enumerated() {
      let output = model.integerArithmetic?.outputs[index]
      // Behind a layer of codes its values are what the codes stand for.
      let name = output == nil ? layer.name : "\(layer.name)/real"
      switch layer.operation {
      case .convolution(let convolution): addConvolution(convolution, index, to: name, codes: output)
      case .dense(let dense): addDense(dense, index, to: name, codes: output)
      case .pooling(let pooling): try addPooling(pooling, of: layer.name, to: name)
      case .normalization(let normalization): try addNormalization(normalization, of: layer.name, to: name)
      case .softmax:
        current = graph.add(
          "Softmax", [current], to: name, named: layer.name, attributes: [("axis", .integer(1))])
      case .sigmoid: current = graph.add("Sigmoid", [current], to: name, named: layer.name)
      }
      if let output { addCodes(output, of: layer.name) }
    }
  }

  // MARK: Layers with weights

  private mutating func addConvolution(
    _ convolution: Convolution, _ index: Int, to name: String, codes: ActivationQuantization?
  ) {
    let layer = model.network.layers[index]
    let padding = [convolution.padding.height, convolution.padding.width]
    let weight = graph.addWeight(model.weight(of: layer), ofLayer: index, in: model.network).name
    let output = convolution.activation == .relu ? "\(layer.name)/sum" : name
    current = graph.add(
      "Conv", [current, weight] + model.bias(of: layer, &graph), to: output, named: layer.name,
      attributes: [
        ("dilations", .integers([convolution.dilation.height, convolution.dilation.width])),
        ("group", .integer(1)),
        ("kernel_shape", .integers([convolution.kernel.height, convolution.kernel.width])),
        ("pads", .integers(padding + padding)),
        ("strides", .integers([convolution.stride.height, convolution.stride.width])),
      ])
    addActivation(convolution.activation, of: layer, to: name, codes: codes)
  }

  private mutating func addDense(
    _ dense: Dense, _ index: Int, to name: String, codes: ActivationQuantization?
  ) {
    let layer = model.network.layers[index]
    if index > 0, !model.network.layers[index - 1].isDense {
      let flat = codes == nil ? "\(layer.name)/flat" : "\(layer.name)/flat/real"
      current = graph.add("Flatten", [current], to: flat, attributes: [("axis", .integer(1))])
      if codes != nil, let arithmetic = model.integerArithmetic {
        addCodes(arithmetic.input(ofLayer: index), of: "\(layer.name)/flat")
      }
    }
    let weight = graph.addWeight(model.weight(of: layer), ofLayer: index, in: model.network)
    current = graph.add(
      "Gemm", [current, weight.name] + model.bias(of: layer, &graph),
      to: dense.activation == .relu ? "\(layer.name)/sum" : name, named: layer.name,
      attributes: [("transB", .integer(weight.hasInputsFirst ? 0 : 1))])
    addActivation(dense.activation, of: layer, to: name, codes: codes)
  }

  /// Adds what follows a sum, so that the last operation gives a value of a name.
  private mutating func addActivation(
    _ activation: Activation, of layer: Layer, to name: String, codes: ActivationQuantization?
  ) {
    guard activation == .relu else { return }
    // A ReLU whose zero is the least code is nothing but the rounding behind it. Any other one must itself go from codes to codes,
    // or the sum would reach it unrounded.
    if let codes, codes.zeroPoint != .min { addCodes(codes, of: "\(layer.name)/sum/rounded") }
    current = graph.add("Relu", [current], to: name, named: "\(layer.name)/relu")
  }

  // MARK: Layers without weights

  private mutating func addPooling(_ pooling: Pooling, of layer: String, to name: String) throws(FileError) {
    let method = pooling.method == .maximum ? "MaxPool" : "AveragePool"
    guard !pooling.isGlobal else {
      current = graph.add("Global\(method)", [current], to: name, named: layer)
      return
    }
    let (kernel, stride, padding) = (pooling.kernel, pooling.stride, pooling.padding)
    // Programs disagree whether there is a window that begins behind the map.
    let mayBeginBehind =
      padding != Extent(side: 0) || kernel.height < stride.height || kernel.width < stride.width
    guard pooling.rounding == .floor || !mayBeginBehind else {
      throw FileError(
        .unsupported, code: "onnx.pooling", file: ONNXExporter.fileName,
        "cannot hold a pooling that rounds up and whose last window may begin behind the map", place: layer,
        seen: "kernel \(kernel), stride \(stride), padding \(padding)",
        allowed: "no padding, and no stride longer than the kernel",
        advice: "export to another format")
    }
    // Our integers leave out what is padded; our reals count it.
    guard pooling.method == .maximum || padding == Extent(side: 0) || model.integerArithmetic == nil else {
      throw FileError(
        .unsupported, code: "onnx.pooling", file: ONNXExporter.fileName,
        "cannot hold a mean of codes over what of a window is on the map", place: layer,
        seen: "padding \(padding)", allowed: "no padding", advice: "export to another format")
    }
    let pads = [padding.height, padding.width]
    var attributes: [(String, ONNXGraph.Attribute)] = [
      ("ceil_mode", .integer(pooling.rounding == .ceiling ? 1 : 0)),
      ("kernel_shape", .integers([kernel.height, kernel.width])),
      ("pads", .integers(pads + pads)),
      ("strides", .integers([stride.height, stride.width])),
    ]
    // As in Caffe, what is padded counts.
    if pooling.method == .average {
      attributes.insert(("count_include_pad", .integer(padding == Extent(side: 0) ? 0 : 1)), at: 1)
    }
    current = graph.add(method, [current], to: name, named: layer, attributes: attributes)
  }

  private mutating func addNormalization(
    _ normalization: LocalResponseNormalization, of layer: String, to name: String
  ) throws(FileError) {
    guard normalization.region == .acrossChannels else {
      throw FileError(
        .unsupported, code: "onnx.normalization", file: ONNXExporter.fileName,
        "cannot hold a local response normalisation within each channel", place: layer,
        seen: "a square of \(normalization.size)x\(normalization.size) pixels",
        allowed: "a sum over neighbouring channels", advice: "export to ncnn or caffe")
    }
    current = graph.add(
      "LRN", [current], to: name, named: layer,
      attributes: [
        ("alpha", .float(Float(normalization.scale * Double(normalization.size)))),
        ("beta", .float(Float(normalization.beta))), ("bias", .float(Float(normalization.k))),
        ("size", .integer(normalization.size)),
      ])
  }

  // MARK: Codes and pictures

  /// Rounds values to codes, `NAME/codes`, and goes on with the values that these stand for, under the name itself.
  private mutating func addCodes(_ codes: ActivationQuantization, of name: String) {
    let scale = graph.add("\(name)/scale", shape: [], [codes.scale])
    let zeroPoint = graph.add(
      "\(name)/zero_point", .int8, shape: [], .codes(MemoryCodes([codes.zeroPoint])))
    current = graph.add("QuantizeLinear", [current, scale, zeroPoint], to: "\(name)/codes")
    current = graph.add(
      "DequantizeLinear", [current, scale, zeroPoint], to: name, named: "\(name)/values")
  }

  /// Makes of bytes [N, height, width, channels], red first, what the network reads.
  private mutating func addPreparation(_ preprocessing: Preprocessing) {
    let name = ONNXExporter.pictureName
    current = graph.add(
      "Cast", [current], to: "\(name)/real", attributes: [("to", .integer(ONNXElement.float32.rawValue))])
    current = graph.add(
      "Transpose", [current], to: "\(name)/channels", attributes: [("perm", .integers([0, 3, 1, 2]))])
    if preprocessing.channelOrder == .bgr {
      let order = graph.add("\(name)/order", integers: [2, 1, 0])
      current = graph.add(
        "Gather", [current, order], to: "\(name)/bgr", attributes: [("axis", .integer(1))])
    }
    let shape = [1, preprocessing.mean.count, 1, 1]
    let mean = graph.add("\(name)/mean", shape: shape, preprocessing.mean.map { Float($0) })
    current = graph.add("Sub", [current, mean], to: "\(name)/centred")
    let scale = graph.add("\(name)/scale", shape: shape, preprocessing.scale.map { Float($0) })
    current = graph.add("Mul", [current, scale], to: ONNXExporter.inputName)
  }
}

extension Model {
  fileprivate func weight(of layer: Layer) -> Tensor {
    guard let tensor = tensor(layer.weightName) else {
      preconditionFailure("a model has the tensors of its layers")
    }
    return tensor
  }

  /// The bias of a layer as the third input of its operation; none where it has none.
  fileprivate func bias(of layer: Layer, _ graph: inout ONNXGraph) -> [String] {
    guard let bias = tensor(layer.biasName) else { return [] }
    return [graph.addBias(bias, hasOneUnit: weight(of: layer).quantization?.grouping == .tensor)]
  }
}
