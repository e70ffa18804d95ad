internal import CVGGKernels
internal import CVGGRules
internal import VGGBytes
public import VGGModel
package import VGGTensors

/// What a layer computes with whose maps are codes: the codes of its weights, and what all codes stand for.
public struct IntegerLayer: Sendable {
  /// The meaning of the codes that it reads.
  let input: ActivationQuantization
  /// The meaning of those that it gives.
  let output: ActivationQuantization
  /// The codes of its weight in the native layout; none for a layer without one.
  let weight: any TensorCodes
  /// Its bias in units of its sums.
  let bias: [Int32]?
  /// How products are rounded.
  let rounding: IntegerArithmetic.Rounding
  /// The scale of the weights of each output channel.
  private let weightScales: [Float]

  /// Takes a layer of a model; nil where the model does not compute in integers.
  ///
  /// - Precondition: The model has such a layer.
  public init?(_ index: Int, of model: Model) {
    guard let arithmetic = model.integerArithmetic else { return nil }
    let layer = model.network.layers[index]
    rounding = arithmetic.rounding
    (input, output) = (arithmetic.input(ofLayer: index), arithmetic.outputs[index])
    let biasContent = model.tensor(layer.biasName)?.content
    if case .bias(let codes)? = biasContent { bias = codes.codes } else { bias = nil }
    guard let tensor = model.tensor(layer.weightName),
      case .codes(let codes, let quantization) = tensor.content
    else {
      weight = MemoryCodes([])
      weightScales = []
      return
    }
    weight = codes
    let scales = quantization.scales
    let outputs = tensor.shape.last ?? 1
    weightScales = quantization.grouping == .tensor ? Array(repeating: scales[0], count: outputs) : scales
  }

  /// Takes a layer from its parts.
  ///
  /// - Parameters:
  ///   - rounding: How products are rounded.
  ///   - input: The meaning of the codes that it reads.
  ///   - output: The meaning of those that it gives.
  ///   - weight: The codes of its weight in the native layout, where it has one.
  ///   - weightScales: The scale of the weights of each output channel.
  ///   - bias: Its bias in units of its sums, where it has one.
  package init(
    rounding: IntegerArithmetic.Rounding, input: ActivationQuantization, output: ActivationQuantization,
    weight: any TensorCodes = MemoryCodes([]), weightScales: [Float] = [], bias: [Int32]? = nil
  ) {
    (self.rounding, self.input, self.output) = (rounding, input, output)
    (self.weight, self.weightScales, self.bias) = (weight, weightScales, bias)
  }

  /// How sums become codes.
  func requantization(_ activation: Activation) -> Requantization {
    Requantization(
      rounding, input: input, weightScales: weightScales, output: output, clipsBelowZero: activation == .relu)
  }

  /// The same, of the layer's own weight, which is decoded only where it may matter.
  func requireSumsThatFit(outputs: Int, layer name: String, _ threads: Workers) throws(EngineError) {
    if sumsFitWhateverTheWeights(terms: weight.count / max(1, outputs)) { return }
    let codes = try DecodedCodes(weight, rowLength: outputs, threads)
    try codes.withCodes { (codes) throws(EngineError) in
      try requireSumsThatFit(codes, outputs: outputs, layer: name)
    }
  }

  /// The least and the largest code of the input, less the zero point.
  private var inputRange: (least: Int, most: Int) {
    (-128 - Int(input.zeroPoint), 127 - Int(input.zeroPoint))
  }

  /// Whether no sum of so many products and a bias can come near 2^31, as in most layers.
  private func sumsFitWhateverTheWeights(terms: Int) -> Bool {
    let (least, most) = inputRange
    let largestBias = bias?.map(\.magnitude).max() ?? 0
    let (products, overflow) = terms.multipliedReportingOverflow(by: max(-least, most) * 128)
    return !overflow && products <= Int(Int32.max) - Int(largestBias)
  }

  /// Requires that no sum of products and bias can reach 2^31, whatever the codes of the input.
  ///
  /// - Parameters:
  ///   - weights: The codes, a row of outputs for each input.
  ///   - outputs: The number of outputs.
  ///   - layer: The name of the layer, for the error.
  func requireSumsThatFit(
    _ weights: UnsafeBufferPointer<Int8>, outputs: Int, layer: String
  ) throws(EngineError) {
    if sumsFitWhateverTheWeights(terms: weights.count / max(1, outputs)) { return }
    let (least, most) = inputRange
    var positive = [Int](repeating: 0, count: outputs)
    var negative = positive
    for (index, weight) in weights.enumerated() {
      let channel = index % outputs
      if weight > 0 { positive[channel] += Int(weight) } else { negative[channel] -= Int(weight) }
    }
    for channel in 0..<outputs {
      let bias = Int(bias?[channel] ?? 0)
      let high = bias + positive[channel] * most - negative[channel] * least
      let low = bias + positive[channel] * least - negative[channel] * most
      guard high <= Int(Int32.max), low >= Int(Int32.min) else {
        throw .shape(
          ShapeError(
            layer: layer, problem: "has sums that may not fit into 32 bits, of output channel \(channel)"))
      }
    }
  }
}

