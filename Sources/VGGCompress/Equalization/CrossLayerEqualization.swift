public import VGGBytes
public import VGGModel
internal import VGGTensors

/// Brings the weights of neighbouring layers to similar ranges, without a change of what the network computes: cross-layer
/// equalisation (Nagel et al. 2019, arXiv 1906.04721, section 4.1).
///
/// Channel `i` between two layers is divided by `s_i` in the first one, weights and bias, and multiplied by `s_i` in the second. ReLU and
/// poolings let a positive factor through, so the outputs stay. `s_i = sqrt(r1_i r2_i) / r2_i`, where `r1_i` is the largest magnitude
/// of the first layer's weights for the channel and `r2_i` that of the second layer's; here rounded to a power of two, so that in
/// float32 not a bit of the outputs changes, unless numbers become subnormal or infinite on the way. Pairs
/// are gone through from the first to the last, again and again until nothing changes, at most 16 times.
///
/// Pairs are those of `Network.channelPairs`. Behind a flattened map, a channel's factor belongs to all its places among the inputs.
public struct CrossLayerEqualization: ModelPass, Equatable, Sendable {
  /// The layers whose channels are divided, with the exponent of each channel's `s_i`.
  public let factors: ChannelEqualization

  private static let mostSweeps = 16

  /// The pass with its factors.
  public var declaration: Pass { .equalize(factors) }

  /// Finds the factors for a model.
  ///
  /// - Throws: What reading the weights throws.
  public init(of model: Model) throws(FileError) {
    let pairs = model.network.channelPairs
    var factors = pairs.map { Array(repeating: 0, count: $0.channelCount) }
    for _ in 0..<Self.mostSweeps {
      var isDone = true
      for (index, pair) in pairs.enumerated() {
        func exponents(into name: String) -> [Int]? {
          pairs.firstIndex { $0.second == name }.map { factors[$0] }
        }
        func exponents(outOf name: String) -> [Int]? {
          pairs.firstIndex { $0.first == name }.map { factors[$0] }
        }
        let first = try model.largestMagnitudes(
          of: pair.first, inputs: exponents(into: pair.first), outputs: factors[index]
        ).outputs
        let second = try model.largestMagnitudes(
          of: pair.second, inputs: factors[index], outputs: exponents(outOf: pair.second),
          inputCount: pair.channelCount
        ).inputs
        for channel in 0..<pair.channelCount {
          guard let step = Self.step(first[channel], second[channel]) else { continue }
          let limits = ChannelEqualization.exponents
          let limited = min(max(factors[index][channel] + step, limits.lowerBound), limits.upperBound)
          if limited != factors[index][channel] { isDone = false }
          factors[index][channel] = limited
        }
      }
      if isDone { break }
    }
    self.factors = ChannelEqualization(zip(pairs, factors).map { .init($0.first, exponents: $1) })
  }

  /// Takes factors that are known.
  init(_ factors: ChannelEqualization) { self.factors = factors }

  /// The exponent of the power of two that is nearest to `sqrt(first / second)`; nil where there is none.
  static func step(_ first: Float, _ second: Float) -> Int? {
    let ratio = Double(first) / Double(second)
    guard first > 0, second > 0, ratio.isFinite else { return nil }
    // Half the logarithm, rounded: its integer part is the ratio's exponent.
    return (Int(ratio.exponent) + 1) >> 1
  }

  /// The equalised model; tensors that change are stored as float32.
  ///
  /// - Throws: `unsupported` where the weights are codes already, or the factors do not suit the network.
  public func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    if let tensor = model.tensors.first(where: { !$0.elementType.isReal }) {
      throw FileError(
        .unsupported, code: "equalize.codes", file: model.provenance.sourceName,
        "cannot be equalised any more: its weights are codes already", place: "tensor \(tensor.name)",
        advice: "equalise the model that it was made of")
    }
    if let (layer, problem) = factors.problem(in: model.network) {
      throw FileError(
        .unsupported, code: "equalize.factors", file: model.provenance.sourceName,
        "cannot be equalised by these factors", place: "layer \(layer)", seen: problem)
    }
    var scalings: [String: ChannelScaling] = [:]
    for pair in model.network.channelPairs {
      guard let exponents = factors.exponents(of: pair.first) else { continue }
      scalings[pair.first, default: ChannelScaling()].outputs = exponents.map { ChannelScaling.power(-$0) }
      scalings[pair.second, default: ChannelScaling()].inputs = exponents.map(ChannelScaling.power)
    }
    return model.mappingTensors { tensor in
      let layer = String(tensor.name.prefix { $0 != "/" })
      guard let scaling = scalings[layer], tensor.role == .weight || scaling.outputs != nil else {
        return tensor
      }
      let values = ScaledChannels(
        base: tensor.values, scaling: scaling, isBias: tensor.role == .bias,
        rowLength: tensor.shape[tensor.shape.count - 1])
      return tensor.replacing(.real(values, as: .float32))
    }
  }
}

