internal import JSONKit
internal import VGGModel
internal import VGGTensors

// Layers as members of JSON, for files that hold tensors and no graph.

extension JSONValue {
  init(_ extent: Extent) {
    self = [.integer(Int64(extent.height)), .integer(Int64(extent.width))]
  }

  func extent(_ range: ClosedRange<Int>) -> Extent? {
    guard let sides = array?.compactMap(\.integer), sides.count == 2, sides.allSatisfy(range.contains) else {
      return nil
    }
    return Extent(height: sides[0], width: sides[1])
  }

  init(layer: Layer) {
    var members: [(key: String, value: JSONValue)] = [("name", .string(layer.name))]
    switch layer.operation {
    case .convolution(let convolution):
      members += [
        ("type", "convolution"), ("kernel", JSONValue(convolution.kernel)),
        ("inputs", .integer(Int64(convolution.inputChannels))),
        ("outputs", .integer(Int64(convolution.outputChannels))), ("stride", JSONValue(convolution.stride)),
        ("padding", JSONValue(convolution.padding)), ("dilation", JSONValue(convolution.dilation)),
        ("bias", .bool(convolution.hasBias)), ("activation", .string(convolution.activation.rawValue)),
      ]
    case .pooling(let pooling):
      members += [("type", "pooling"), ("method", .string(pooling.method.rawValue))]
      if pooling.isGlobal {
        members.append(("kernel", "whole map"))
      } else {
        members += [
          ("kernel", JSONValue(pooling.kernel)), ("stride", JSONValue(pooling.stride)),
          ("padding", JSONValue(pooling.padding)), ("rounding", .string(pooling.rounding.rawValue)),
        ]
      }
    case .normalization(let normalization):
      members += [
        ("type", "normalization"), ("size", .integer(Int64(normalization.size))),
        ("scale", .number(normalization.scale)), ("beta", .number(normalization.beta)),
        ("k", .number(normalization.k)), ("region", .string(normalization.region.rawValue)),
      ]
    case .dense(let dense):
      members += [
        ("type", "dense"), ("inputs", .integer(Int64(dense.inputs))),
        ("outputs", .integer(Int64(dense.outputs))), ("bias", .bool(dense.hasBias)),
        ("activation", .string(dense.activation.rawValue)),
      ]
    case .softmax: members.append(("type", "softmax"))
    case .sigmoid: members.append(("type", "sigmoid"))
    }
    self = .object(members)
  }
}

extension Layer {
  /// Reads a layer; nil where something of it is missing or of no use.
  init?(json: JSONValue) {
    let mostChannels = 1 << 16
    func count(_ key: String) -> Int? { json[key]?.integer.flatMap { (1...1 << 40).contains($0) ? $0 : nil } }
    func activation() -> Activation? { json["activation"]?.string.flatMap(Activation.init) }
    guard let name = json["name"]?.string else { return nil }
    let operation: Operation
    switch json["type"]?.string {
    case "convolution":
      guard let kernel = json["kernel"]?.extent(1...64), let inputs = count("inputs"), inputs <= mostChannels,
        let outputs = count("outputs"), outputs <= mostChannels, let stride = json["stride"]?.extent(1...64),
        let padding = json["padding"]?.extent(0...64), let dilation = json["dilation"]?.extent(1...64),
        let hasBias = json["bias"]?.bool, let activation = activation()
      else { return nil }
      var convolution = Convolution(kernel: kernel, inputChannels: inputs, outputChannels: outputs)
      (convolution.stride, convolution.padding, convolution.dilation) = (stride, padding, dilation)
      (convolution.hasBias, convolution.activation) = (hasBias, activation)
      operation = .convolution(convolution)
    case "pooling":
      guard let method = json["method"]?.string.flatMap(Pooling.Method.init) else { return nil }
      if json["kernel"] == "whole map" {
        operation = .pooling(Pooling(global: method))
      } else {
        guard let kernel = json["kernel"]?.extent(1...64), let stride = json["stride"]?.extent(1...64),
          let padding = json["padding"]?.extent(0...63), padding.height < kernel.height,
          padding.width < kernel.width, let rounding = json["rounding"]?.string.flatMap(Pooling.Rounding.init)
        else { return nil }
        var pooling = Pooling(rounding: rounding)
        (pooling.method, pooling.kernel, pooling.stride, pooling.padding) = (method, kernel, stride, padding)
        operation = .pooling(pooling)
      }
    case "normalization":
      guard let size = json["size"]?.integer, (1...1 << 16).contains(size), size % 2 == 1,
        let scale = json["scale"]?.number, let beta = json["beta"]?.number, let k = json["k"]?.number,
        let region = json["region"]?.string.flatMap(LocalResponseNormalization.Region.init)
      else { return nil }
      operation = .normalization(
        LocalResponseNormalization(size: size, scale: scale, beta: beta, k: k, region: region))
    case "dense":
      guard let inputs = count("inputs"), let outputs = count("outputs"), let hasBias = json["bias"]?.bool,
        let activation = activation()
      else { return nil }
      var dense = Dense(inputs: inputs, outputs: outputs, activation: activation)
      dense.hasBias = hasBias
      operation = .dense(dense)
    case "softmax": operation = .softmax
    case "sigmoid": operation = .sigmoid
    default: return nil
    }
    self.init(name: name, operation: operation)
  }
}
