internal import VGGModel
internal import VGGTensors

/// A model as a message `NetParameter`.
struct CaffeNetwork {
  /// What the message is for.
  enum Purpose {
    /// The file of the weights: it also says what older programs, which read of it nothing but weights, would not understand.
    case weights
    /// The text that a program makes the network of.
    case description
  }

  /// The input's extent where the model takes any: that of the published models.
  static let usualExtent = Extent(side: 224)

  /// The message.
  private(set) var message = CaffeMessage()
  private let model: Model
  private let purpose: Purpose
  /// The name of the output of the last layer.
  private var top = "data"

  init(_ model: Model, purpose: Purpose) {
    (self.model, self.purpose) = (model, purpose)
    message.append("name", 1, .text(model.network.title))
    appendInput()
    for (index, layer) in model.network.layers.enumerated() { append(layer, index) }
  }

  // MARK: The input

  private mutating func appendInput() {
    let network = model.network
    var input = CaffeMessage()
    if let extent = network.inputExtent ?? (purpose == .description ? CaffeNetwork.usualExtent : nil) {
      var shape = CaffeMessage()
      for size in [1, network.inputChannels, extent.height, extent.width] {
        shape.append("dim", 1, .number(size))
      }
      input.append("shape", 1, shape)
    }
    var layer = self.layer("data", "Input", bottom: nil, top: "data")
    if let transformation = model.preprocessing.flatMap({ CaffeNetwork.transformation($0, network) }) {
      layer.append("transform_param", 100, transformation)
    }
    if !input.fields.isEmpty { layer.append("input_param", 143, input) }
    message.append("layer", 100, layer)
  }

  /// What Caffe's data layers do to pictures, where that is what a model needs: blue, green, red, and one factor for all.
  ///
  /// An Input layer takes no notice of it, so it does no harm there; vggconv reads it.
  static func transformation(_ rule: Preprocessing, _ network: Network) -> CaffeMessage? {
    let isExact = (rule.mean + rule.scale).allSatisfy { Double("\(Float($0))") == $0 }
    guard isExact, rule.channelOrder == (network.inputChannels == 1 ? .gray : .bgr),
      rule.mean.count == network.inputChannels, Set(rule.scale).count == 1,
      rule.resize == Preprocessing.released(for: network.inputExtent).resize
    else { return nil }
    var transformation = CaffeMessage()
    transformation.append("scale", 1, .real(Float(rule.scale[0])))
    for mean in rule.mean { transformation.append("mean_value", 5, .real(Float(mean))) }
    return transformation
  }

  // MARK: Layers

  private func layer(_ name: String, _ type: String, bottom: String?, top: String) -> CaffeMessage {
    var layer = CaffeMessage()
    layer.append("name", 1, .text(name))
    layer.append("type", 2, .text(type))
    if let bottom { layer.append("bottom", 3, .text(bottom)) }
    layer.append("top", 4, .text(top))
    return layer
  }

  private mutating func append(
    _ name: String, _ type: String, weightsOfLayer index: Int? = nil,
    _ settings: (name: String, number: Int, message: CaffeMessage)? = nil
  ) {
    var layer = self.layer(name, type, bottom: top, top: name)
    if let index, purpose == .weights { appendBlobs(ofLayer: index, to: &layer) }
    if let settings { layer.append(settings.name, settings.number, settings.message) }
    message.append("layer", 100, layer)
    top = name
  }

  private mutating func append(_ layer: Layer, _ index: Int) {
    switch layer.operation {
    case .convolution(let convolution):
      append(
        layer.name, "Convolution", weightsOfLayer: index, ("convolution_param", 106, settings(convolution)))
      append(convolution.activation, of: layer)
    case .dense(let dense):
      var settings = CaffeMessage()
      settings.append("num_output", 1, .number(dense.outputs))
      if !dense.hasBias { settings.append("bias_term", 2, .flag(false)) }
      append(layer.name, "InnerProduct", weightsOfLayer: index, ("inner_product_param", 117, settings))
      append(dense.activation, of: layer)
    case .pooling(let pooling):
      append(layer.name, "Pooling", ("pooling_param", 121, settings(pooling, index)))
    case .normalization(let normalization):
      append(layer.name, "LRN", ("lrn_param", 118, settings(normalization)))
    case .softmax: append(layer.name, "Softmax")
    case .sigmoid: append(layer.name, "Sigmoid")
    }
  }

