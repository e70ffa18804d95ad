internal import Glibc
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// Bounds of the errors of layers without weights: the article of the module derives them.
struct PlainLayerBound {
  let layer: Layer
  let options: EngineOptions

  /// How far the layer on `input` may be from the layer on an input that differs by `difference`.
  ///
  /// - Parameters:
  ///   - input: What the model's layer gets.
  ///   - difference: How far each value of the other's input may be from it; nil: not at all.
  ///   - otherIsForeign: Whether the other is a program of which no more is known than that it computes in float32.
  /// - Returns: A bound for each output in order.
  func bounds(
    input: FeatureMap, difference: FeatureMap?, otherIsForeign: Bool
  ) throws(EngineError) -> [Double] {
    switch layer.operation {
    case .convolution, .dense: preconditionFailure("a layer with weights has bounds of its own")
    case .pooling(let pooling): try bounds(pooling, input, difference)
    case .normalization(let normalization): bounds(normalization, input, difference)
    case .softmax: softmaxBounds(input, difference, otherIsForeign: otherIsForeign)
    case .sigmoid: sigmoidBounds(input, difference, otherIsForeign: otherIsForeign)
    }
  }

  /// A maximum is exact and moves no further than the value that moves furthest; a mean is a sum.
  private func bounds(
    _ pooling: Pooling, _ input: FeatureMap, _ difference: FeatureMap?
  ) throws(EngineError) -> [Double] {
    let carried = try difference.map { (map) throws(EngineError) in try evaluate(on: map) }
    if pooling.method == .maximum {
      if let carried { return carried.values.map(Double.init) }
      let shape: FeatureShape
      do throws(ShapeError) { shape = try layer.outputShape(for: input.shape) } catch { throw .shape(error) }
      return Array(repeating: 0, count: input.count * shape.count)
    }
    let window = pooling.isGlobal ? input.shape.extent : pooling.kernel
    let factor = roundingFactor(window.height * window.width + 2)
    let means = try evaluate(on: input.mapping { $0.magnitude }).values
    return means.enumerated().map { index, mean in
      let change = Double(carried?.valueAt(index) ?? 0) * (1 + 2 * factor)
      return change + 2 * factor * (Double(mean) * (1 + 2 * factor) + change) + 0x1p-140
    }
  }

  /// x_c g(q) with g(q) = (k + s q)^-beta and q the sum of squares: g falls, and so does the magnitude of its slope.
  private func bounds(
    _ normalization: LocalResponseNormalization, _ input: FeatureMap, _ difference: FeatureMap?
  ) -> [Double] {
    let windows = NormalizationWindows(normalization, input.shape)
    let (k, scale, beta) = (normalization.k, normalization.scale, normalization.beta)
    return input.withValues { x in
      (difference ?? input).withValues { d in
        let differs = difference != nil
        return (0..<input.valueCount).map { index in
          var (square, lowSquare, change) = (0.0, 0.0, 0.0)
          windows.forEach(index) { other in
            let magnitude = Double(x[other]).magnitude
            let distance = differs ? Double(d[other]) : 0
            let low = max(0, magnitude - distance)
            square += magnitude * magnitude
            lowSquare += low * low
            change += distance * (2 * magnitude + distance)
          }
          let (low, high) = (k + scale * lowSquare, k + scale * (square + change))
          guard low > 0, scale >= 0 else { return .infinity }
          let magnitude = Double(x[index]).magnitude
          let distance = differs ? Double(d[index]) : 0
          let power = pow(low, -beta)
          let carried =
            distance == 0 && change == 0
            ? 0 : distance * power + magnitude * change * scale * beta * power / low
          let logarithm = max(log2(low).magnitude, log2(high).magnitude)
          // Two more than the kernel's own, for a logarithm.
          let roundings = (normalization.roundings(logarithm: logarithm) + 2) * 0x1p-24
          return carried * (1 + 0x1p-40) + 2 * roundings * (magnitude + distance) * power + 0x1p-140
        }
      }
    }
  }

