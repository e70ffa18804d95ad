internal import CommandLineKit
internal import JSONKit
internal import VGGBoards
internal import VGGConv
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

private let netArgument = Positional(
  "NET|FILE", help: "A, A-LRN, B, C, D, E, vgg11, vgg13, vgg16, vgg19, or a file",
  .fileOr(Architecture.names))

/// Prints what each layer costs.
let summaryCommand = Command(
  "summary", abstract: "print what each layer costs: parameters, memory, arithmetic",
  discussion: """
    Memory is that of the layer's output for one picture, in float32, or in bytes where a model computes in integers. Of all outputs no more than two are needed at a time, a \
    layer's input and its output: the peak is the largest such pair. The arena is all that 'export --to c' needs for maps of bytes on a board, \
    where rows make room as soon as they are used. A model that computes with values also needs memory for the \
    transformed weights of its convolutions, which --low-memory does without; those of dense layers are read as they are stored. Multiply-accumulates (MACs) are those of one forward pass; \
    the receptive field ('sees') is the part of the picture that one output depends on.
    """,
  examples: [
    .init("summary D", "The paper's VGG-16"),
    .init("summary vgg16.vggw --input 448", "A model with pictures of another size"),
  ],
  positionals: [netArgument], options: [ModelOptions.inputExtent, ModelOptions.requireSandbox]
) { arguments, console in
  let name = arguments.positionals[0]
  let input = arguments[ModelOptions.inputExtent]
  let network: Network
  var weights: StoredWeights?
  var elementByteCount = MemoryLayout<Float>.size
  if let named = Architecture.named(name) {
    network = try fitting(input ?? Extent(side: 224)) { (extent) throws(ShapeError) in
      try Network(named, inputExtent: extent)
    }
  } else {
    let opened = try OpenedModel(name, ModelOptions.sourceOptions(arguments), console)
    network = opened.model.network
    weights = StoredWeights(of: opened)
    elementByteCount = opened.model.activationElementByteCount
  }
  let extent = input ?? network.inputExtent ?? Extent(side: 224)
  let computesWithValues = elementByteCount == MemoryLayout<Float>.size
  let (costs, memory) = try fitting(extent) { (extent) throws(ShapeError) in
    (
      try network.costs(for: extent, elementByteCount: elementByteCount),
      Memory(
        plan: try MemoryPlan(of: network, for: extent, elementByteCount: elementByteCount),
        transformedByteCount: computesWithValues
          ? try EngineOptions().transformedWeightByteCount(of: network, for: extent) : nil,
        boardPlan: try? BoardBuild(processor: .cortexM4).needs(of: network, for: extent).1)
    )
  }
  console.print(
    console.isJSON
      ? json(network, costs, memory, weights).pretty : text(network, costs, memory, weights, console))
  return .success
}

/// What a run needs besides the model.
private struct Memory {
  let plan: MemoryPlan
  /// The bytes of transformed weights; nil where a model computes in integers.
  let transformedByteCount: Int?
  /// The plan on a board, in integers; nil where boards do not compute the network.
  let boardPlan: BoardPlan?
}

private func text(
  _ network: Network, _ costs: NetworkCosts, _ memory: Memory, _ stored: StoredWeights?, _ console: Console
) -> String {
  var table = TextTable([
    ("layer", .left), ("operation", .left), ("output", .right), ("parameters", .right), ("memory", .right),
    ("MACs", .right), ("sees", .right),
  ])
  func shape(_ shape: FeatureShape) -> String { "\(shape.extent)x\(shape.channels)" }
  table.add(["input", "", shape(costs.input), "", Format.bytes(costs.input.count * costs.elementByteCount)])
  for cost in costs.layers {
    table.add([
      cost.layer.name, abbreviation(cost.layer.operation), shape(cost.output),
      cost.parameterCount == 0 ? "" : Format.grouped(cost.parameterCount),
      Format.bytes(cost.activationByteCount),
      cost.multiplyAccumulateCount == 0 ? "" : arithmetic(cost.multiplyAccumulateCount),
      "\(cost.receptiveField)",
    ])
  }
  table.addRule()
  table.add([
    "all", "", Format.grouped(costs.activationCount), Format.grouped(costs.parameterCount),
    Format.bytes(costs.activationByteCount), arithmetic(costs.multiplyAccumulateCount),
  ])
  if let transformed = memory.transformedByteCount {
    table.add(["weights", "transformed", "", "", Format.bytes(transformed)])
  }
  table.add(["peak", "at \(memory.plan.peakLayer)", "", "", Format.bytes(memory.plan.peakByteCount)])
  if let plan = memory.boardPlan {
    table.add(["arena", "on a board", "", "", Format.bytes(plan.arenaByteCount)])
  }
  let weights =
    stored?.text ?? "\(Format.bytes(costs.parameterCount * MemoryLayout<Float>.size)) as float32"
  return "\(networkText(network)): \(weights)\n\n" + table.rendered(for: console)
}

