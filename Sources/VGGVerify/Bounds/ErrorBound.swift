internal import Glibc
internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// γ(n) = n u / (1 - n u) with u = 2^-24: what n roundings to float32 can change, as a part of the exact value (Higham,
/// Accuracy and Stability of Numerical Algorithms, lemma 3.1).
func roundingFactor(_ depth: Int) -> Double {
  let sum = Double(depth) * 0x1p-24
  return sum < 1 ? sum / (1 - sum) : .infinity
}

/// How two evaluations of a layer are rounded.
struct RoundingPair {
  /// The one of the model that is judged.
  var model: SumRounding
  /// The one that it is held against.
  var other: SumRounding
}

/// Bounds of the errors of a layer with weights: the article of the module derives them.
struct LayerBound {
  private let sample: LayerSample
  private let tensors: LayerTensors
  private let biasMagnitudes: [Double]
  /// How far each bias is from the source's.
  private let biasChanges: [Double]
  private let magnitudes: LayerEngine
  private let allowances: LayerEngine?

  /// Prepares the bounds of a sample of a layer.
  ///
  /// - Parameters:
  ///   - sample: The outputs to bound.
  ///   - model: What the passes make of the source.
  ///   - source: The source.
  ///   - options: How the engine works that computes the bounds.
  init(
    _ sample: LayerSample, of model: Model, source: Model, options: EngineOptions
  ) throws(EngineError) {
    self.sample = sample
    // Sums of magnitudes are float32 sums of numbers that are not negative: their relative error is at most γ.
    var options = options
    (options.kind, options.savesMemory) = (.fast, true)
    tensors = try LayerTensors(of: sample, in: model)
    biasMagnitudes = tensors.bias.map { Double($0).magnitude }
    biasChanges = try Self.biasChanges(sample, of: model, from: source)
    magnitudes = try tensors.mappingWeight { Magnitudes(base: $0) }.engine(
      sample.layer, sample, options, isLinear: true)
    guard let weight = model.tensor(sample.layer.weightName), weight.values is DeclaredValues,
      let original = source.tensor(sample.layer.weightName)
    else {
      allowances = nil
      return
    }
    let allowance = Distances(left: weight.values, right: original.values)
    let channelCount = weight.shape[weight.shape.count - 1]
    allowances = try tensors.mappingWeight { _ in allowance.channels(sample.channels, of: channelCount) }
      .engine(sample.layer, sample, options, isLinear: true)
  }

  /// How far each bias of a sample is from the source's, where a pass has changed it.
  private static func biasChanges(
    _ sample: LayerSample, of model: Model, from source: Model
  ) throws(EngineError) -> [Double] {
    guard let own = model.tensor(sample.layer.biasName)?.values, own is DeclaredValues,
      let theirs = source.tensor(sample.layer.biasName)?.values
    else { return [] }
    do throws(FileError) {
      let changes = zip(try own.array(), try theirs.array()).map { (Double($0) - Double($1)).magnitude }
      return Array(changes[sample.channels])
    } catch {
      throw .weights(error)
    }
  }

  /// How far the model's layer on `input` may be from the source's layer on an input that differs by `difference`.
  ///
  /// - Parameters:
  ///   - band: The rows that bounds are wanted for.
  ///   - input: What the model's layer gets, all of it.
  ///   - difference: How far each value of the other's input may be from it; nil: not at all.
  ///   - rounding: How both are rounded.
  /// - Returns: A bound for each value of the sample, in the order of ``LayerSample/outputs(ofBand:_:)``.
  func bounds(
    _ band: LayerSample.Band, input: FeatureMap, difference: FeatureMap?, rounding: RoundingPair
  ) throws(EngineError) -> [Double] {
    let whole = (input: input, difference: difference)
    let difference = try difference.map { (map) throws(EngineError) in try sample.input(map, band) }
    let magnitude = try sample.input(input, band).mapping { $0.magnitude }
    let products = try sums(magnitudes, magnitude, band)
    let carried = try difference.map { (map) throws(EngineError) in try sums(magnitudes, map, band) }
    var encoded: [Float]?
    if let allowances {
      let reach = try difference.map { (map) throws(EngineError) in try magnitude.adding(map) } ?? magnitude
      encoded = try sums(allowances, reach, band)
    }
    // The sums are too small by their own roundings, at most.
    let inflation = 1 + 2 * roundingFactor(sample.layer.reductionLength + 2)
    let (model, other) = (rounding.model.elementwiseFactor, rounding.other.elementwiseFactor)
    let channelCount = sample.channels.count
    var bounds = [Double](repeating: 0, count: products.count)
    // What is below float32's normal range is rounded to multiples of 2^-149.
    let tiny = Double(sample.layer.reductionLength + 2) * 0x1p-148
    for index in bounds.indices {
      let bias = biasMagnitudes.isEmpty ? 0 : biasMagnitudes[index % channelCount]
      let product = Double(products[index]) * inflation
      let change =
        (Double(carried?[index] ?? 0) + Double(encoded?[index] ?? 0)) * inflation
        + (biasChanges.isEmpty ? 0 : biasChanges[index % channelCount])
      bounds[index] = change + model * (product + bias) + other * (product + change + bias) + tiny
    }
    try addWinograd(rounding, whole.input, whole.difference, to: &bounds)
    return bounds
  }

