internal import VGGModel
internal import VGGSources

/// What a node does to the map or the values on their way through the network, and what it reads besides.
struct ChainElement {
  /// The node.
  let node: ONNXNode
  /// What it is in a VGG.
  var neutral: NeutralLayer
  /// The weight of a layer, or the factors of a normalisation.
  var weight: ONNXConstant?
  /// The bias of a layer, or the summands of a normalisation.
  var bias: ONNXConstant?
  /// The mean and variance of a normalisation.
  var statistics: (mean: ONNXConstant, variance: ONNXConstant)?
  /// Whether a dense weight is [output, input].
  var hasOutputsFirst = false
  /// How many values there are for each picture behind it, where the node states that.
  var rowLength: Int?
  /// The last rounding to codes behind it.
  var codes: ActivationQuantization?

  /// Whether the least of these codes, which stands for zero, cuts off what a sum has below it, as a ReLU does.
  var isClippedByCodes = false

  init(_ node: ONNXNode, _ operation: NeutralLayer.Operation) {
    self.node = node
    neutral = NeutralLayer(name: node.name, operation: operation)
  }

  /// The outputs of a dense layer.
  var denseOutputCount: Int? { isDense ? weight?.shape[hasOutputsFirst ? 0 : 1] : nil }

  /// Whether it is a dense layer.
  var isDense: Bool { neutral.operation == .dense }

  /// Whether it is a convolution or a dense layer.
  var hasWeights: Bool {
    if case .convolution = neutral.operation { true } else { isDense }
  }

  /// Whether it is a layer of a network with a map of its own: what has weights, pools, normalises, or ends the network.
  var isLayer: Bool {
    switch neutral.operation {
    case .convolution, .dense, .pooling, .localResponseNormalization: true
    case .activation(let kind): kind == .softmax || kind == .sigmoid
    default: false
    }
  }
}
