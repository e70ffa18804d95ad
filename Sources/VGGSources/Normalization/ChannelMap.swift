internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A batch normalisation behind an activation on its way to the next layer with weights: `x * factor + summand` for each
/// channel.
///
/// A ReLU stands between it and the layer before, so only the next layer can take it in. What lies on the way must let it
/// pass: the mean of a window any such map, the maximum only one that keeps the order.
struct ChannelMap {
  /// The normalisation.
  let normalization: BatchNormalization
  /// What each channel is multiplied by.
  let factors: [Double]
  /// What is added to each channel after that.
  let summands: [Double]
  /// The canonical name of the layer before.
  private let layer: String
  private let file: String

  /// The map of a normalisation behind a layer with so many channels.
  init(_ normalization: BatchNormalization, behind layer: String, channels: Int, file: String)
    throws(FileError)
  {
    if let length = normalization.tensors.first?.shape.first, length > channels, length % channels == 0 {
      throw FileError(
        .unsupported, code: "model.normalization", file: file,
        "has a batch normalisation of the flattened map, pixel by pixel",
        place: "layer \(normalization.name)", seen: "\(length) numbers",
        allowed: "\(channels), one per channel")
    }
    let found = try normalization.coefficients(channels: channels, file: file)
    self.normalization = normalization
    self.layer = layer
    self.file = file
    factors = found.factor
    summands = found.mean.indices.map { found.summand[$0] - found.mean[$0] * found.factor[$0] }
  }

  /// Makes sure that pooling the mapped values is mapping the pooled ones.
  func requirePassage(through pooling: Layer) throws(FileError) {
    guard case .pooling(let settings) = pooling.operation else {
      throw refusal("\(pooling.name) behind it", allowed: "a layer with weights or a pooling")
    }
    switch settings.method {
    case .maximum:
      if let channel = factors.firstIndex(where: { $0 < 0 }) {
        throw refusal(
          "factor \(factors[channel]) for channel \(channel), and the maximum in \(pooling.name)",
          allowed: "no negative factors in front of a maximum")
      }
    case .average:
      // Zeros of the padding are counted in Caffe's mean, but not shifted.
      if !settings.isGlobal, settings.padding != Extent(side: 0) {
        throw refusal("padding \(settings.padding) in \(pooling.name)", allowed: "a mean without padding")
      }
    }
  }

  /// Makes sure that a layer's weights can take the map in: zeros of a padding are not shifted.
  func requireExactness(into next: FoundNetwork.WeightedLayer, file: String) throws(FileError) {
    let shape = next.weight.canonicalShape
    guard shape.dropLast().last.map({ $0 % max(1, factors.count) == 0 }) == true else {
      throw refusal("\(factors.count) channels in front of \(shape)", allowed: "as many inputs")
    }
    guard shape.count == 4 else { return }
    let padding =
      next.convolution?.padding ?? Extent(height: shape[0] / 2, width: shape[1] / 2)
    guard padding == Extent(side: 0) || summands.allSatisfy({ $0 == 0 }) else {
      throw refusal(
        "the zero padding of \(next.name) behind it, which it does not shift",
        allowed: "a dense layer or an unpadded convolution behind it")
    }
  }

  /// The error where nothing behind the map takes it in.
  var withoutNext: FileError {
    refusal("no layer with weights behind it", allowed: "a dense layer behind it")
  }

  /// What the summands give in each output of the next layer, summed in double in the native order.
  func shift(of weight: SourceTensor) throws(FileError) -> [Double] {
    let outputs = weight.canonicalShape.last ?? 0
    let summands = self.summands
    guard outputs > 0, summands.contains(where: { $0 != 0 }) else {
      return Array(repeating: 0, count: outputs)
    }
    return try weight.canonicalValues.reducePieces(
      rowLength: outputs, into: Array(repeating: 0.0, count: outputs)
    ) { first, values in
      var sums = Array(repeating: 0.0, count: outputs)
      for row in 0..<values.count / outputs {
        let summand = summands[(first / outputs + row) % summands.count]
        for output in 0..<outputs { sums[output] += Double(values[row * outputs + output]) * summand }
      }
      return sums
    } combine: { total, part in
      for output in 0..<outputs { total[output] += part[output] }
    }
  }

  private func refusal(_ seen: String, allowed: String) -> FileError {
    FileError(
      .unsupported, code: "model.normalization.order", file: file,
      "has a batch normalisation behind an activation that cannot be worked into the next layer",
      place: "layer \(normalization.name), behind \(layer)", seen: seen, allowed: allowed,
      advice:
        "only a network that was trained with its normalisations in front of the activations can be converted"
    )
  }
}