  /// Winograd's method has one bound for all outputs of a channel; a tile may reach beyond the rows of a band.
  private func addWinograd(
    _ rounding: RoundingPair, _ input: FeatureMap, _ difference: FeatureMap?, to bounds: inout [Double]
  ) throws(EngineError) {
    let factor = rounding.model.winogradFactor + rounding.other.winogradFactor
    guard factor > 0 else { return }
    let own = input.largestMagnitudes
    let largest = difference.map { zip(own, $0.largestMagnitudes).map { ($0 + $1).nextUp } } ?? own
    let sums = try tensors.weightSums(inputMagnitudes: largest, channelCount: sample.channels.count)
    for index in bounds.indices {
      let channel = index % sample.channels.count
      let bias = biasMagnitudes.isEmpty ? 0 : biasMagnitudes[channel]
      bounds[index] += factor * sums[channel] + roundingFactor(2) * bias
    }
  }

  private func sums(
    _ engine: LayerEngine, _ input: FeatureMap, _ band: LayerSample.Band
  ) throws(EngineError) -> [Float] {
    sample.outputs(ofBand: try engine.evaluate(on: input), band)
  }
}

extension SumRounding {
  /// The factor of the sum of magnitudes in the bound of an error.
  fileprivate var elementwiseFactor: Double {
    switch self {
    case .direct(let depth): roundingFactor(depth)
    case .winograd: 0
    }
  }

  /// The factor of the products of largest magnitudes.
  fileprivate var winogradFactor: Double {
    switch self {
    case .direct: 0
    case .winograd(let depth, let amplification): roundingFactor(depth) * amplification
    }
  }
}

extension FeatureMap {
  /// The largest magnitude of each channel.
  fileprivate var largestMagnitudes: [Float] {
    let channels = shape.channels
    var largest = [Float](repeating: 0, count: channels)
    largest.withUnsafeMutableBufferPointer { largest in
      withValues { values in
        for start in stride(from: 0, to: values.count, by: channels) {
          for channel in 0..<channels {
            largest[channel] = max(largest[channel], values[start + channel].magnitude)
          }
        }
      }
    }
    return largest
  }

  /// Each value changed.
  func mapping(_ transform: (Float) -> Float) throws(EngineError) -> FeatureMap {
    try FeatureMap(count: count, shape: shape, values: withValues { $0.map(transform) })
  }

  /// The sum of two maps of one shape, rounded up.
  func adding(_ other: FeatureMap) throws(EngineError) -> FeatureMap {
    let sums = withValues { left in
      other.withValues { right in zip(left, right).map { ($0 + $1).nextUp } }
    }
    return try FeatureMap(count: count, shape: shape, values: sums)
  }

  /// The magnitudes of the differences of two maps of one shape, rounded up.
  func distance(from other: FeatureMap) throws(EngineError) -> FeatureMap {
    let differences = withValues { left in
      other.withValues { right in
        zip(left, right).map { $0 == $1 ? 0 : ($0 - $1).magnitude.nextUp }
      }
    }
    return try FeatureMap(count: count, shape: shape, values: differences)
  }
}