  /// A ReLU works in place, as in the published models.
  private mutating func append(_ activation: Activation, of layer: Layer) {
    guard activation == .relu else { return }
    let name = "relu" + layer.name.drop { !$0.isNumber }
    message.append("layer", 100, self.layer(name, "ReLU", bottom: top, top: top))
  }

  // MARK: Settings

  private func settings(_ convolution: Convolution) -> CaffeMessage {
    var settings = CaffeMessage()
    settings.append("num_output", 1, .number(convolution.outputChannels))
    if !convolution.hasBias { settings.append("bias_term", 2, .flag(false)) }
    settings.append("pad", 3, or: (9, 10), convolution.padding, unless: 0)
    settings.append("kernel_size", 4, or: (11, 12), convolution.kernel)
    settings.append("stride", 6, or: (13, 14), convolution.stride, unless: 1)
    if convolution.dilation != Extent(side: 1) {
      for side in [convolution.dilation.height, convolution.dilation.width] {
        settings.append("dilation", 18, .number(side))
      }
    }
    return settings
  }

  private func settings(_ pooling: Pooling, _ index: Int) -> CaffeMessage {
    var settings = CaffeMessage()
    settings.append("pool", 1, pooling.method == .maximum ? .symbol("MAX", 0) : .symbol("AVE", 1))
    guard !pooling.isGlobal else {
      settings.append("global_pooling", 12, .flag(true))
      return settings
    }
    settings.append("kernel_size", 2, or: (5, 6), pooling.kernel)
    settings.append("stride", 3, or: (7, 8), pooling.stride, unless: 1)
    settings.append("pad", 4, or: (9, 10), pooling.padding, unless: 0)
    if pooling.rounding == .floor, purpose == .weights || model.network.roundsOtherwise(index) {
      settings.append("round_mode", 13, .symbol("FLOOR", 1))
    }
    return settings
  }

  private func settings(_ normalization: LocalResponseNormalization) -> CaffeMessage {
    var settings = CaffeMessage()
    settings.append("local_size", 1, .number(normalization.size))
    settings.append("alpha", 2, .real(Float(normalization.caffeAlpha)))
    settings.append("beta", 3, .real(Float(normalization.beta)))
    if normalization.region == .withinChannel {
      settings.append("norm_region", 4, .symbol("WITHIN_CHANNEL", 1))
    }
    settings.append("k", 5, .real(Float(normalization.k)))
    return settings
  }

  // MARK: Weights

  private func appendBlobs(ofLayer index: Int, to layer: inout CaffeMessage) {
    let network = model.network
    for requirement in network.layers[index].tensorRequirements {
      guard let tensor = model.tensor(requirement.name) else { continue }
      let arrangement =
        requirement.role == .weight ? network.arrangement(ofLayer: index, in: .channelsFirst) : nil
      var shape = CaffeMessage()
      for size in arrangement?.shape ?? tensor.shape { shape.append("dim", 1, .number(size)) }
      let values = arrangement?.arrange(tensor.values) ?? tensor.values
      var blob = CaffeMessage()
      blob.append("data", 5, .packed(FileContent([.reals(values, as: .float32)])))
      blob.append("shape", 7, shape)
      layer.append("blobs", 7, blob)
    }
  }
}

extension CaffeMessage {
  /// Adds two sides: one number where they are equal, else one for each under names of their own.
  fileprivate mutating func append(
    _ name: String, _ number: Int, or numbers: (height: Int, width: Int), _ extent: Extent,
    unless standard: Int? = nil
  ) {
    if extent.height == extent.width {
      if extent.height != standard { append(name, number, .number(extent.height)) }
    } else {
      let stem = name == "kernel_size" ? "kernel" : name
      append("\(stem)_h", numbers.height, .number(extent.height))
      append("\(stem)_w", numbers.width, .number(extent.width))
    }
  }
}