  /// p_k changes by a factor of at most exp(d_k + largest d); it is computed in double precision and rounded.
  private func softmaxBounds(
    _ input: FeatureMap, _ difference: FeatureMap?, otherIsForeign: Bool
  ) -> [Double] {
    let channels = input.shape.channels
    let (x, d) = (input.values, difference?.values)
    var bounds: [Double] = []
    bounds.reserveCapacity(x.count)
    for start in stride(from: 0, to: x.count, by: channels) {
      let row = start..<start + channels
      let largest = Double(x[row].max() ?? 0)
      let sum = x[row].reduce(0) { $0 + exp(Double($1) - largest) }
      let farthest = d.map { Double($0[row].max() ?? 0) } ?? 0
      for index in row {
        let probability = exp(Double(x[index]) - largest) / sum
        let change = d.map { min(1, probability * expm1(Double($0[index]) + farthest)) } ?? 0
        var roundings = 3 * 0x1p-24
        if otherIsForeign {
          // The difference from the largest logit is rounded before, and the sum after the exponential.
          let span = (Double(x[index]) - largest).magnitude + 2 * farthest
          roundings += roundingFactor(2 * Int(min(span, 1e6)) + channels + 16)
        }
        bounds.append(change + roundings * (probability + change) + 0x1p-140)
      }
    }
    return bounds
  }

  /// The logistic function has a slope of p (1 - p), which grows by a factor of at most exp(d); it is computed in double
  /// precision and rounded.
  private func sigmoidBounds(
    _ input: FeatureMap, _ difference: FeatureMap?, otherIsForeign: Bool
  ) -> [Double] {
    let (x, d) = (input.values, difference?.values)
    return x.indices.map { index in
      let probability = 1 / (1 + exp(-Double(x[index])))
      let slope = probability / (1 + exp(Double(x[index])))
      let growth = expm1(Double(d?[index] ?? 0))
      let change = growth.isFinite ? min(1, slope * growth) : 1
      // Others round the exponential, the sum and the quotient, or take half of 1 + tanh(x / 2).
      let roundings =
        otherIsForeign
        ? roundingFactor(8) * (probability + change) + 0x1p-22 : 3 * 0x1p-24 * (probability + change)
      return change + roundings + 0x1p-140
    }
  }

  private func evaluate(on input: FeatureMap) throws(EngineError) -> FeatureMap {
    try LayerEngine(WeightedLayer(layer), options: options).evaluate(on: input)
  }
}

extension FeatureMap {
  fileprivate func valueAt(_ index: Int) -> Float { withValues { $0[index] } }
}

/// Which values the normalisation of one value looks at.
private struct NormalizationWindows {
  let shape: FeatureShape
  let reach: Int
  let region: LocalResponseNormalization.Region

  init(_ normalization: LocalResponseNormalization, _ shape: FeatureShape) {
    self.shape = shape
    reach = normalization.size / 2
    region = normalization.region
  }

  func forEach(_ index: Int, _ body: (Int) -> Void) {
    let channel = index % shape.channels
    switch region {
    case .acrossChannels:
      let pixel = index - channel
      for other in max(0, channel - reach)...min(shape.channels - 1, channel + reach) { body(pixel + other) }
    case .withinChannel:
      let pixel = index / shape.channels
      let (line, column) = pixel.quotientAndRemainder(dividingBy: shape.extent.width)
      let (picture, row) = line.quotientAndRemainder(dividingBy: shape.extent.height)
      for y in max(0, row - reach)...min(shape.extent.height - 1, row + reach) {
        for x in max(0, column - reach)...min(shape.extent.width - 1, column + reach) {
          body(((picture * shape.extent.height + y) * shape.extent.width + x) * shape.channels + channel)
        }
      }
    }
  }
}
