internal import CCaffe
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Reads the network's description out of a serialised NetParameter of any generation.
struct NetReader {
  /// More layers than any VGG with training layers, and more blobs than any layer that is known.
  static let layerLimit = 4096
  static let blobLimit = 16

  private let file: CaffeFile
  private var messages: SmallMessages

  private init(of file: CaffeFile) {
    self.file = file
    messages = SmallMessages(of: file)
  }

  /// The network that a file describes.
  static func net(in file: CaffeFile) throws(FileError) -> CaffeNet {
    var reader = NetReader(of: file)
    return try reader.net()
  }

  private mutating func net() throws(FileError) -> CaffeNet {
    let (inputs, asides) = try messages.withMessage(
      0..<file.bytes.count, as: .net, Caffe__NetParameter.self, place: "NetParameter",
      asideLimit: Self.layerLimit
    ) { [self] (net, asides) throws(FileError) -> ([(name: String, shape: [Int]?)], [SmallMessages.Aside]) in
      (try self.inputs(of: net), asides)
    }
    let layersField = MessageSchema.net.field(named: "layers")
    let layerField = MessageSchema.net.field(named: "layer")
    let old = asides.filter { $0.field == layersField?.number }
    let new = asides.filter { $0.field == layerField?.number }
    if let firstOld = old.first, let firstNew = new.first {
      throw file.unsupported(
        "mixed", "mixes two generations of the format; which layers count is not defined",
        at: max(firstOld.message.lowerBound, firstNew.message.lowerBound), place: "NetParameter",
        seen: "\(old.count) 'layers' (V1) and \(new.count) 'layer' (V2)", allowed: "one of the two")
    }
    var net = CaffeNet(generation: .v2, inputNames: inputs.map(\.name), inputShape: inputs.first?.shape)
    for (index, aside) in new.enumerated() {
      net.layers.append(try layer(aside.message, number: index + 1, field: layerField))
    }
    if !old.isEmpty { net.generation = .v1 }
    for (index, aside) in old.enumerated() {
      let (layer, isV0) = try oldLayer(aside.message, number: index + 1, field: layersField)
      net.layers.append(layer)
      if isV0 { net.generation = .v0 }
    }
    for layer in net.layers {
      switch layer.operation {
      case .input(let shapes, let found):
        net.inputShape = net.inputShape ?? shapes.first
        if let found, net.transformation == nil || layer.isUsedForTesting { net.transformation = found }
      case .data(let found) where net.transformation == nil || layer.isUsedForTesting:
        net.transformation = found
      default: break
      }
    }
    try foldPadding(of: &net)
    try requireOwnBlobs(net)
    return net
  }

  /// Blobs of one name are a single one in Caffe, whatever values the file has for each: the last ones hold for all.
  private func requireOwnBlobs(_ net: CaffeNet) throws(FileError) {
    var owners: [String: String] = [:]
    for layer in net.layers where layer.isUsedForTesting {
      for name in layer.blobNames where !name.isEmpty {
        if let owner = owners.updateValue(layer.name, forKey: name) {
          throw file.unsupported(
            "shared", "has layers that share their weights, as no VGG has", at: layer.offset,
            place: layer.place, seen: "param '\(name)', as in layer \(owner)", allowed: "weights of its own")
        }
      }
    }
  }

  /// Gives the padding that V0 says in a layer of its own to the layer behind it, as Caffe's upgrade does.
  private func foldPadding(of net: inout CaffeNet) throws(FileError) {
    for index in net.layers.indices.reversed() {
      guard case .padding(let extent) = net.layers[index].operation else { continue }
      let padding = net.layers.remove(at: index)
      let next = index < net.layers.count ? net.layers[index] : nil
      switch next?.operation {
      case .convolution(.some(var settings)):
        settings.padding.height += extent.height
        settings.padding.width += extent.width
        net.layers[index].operation = .convolution(settings)
      case .pooling(var settings):
        settings.padding.height += extent.height
        settings.padding.width += extent.width
        net.layers[index].operation = .pooling(settings)
      default:
        throw file.unsupported(
          "structure", "has a padding before a layer that takes none", at: padding.offset,
          place: padding.place, seen: next?.type ?? "nothing", allowed: "Convolution or Pooling")
      }
      net.layers[index].bottoms = padding.bottoms
    }
  }

  private func inputs(of net: Caffe__NetParameter) throws(FileError) -> [(name: String, shape: [Int]?)] {
    let names = strings(net.input, net.n_input)
    let dims = array(net.input_dim, net.n_input_dim).map(Int.init)
    let shapes = array(net.input_shape, net.n_input_shape).map { $0.map { shape(of: $0.pointee) } ?? [] }
    if dims.isEmpty && shapes.isEmpty { return names.map { ($0, nil) } }
    guard shapes.count == names.count || (shapes.isEmpty && dims.count == 4 * names.count) else {
      throw file.malformed(
        "input", "has inputs that do not fit their shapes", place: "NetParameter",
        seen: "\(names.count) inputs, \(dims.count) input_dim, \(shapes.count) input_shape",
        allowed: "four input_dim or one input_shape for each input")
    }
    if !shapes.isEmpty { return Array(zip(names, shapes)) }
    return names.enumerated().map { ($1, Array(dims[4 * $0..<4 * $0 + 4])) }
  }