extension ElementType {
  /// Whether elements are numbers and no codes.
  fileprivate var isReal: Bool { if case .real = self { true } else { false } }
}

/// What the channels of a layer are multiplied by: powers of two, so that products of two of them are exact.
private struct ChannelScaling: Sendable {
  /// A factor for each channel of the input; nil: they stay.
  var inputs: [Float]?
  /// A factor for each output; nil: they stay.
  var outputs: [Float]?

  static func power(_ exponent: Int) -> Float { Float(sign: .plus, exponent: exponent, significand: 1) }
}

/// A layer's weights or bias with its channels multiplied; each value is rounded once at most.
private struct ScaledChannels: PointwiseValues {
  let base: any TensorValues
  let scaling: ChannelScaling
  let isBias: Bool
  let rowLength: Int

  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    let inputs = isBias ? [] : scaling.inputs ?? []
    (scaling.outputs ?? []).withUnsafeBufferPointer { outputs in
      var (start, row, column) = (0, firstIndex / rowLength, firstIndex % rowLength)
      while start < run.count {
        let part = start..<start + min(run.count - start, rowLength - column)
        // Channels of the input vary fastest among the rows, in kernels and in flattened maps.
        let factor = inputs.isEmpty ? 1 : inputs[row % inputs.count]
        if outputs.isEmpty {
          for index in part { run[index] *= factor }
        } else {
          for index in part { run[index] *= factor * outputs[column + index - start] }
        }
        (start, row, column) = (part.upperBound, row + 1, 0)
      }
    }
  }
}

extension Model {
  /// The largest magnitudes of a layer's weights, for each output and for each channel of the input, with the weights multiplied by powers of
  /// two: by those of the inputs, and divided by those of the outputs.
  fileprivate func largestMagnitudes(
    of layer: String, inputs inputExponents: [Int]?, outputs outputExponents: [Int]?, inputCount: Int = 1
  ) throws(FileError) -> (inputs: [Float], outputs: [Float]) {
    guard let weight = tensor("\(layer)/weight") else { return ([], []) }
    let rowLength = weight.shape[weight.shape.count - 1]
    let inputs = (inputExponents ?? [0]).map(ChannelScaling.power)
    let outputs = (outputExponents ?? Array(repeating: 0, count: rowLength)).map { ChannelScaling.power(-$0) }
    let tiles = weight.values.tiles(rowLength: rowLength)
    let parts = try Workers.current.map(tiles.count) { (index) throws(FileError) in
      var ofInputs = [Float](repeating: 0, count: inputCount)
      var ofOutputs = [Float](repeating: 0, count: rowLength)
      try weight.values.forEachBlock(of: tiles[index], rowLength: rowLength) {
        block, values throws(FileError) in
        ofOutputs.withUnsafeMutableBufferPointer { ofOutputs in
          for line in 0..<block.rowCount {
            let row = block.row(line)
            let start = line * block.columns.count
            let factor = inputs[row % inputs.count]
            var largest: Float = 0
            for (place, column) in block.columns.enumerated() {
              let magnitude = values[start + place].magnitude * (factor * outputs[column])
              largest = magnitude > largest ? magnitude : largest
              ofOutputs[column] = magnitude > ofOutputs[column] ? magnitude : ofOutputs[column]
            }
            ofInputs[row % inputCount] = max(ofInputs[row % inputCount], largest)
          }
        }
      }
      return (inputs: ofInputs, outputs: ofOutputs)
    }
    var result = (
      inputs: [Float](repeating: 0, count: inputCount), outputs: [Float](repeating: 0, count: rowLength)
    )
    for part in parts {
      for index in result.inputs.indices {
        result.inputs[index] = max(result.inputs[index], part.inputs[index])
      }
      for index in result.outputs.indices {
        result.outputs[index] = max(result.outputs[index], part.outputs[index])
      }
    }
    return result
  }
}