extension Model {
  /// Requires that no sum of a model of integers can overflow, whatever its input; nothing of other models.
  public func requireSumsThatFit() throws(EngineError) {
    for (index, layer) in network.layers.enumerated() {
      guard let outputs = tensor(layer.weightName)?.shape.last, let integers = IntegerLayer(index, of: self)
      else { continue }
      try integers.requireSumsThatFit(outputs: outputs, layer: layer.name, Workers.current)
    }
  }
}

/// How the sums of a layer become codes.
struct Requantization: Sendable {
  private let rounding: VGKRounding
  private let scales: [Float]
  private let multipliers: [VGRMultiplier]
  private let output: ActivationQuantization
  private let clipsBelowZero: Bool

  /// Computes the factor of each output channel.
  ///
  /// - Parameters:
  ///   - rounding: How products are rounded.
  ///   - input: The meaning of the codes that the layer reads.
  ///   - weightScales: The scale of the weights of each output channel.
  ///   - output: The meaning of the codes that it gives.
  ///   - clipsBelowZero: Whether a rectifier follows.
  init(
    _ rounding: IntegerArithmetic.Rounding, input: ActivationQuantization, weightScales: [Float],
    output: ActivationQuantization, clipsBelowZero: Bool
  ) {
    (self.output, self.clipsBelowZero) = (output, clipsBelowZero)
    switch rounding {
    case .litert:
      self.rounding = .litert
      scales = weightScales.map { input.scale * $0 / output.scale }
      multipliers = []
    case .tflm:
      self.rounding = .tflm
      scales = []
      multipliers = weightScales.map {
        vgr_tflm_multiplier(Double(input.scale) * Double($0) / Double(output.scale))
      }
    }
  }

  /// The factors of the output channels.
  var factors: ChannelFactors {
    switch rounding {
    case .litert: .litert(scales)
    case .tflm: .tflm(multipliers.map { ($0.multiplier, $0.shift) })
    }
  }

  /// Lends the rule in the form of the kernels.
  func withKernelValue<Result>(_ body: (UnsafePointer<VGKRequantization>) -> Result) -> Result {
    scales.withUnsafeBufferPointer { scales in
      multipliers.withUnsafeBufferPointer { multipliers in
        let zeroPoint = Int32(output.zeroPoint)
        let value = VGKRequantization(
          rounding: rounding, scales: scales.baseAddress, multipliers: multipliers.baseAddress,
          zeroPoint: zeroPoint, low: clipsBelowZero ? zeroPoint : -128, high: 127)
        return withUnsafePointer(to: value, body)
      }
    }
  }
}

/// The codes of a weight in memory: lent where they lie there already, decoded otherwise.
enum DecodedCodes {
  case lent(ByteRegion)
  case decoded(AlignedMemory<Int8>)

  /// Gets all codes; they are decoded on all threads.
  init(_ codes: any TensorCodes, rowLength: Int, _ threads: Workers) throws(EngineError) {
    if let region = codes.inMemory {
      self = .lent(region)
      return
    }
    let memory = try AlignedMemory<Int8>(count: codes.count)
    let tiles = codes.tiles(rowLength: rowLength)
    do throws(FileError) {
      try threads.perform(tiles.count) { (index) throws(FileError) in
        guard let start = memory.buffer.baseAddress else { return }
        let tile = tiles[index]
        try codes.read(
          tile, rowLength: rowLength,
          into: start + tile.rows.lowerBound * rowLength + tile.columns.lowerBound, rowStride: rowLength)
      }
    } catch {
      throw .weights(error)
    }
    self = .decoded(memory)
  }

  /// Lends the codes for the time of the call.
  func withCodes<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<Int8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    switch self {
    case .lent(let region):
      return try region.withBytes { (bytes) throws(Failure) in
        try body(bytes.assumingMemoryBound(to: Int8.self))
      }
    case .decoded(let memory):
      defer { withExtendedLifetime(memory) {} }
      return try body(UnsafeBufferPointer(memory.buffer))
    }
  }
}