  // MARK: V2

  private mutating func layer(_ range: Range<Int>, number: Int, field: FieldSchema?) throws(FileError)
    -> CaffeLayer
  {
    guard case .message(let schema) = field?.kind else { preconditionFailure("no such message") }
    return try messages.withMessage(
      range, as: schema, Caffe__LayerParameter.self, place: "layer number \(number)",
      asideLimit: Self.blobLimit
    ) { [file] (message, asides) throws(FileError) in
      let name = string(message.name) ?? ""
      let type = string(message.type) ?? ""
      let settings = LayerSettings(
        file: file, place: "layer \(name)", offset: range.lowerBound,
        convolution: message.convolution_param?.pointee, innerProduct: message.inner_product_param?.pointee,
        pooling: message.pooling_param?.pointee, power: message.power_param?.pointee,
        normalization: message.lrn_param?.pointee,
        batchNormalization: message.batch_norm_param?.pointee, scale: message.scale_param?.pointee,
        relu: message.relu_param?.pointee, dropout: message.dropout_param?.pointee,
        softmax: message.softmax_param?.pointee,
        transformation: message.transform_param?.pointee, data: message.data_param?.pointee,
        input: message.input_param?.pointee)
      return CaffeLayer(
        name: name, type: type, operation: try settings.operation(v0: nil, type: type),
        bottoms: strings(message.bottom, message.n_bottom), tops: strings(message.top, message.n_top),
        isUsedForTesting: isUsedForTesting(
          include: array(message.include, message.n_include),
          exclude: array(message.exclude, message.n_exclude)),
        blobNames: array(message.param, message.n_param).map { string($0?.pointee.name) ?? "" },
        blobs: asides.map { .message($0.message) }, offset: range.lowerBound)
    }
  }

  // MARK: V1 and V0

  private mutating func oldLayer(_ range: Range<Int>, number: Int, field: FieldSchema?) throws(FileError) -> (
    layer: CaffeLayer, isV0: Bool
  ) {
    guard case .message(let schema) = field?.kind else { preconditionFailure("no such message") }
    return try messages.withMessage(
      range, as: schema, Caffe__V1LayerParameter.self, place: "layer number \(number)",
      asideLimit: Self.blobLimit
    ) { [file] (message, asides) throws(FileError) in
      let nested = message.layer?.pointee
      let name = string(nested?.name) ?? string(message.name) ?? ""
      let type = LayerTypes.current(v0: nested.map { string($0.type) ?? "" }, v1: message)
      let settings = LayerSettings(
        file: file, place: "layer \(name)", offset: range.lowerBound,
        convolution: message.convolution_param?.pointee, innerProduct: message.inner_product_param?.pointee,
        pooling: message.pooling_param?.pointee, power: message.power_param?.pointee,
        normalization: message.lrn_param?.pointee,
        relu: message.relu_param?.pointee, dropout: message.dropout_param?.pointee,
        softmax: message.softmax_param?.pointee,
        transformation: message.transform_param?.pointee, data: message.data_param?.pointee)
      let layer = CaffeLayer(
        name: name, type: type, operation: try settings.operation(v0: nested, type: type),
        bottoms: strings(message.bottom, message.n_bottom), tops: strings(message.top, message.n_top),
        isUsedForTesting: isUsedForTesting(
          include: array(message.include, message.n_include),
          exclude: array(message.exclude, message.n_exclude)),
        blobNames: strings(message.param, message.n_param),
        blobs: asides.map { .message($0.message) }, offset: range.lowerBound)
      return (layer, nested != nil)
    }
  }
}

// MARK: Rules of inclusion

/// Whether a layer with these rules is there in a test without level or stages, as Caffe decides it.
private func isUsedForTesting(
  include: [UnsafeMutablePointer<Caffe__NetStateRule>?], exclude: [UnsafeMutablePointer<Caffe__NetStateRule>?]
) -> Bool {
  func holds(_ rule: UnsafeMutablePointer<Caffe__NetStateRule>?) -> Bool {
    guard let rule = rule?.pointee else { return false }
    return (rule.has_phase == 0 || rule.phase == CAFFE__PHASE__TEST)
      && (rule.has_min_level == 0 || rule.min_level <= 0) && (rule.has_max_level == 0 || rule.max_level >= 0)
      && rule.n_stage == 0
  }
  return include.isEmpty ? !exclude.contains(where: holds) : include.contains(where: holds)
}

// MARK: What protobuf-c gives, as Swift values

/// A repeated field.
func array<Element>(_ elements: UnsafeMutablePointer<Element>?, _ count: Int) -> [Element] {
  Array(UnsafeBufferPointer(start: elements, count: elements == nil ? 0 : count))
}

/// An optional string; what is no UTF-8 is repaired.
func string(_ text: UnsafeMutablePointer<CChar>?) -> String? { text.map { String(cString: $0) } }

/// A repeated string.
func strings(_ texts: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int) -> [String] {
  array(texts, count).map { string($0) ?? "" }
}

/// A shape; absurdly large numbers stay as they are, to be refused by whoever uses it.
func shape(of shape: Caffe__BlobShape) -> [Int] { array(shape.dim, shape.n_dim).map(Int.init) }
