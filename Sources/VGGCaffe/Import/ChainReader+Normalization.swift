internal import VGGBytes
internal import VGGSources
internal import VGGTensors

/// BatchNorm and Scale layers, which are worked into the layers around them.
extension ChainReader {
  /// A normalisation behind a layer with weights, its ReLU or the pooling after that.
  mutating func addBatchNormalization(_ layer: CaffeLayer, _ settings: BatchNormalizationSettings?)
    throws(FileError)
  {
    let place = try placeOfNormalization(layer)
    guard let last = lastWithWeights, last.normalization(at: place) == nil else {
      throw deviation(
        layer, seen: "a batch normalisation", allowed: "one behind a layer with weights or behind its ReLU")
    }
    let normalization = try read(layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.batchNormalization(settings, channels: last.outputs)
    }
    setNormalization(normalization, at: place)
    if settings?.usesBatchStatistics == true { batchStatistics.append(layer.name) }
  }

  /// Factors and summands, of a batch normalisation or on their own.
  mutating func addScale(_ layer: CaffeLayer, _ settings: ScaleSettings?) throws(FileError) {
    let place = try placeOfNormalization(layer)
    guard let last = lastWithWeights, last.normalization(at: place)?.gamma == nil else {
      throw deviation(
        layer, seen: "a Scale",
        allowed: "one behind a layer with weights, its batch normalisation or its ReLU")
    }
    let (gamma, beta) = try read(layer) { (reader: inout BlobReader) throws(FileError) in
      try reader.scale(settings, channels: last.outputs)
    }
    var normalization =
      last.normalization(at: place)
      ?? BatchNormalization(name: layer.name, gamma: nil, beta: nil, mean: nil, spread: nil, epsilon: 0)
    normalization.gamma = gamma
    normalization.beta = beta
    setNormalization(normalization, at: place)
  }

  /// Where a normalisation that comes next stands; behind a pooling only where none stands in front of it.
  private func placeOfNormalization(_ layer: CaffeLayer) throws(FileError) -> NormalizationPlace {
    guard net.hasStructure else {
      guard let place = options.normalizationPlace else {
        throw file.unsupported(
          "normalization.order",
          "does not tell whether a batch normalisation stands in front of its ReLU or behind it",
          at: layer.offset, place: layer.place, seen: "no ReLU layers",
          advice: "give the deploy prototxt with --prototxt, or state it with --bn-before-activation or "
            + "--bn-after-activation")
      }
      return place
    }
    if withoutActivation != nil { return .beforeActivation }
    if let earlier = lastWithWeights?.outputNormalization, earlier.isBehindPooling != hasPooledSinceWeights {
      throw deviation(
        layer, seen: "a second normalisation, behind \(earlier.normalization.name) and a pooling",
        allowed: "one behind each layer with weights")
    }
    return hasPooledSinceWeights ? .behindPooling : .behindActivation
  }

  private mutating func setNormalization(_ normalization: BatchNormalization, at place: NormalizationPlace) {
    if place == .beforeActivation {
      lastWithWeights?.batchNormalization = normalization
    } else {
      if lastWithWeights?.outputNormalization == nil { lateNormalizations.append(normalization.name) }
      lastWithWeights?.outputNormalization = FoundNetwork.WeightedLayer.OutputNormalization(
        normalization, isBehindPooling: place == .behindPooling)
    }
  }

  /// The layer with weights that was added last.
  private var lastWithWeights: FoundNetwork.WeightedLayer? {
    get { dense.last ?? convolutions.last }
    set {
      guard let newValue else { return }
      if dense.isEmpty {
        convolutions[convolutions.count - 1] = newValue
      } else {
        dense[dense.count - 1] = newValue
      }
    }
  }
}

extension FoundNetwork.WeightedLayer {
  /// The number of channels or neurons that the layer gives.
  fileprivate var outputs: Int { weight.canonicalShape.last ?? 0 }

  /// The normalisation in front of the activation, or the one behind it.
  fileprivate func normalization(at place: NormalizationPlace) -> BatchNormalization? {
    place == .beforeActivation ? batchNormalization : outputNormalization?.normalization
  }
}