/// An operation in the few columns that a table has for it.
private func abbreviation(_ operation: Layer.Operation) -> String {
  switch operation {
  case .convolution(let convolution):
    "conv \(convolution.kernel)" + (convolution.activation == .relu ? ", ReLU" : "")
      + (convolution.dilation == Extent(side: 1) ? "" : ", dilation \(convolution.dilation)")
  case .pooling(let pooling):
    "\(pooling.method == .maximum ? "max" : "mean") \(pooling.kernel)/\(pooling.stride.height)"
      + (pooling.rounding == .ceiling ? ", ceil" : "")
  case .normalization(let normalization): "LRN over \(normalization.size)"
  case .dense, .softmax, .sigmoid: operationText(operation)
  }
}

/// `1.85 G`
private func arithmetic(_ count: Int) -> String {
  count >= 1_000_000_000
    ? "\(Format.fixed(Double(count) / 1e9, 2)) G" : "\(Format.fixed(Double(count) / 1e6, 2)) M"
}

private func operationText(_ operation: Layer.Operation) -> String {
  switch operation {
  case .convolution(let convolution):
    "convolution \(convolution.kernel)" + (convolution.activation == .relu ? ", ReLU" : "")
      + (convolution.dilation == Extent(side: 1) ? "" : ", dilation \(convolution.dilation)")
  case .pooling(let pooling):
    "\(pooling.method.rawValue) \(pooling.kernel)/\(pooling.stride.height)"
      + (pooling.rounding == .ceiling ? ", ceiling" : "")
  case .normalization(let normalization): "response normalisation over \(normalization.size)"
  case .dense(let dense): "dense" + (dense.activation == .relu ? ", ReLU" : "")
  case .softmax: "softmax"
  case .sigmoid: "sigmoid"
  }
}

private func json(
  _ network: Network, _ costs: NetworkCosts, _ memory: Memory, _ stored: StoredWeights?
) -> JSONValue {
  func extent(_ extent: Extent) -> JSONValue {
    [.integer(Int64(extent.height)), .integer(Int64(extent.width))]
  }
  func number(_ value: Int) -> JSONValue { .integer(Int64(value)) }
  return [
    "ok": true,
    "architecture": .string(network.architecture.rawValue),
    "upTo": network.cut.map { .string($0) } ?? .null,
    "headActivation": network.head.map { .string($0.activation.rawValue) } ?? .null,
    "inputSize": extent(costs.input.extent),
    "inputChannels": number(network.inputChannels),
    "parameterCount": number(costs.parameterCount),
    "weightBytes": number(stored?.byteCount ?? costs.parameterCount * MemoryLayout<Float>.size),
    "elementTypes": .array((stored?.elementTypes ?? ["float32"]).map { .string($0) }),
    "activationCount": number(costs.activationCount),
    "activationBytes": number(costs.activationByteCount),
    "peakActivationBytes": number(memory.plan.peakByteCount),
    "peakLayer": .string(memory.plan.peakLayer),
    "boardArenaBytes": memory.boardPlan.map { number($0.arenaByteCount) } ?? .null,
    "transformedWeightBytes": memory.transformedByteCount.map(number) ?? .null,
    "macCount": number(costs.multiplyAccumulateCount),
    "layers": .array(
      costs.layers.map { cost in
        [
          "name": .string(cost.layer.name),
          "operation": .string(operationText(cost.layer.operation)),
          "outputShape": [
            number(cost.output.extent.height), number(cost.output.extent.width), number(cost.output.channels),
          ],
          "parameterCount": number(cost.parameterCount),
          "activationBytes": number(cost.activationByteCount),
          "macCount": number(cost.multiplyAccumulateCount),
          "receptiveField": extent(cost.receptiveField),
        ]
      }),
  ]
}

extension StoredWeights {
  /// `138 MB of weights, int8`
  fileprivate var text: String {
    "\(Format.bytes(byteCount)) of weights, \(elementTypes.joined(separator: " and "))"
  }
}
