internal import JSONKit
public import VGGBytes
public import VGGModel
internal import VGGTensors

/// What a file of tensors says of the model besides them: texts by name, as safetensors has them.
///
/// Exporter and importer share it, so that what is written is what is read. Foreign files have other entries, or none.
public struct ModelMetadata: Equatable, Sendable {
  /// The layers, with the channels and extent of the input.
  public var network: Network
  /// What is done to a picture before the first layer; nil where that is not known.
  public var preprocessing: Preprocessing?
  /// The names of the classes, or none.
  public var labels: [String]
  /// How products of integers are rounded, where the tensors are codes to compute with.
  public var rounding: IntegerArithmetic.Rounding?
  /// The names of tensors whose codes have four bits.
  public var nibbleTensors: [String]

  /// Describes a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - keepsCodes: Whether its codes are written as such.
  public init(_ model: Model, keepsCodes: Bool) {
    network = model.network
    preprocessing = model.preprocessing
    labels = model.labels.count == model.network.classCount ? model.labels : []
    rounding = keepsCodes ? model.integerArithmetic?.rounding : nil
    nibbleTensors =
      keepsCodes ? model.tensors.filter { $0.elementType == .code(.int4) }.map(\.name) : []
  }

  /// The name of the entry that tells these files from foreign ones: the version of the others.
  private static let versionKey = "vggconv"
  private static let version = "1"
}

extension ModelMetadata {
  /// The texts, in an order of their own.
  public var entries: [(key: String, value: String)] {
    var entries = [
      (ModelMetadata.versionKey, ModelMetadata.version),
      ("architecture", "VGG \(network.architecture.rawValue)"),
      ("input_channels", "\(network.inputChannels)"),
      ("layers", JSONValue.array(network.layers.map(JSONValue.init(layer:))).compact),
    ]
    if let extent = network.inputExtent { entries.append(("input_size", JSONValue(extent).compact)) }
    if let preprocessing {
      let order = preprocessing.channelOrder.rawValue
      entries += [
        (
          "preprocessing",
          "(pixel - mean) * scale for each channel, pixels from 0 to 255, channels in the order \(order)"
        ),
        ("channel_order", order),
        ("mean", JSONValue.array(preprocessing.mean.map(JSONValue.number)).compact),
        ("scale", JSONValue.array(preprocessing.scale.map(JSONValue.number)).compact),
      ]
      switch preprocessing.resize {
      case .stretch: entries.append(("resize", "stretch"))
      case .shorterSide(let side): entries.append(("resize", "shorter side \(side), then the centre"))
      }
    }
    if !labels.isEmpty { entries.append(("labels", JSONValue.array(labels.map(JSONValue.string)).compact)) }
    if let rounding { entries.append(("rounding", rounding.rawValue)) }
    if !nibbleTensors.isEmpty {
      entries.append(("int4", JSONValue.array(nibbleTensors.map(JSONValue.string)).compact))
    }
    return entries
  }

  /// Reads texts; nil where they are a foreign file's.
  ///
  /// - Parameters:
  ///   - entries: The texts by name.
  ///   - file: The file's path, for errors.
  /// - Throws: `malformed` where they are not what the version has.
  public init?(_ entries: [String: String], file: String) throws(FileError) {
    guard let version = entries[ModelMetadata.versionKey] else { return nil }
    func wrong(_ key: String, allowed: String? = nil) -> FileError {
      FileError(
        .malformed, code: "metadata", file: file, "has metadata that say nothing of use",
        place: "metadata \(key)", seen: entries[key].map { String($0.prefix(80)) } ?? "nothing",
        allowed: allowed)
    }
    guard version == ModelMetadata.version else {
      throw FileError(
        .unsupported, code: "metadata.version", file: file, "has metadata of a newer version",
        place: "metadata \(ModelMetadata.versionKey)", seen: version, allowed: ModelMetadata.version)
    }
    func json(_ key: String) throws(FileError) -> JSONValue? {
      guard let text = entries[key] else { return nil }
      do throws(JSONError) { return try JSONValue(parsing: Array(text.utf8)) } catch {
        throw wrong(key, allowed: "JSON: \(error.problem)")
      }
    }
    guard
      let architecture = Architecture.allCases.first(where: {
        entries["architecture"] == "VGG \($0.rawValue)"
      })
    else { throw wrong("architecture") }
    guard let layers = try json("layers")?.array?.map(Layer.init(json:)), !layers.contains(nil) else {
      throw wrong("layers")
    }
    let extent = try json("input_size").map { (value) throws(FileError) in
      guard let extent = value.extent(1...Network.largestInputSide) else { throw wrong("input_size") }
      return extent
    }
    guard let channels = entries["input_channels"].flatMap({ Int($0) }), (1...1 << 16).contains(channels)
    else { throw wrong("input_channels") }
    network = Network(
      architecture: architecture, inputChannels: channels, inputExtent: extent,
      layers: layers.compactMap(\.self))

    if let order = entries["channel_order"] {
      let numbers = try ["mean", "scale"].map { (key) throws(FileError) in
        let numbers = try json(key)?.array?.compactMap(\.number) ?? []
        guard numbers.count == channels else { throw wrong(key, allowed: "\(channels) numbers") }
        return numbers
      }
      guard let order = Preprocessing.ChannelOrder(rawValue: order) else { throw wrong("channel_order") }
      let words = (entries["resize"] ?? "").split(separator: " ")
      let side = words.count > 2 ? Int(words[2].filter(\.isNumber)) : nil
      guard words == ["stretch"] || (1...Network.largestInputSide).contains(side ?? 0) else {
        throw wrong("resize")
      }
      preprocessing = Preprocessing(
        channelOrder: order, mean: numbers[0], scale: numbers[1],
        resize: side.map { .shorterSide($0) } ?? .stretch)
    }
    labels = try json("labels")?.array?.compactMap(\.string) ?? []
    guard labels.isEmpty || labels.count == network.classCount else {
      throw wrong("labels", allowed: "a name for each of \(network.classCount ?? 0) classes")
    }
    rounding = try entries["rounding"].map { (name) throws(FileError) in
      guard let rounding = IntegerArithmetic.Rounding(rawValue: name) else { throw wrong("rounding") }
      return rounding
    }
    nibbleTensors = try json("int4")?.array?.compactMap(\.string) ?? []
  }
}

extension JSONValue {
  fileprivate init(_ extent: Extent) {
    self = [.integer(Int64(extent.height)), .integer(Int64(extent.width))]
  }

  fileprivate func extent(_ range: ClosedRange<Int>) -> Extent? {
    guard let sides = array?.compactMap(\.integer), sides.count == 2, sides.allSatisfy(range.contains) else {
      return nil
    }
    return Extent(height: sides[0], width: sides[1])
  }

  fileprivate init(layer: Layer) {
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
  fileprivate init?(json: JSONValue) {
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
