internal import VGGBytes
public import VGGModel
public import VGGTensors

/// A batch normalisation behind a layer with weights, as a source stores it (Ioffe & Szegedy 2015, algorithm 2):
/// `y = gamma * (x - mean) / deviation + beta` for each output channel.
///
/// At inference this is linear, so it is worked into the layer before it: `weight * factor` and
/// `(bias - mean) * factor + beta` with `factor = gamma / deviation`, computed in double and rounded once.
public struct BatchNormalization: Sendable {
  /// The layer's name in the source.
  public var name: String
  /// The factor of each channel; nil: 1.
  public var gamma: SourceTensor?
  /// The summand of each channel; nil: 0.
  public var beta: SourceTensor?
  /// The mean of each channel; nil: 0.
  public var mean: SourceTensor?
  /// The variance or standard deviation of each channel; nil: 1.
  public var spread: SourceTensor?
  /// Which of the two it is.
  public var spreadKind: NormalizationSpread
  /// What is added to the spread, so that nothing is divided by zero.
  public var epsilon: Double
  /// One number that mean and spread are to be divided by, as in Caffe's third blob; nil: 1. Zero makes both zero.
  public var statisticsDivisor: SourceTensor?

  /// Creates a normalisation; one without statistics only scales and shifts.
  public init(
    name: String, gamma: SourceTensor?, beta: SourceTensor?, mean: SourceTensor?, spread: SourceTensor?,
    spreadKind: NormalizationSpread = .variance, epsilon: Double
  ) {
    self.name = name
    self.gamma = gamma
    self.beta = beta
    self.mean = mean
    self.spread = spread
    self.spreadKind = spreadKind
    self.epsilon = epsilon
  }

  /// All that the source stores.
  var tensors: [SourceTensor] { [gamma, beta, mean, spread, statisticsDivisor].compactMap(\.self) }
}

extension BatchNormalization {
  /// The normalisation as `(x - mean) * factor + summand` for each channel.
  struct Coefficients {
    var mean: [Double]
    var factor: [Double]
    var summand: [Double]
  }

  /// The numbers of a layer with so many channels, computed in double.
  ///
  /// - Throws: `malformed` where the normalisation does not fit the layer or divides by zero.
  func coefficients(channels: Int, file: String) throws(FileError) -> Coefficients {
    func refusal(_ problem: String, _ tensor: SourceTensor?, seen: String, allowed: String) -> FileError {
      FileError(
        .malformed, code: "model.normalization", file: file, problem, offset: tensor?.fileOffset,
        place: "layer \(name)" + (tensor.map { ", tensor \($0.name)" } ?? ""), seen: seen,
        allowed: allowed)
    }
    func values(_ tensor: SourceTensor?, count: Int, otherwise: Double) throws(FileError) -> [Double] {
      guard let tensor else { return Array(repeating: otherwise, count: count) }
      guard tensor.shape == [count] else {
        throw refusal(
          "has a batch normalisation that does not fit the layer before it", tensor,
          seen: "\(tensor.shape)", allowed: "[\(count)]")
      }
      return try tensor.canonicalValues.array().map(Double.init)
    }
    let divisor = try values(statisticsDivisor, count: 1, otherwise: 1)[0]
    let share = divisor == 0 ? 0 : 1 / divisor
    let gamma = try values(self.gamma, count: channels, otherwise: 1)
    let mean = try values(self.mean, count: channels, otherwise: 0)
    let spread = try values(self.spread, count: channels, otherwise: 1)
    var factors: [Double] = []
    for channel in 0..<channels {
      let spreadOfChannel = spread[channel] * share
      let deviation =
        switch spreadKind {
        case .variance: (spreadOfChannel + epsilon).squareRoot()
        case .deviation: spreadOfChannel + epsilon
        case .varianceRoot: spreadOfChannel.squareRoot() + epsilon
        }
      guard deviation > 0 || spreadOfChannel.isNaN else {
        throw refusal(
          "has a batch normalisation that divides by zero or takes a negative root", self.spread,
          seen: "\(spread[channel]) for channel \(channel), epsilon \(epsilon)", allowed: "a positive sum")
      }
      factors.append(gamma[channel] / deviation)
    }
    return Coefficients(
      mean: mean.map { $0 * share }, factor: factors,
      summand: try values(beta, count: channels, otherwise: 0))
  }
}

extension FoundNetwork.WeightedLayer {
  /// The layer with the normalisations on both sides worked into weight and bias; itself where there are none.
  ///
  /// - Parameters:
  ///   - input: What is done to each input channel on the way from the layer before.
  ///   - file: The source's path, for errors.
  /// - Throws: `malformed` where a normalisation does not fit or divides by zero; `unsupported` where the weight is
  ///   scaled already, or where the input's shift would have to reach into the padding.
  func folded(input: ChannelMap?, file: String) throws(FileError) -> FoundNetwork.WeightedLayer {
    guard input != nil || batchNormalization != nil else { return self }
    guard weight.scaling == nil, weightCodes == nil else {
      throw FileError(
        .unsupported, code: "model.normalization", file: file,
        "has a batch normalisation next to a quantised layer", offset: weight.fileOffset,
        place: "layer \(name), tensor \(weight.name)", seen: weight.format.kind.rawValue,
        allowed: "floating-point numbers")
    }
    let outputs = weight.canonicalShape.last ?? 0
    if let bias, bias.shape != [outputs] {
      throw FileError(
        .malformed, code: "model.bias", file: file, "has a bias that does not fit its weight",
        offset: bias.fileOffset, place: "tensor \(bias.name)", seen: "\(bias.shape)", allowed: "[\(outputs)]")
    }
    var biases =
      try bias?.canonicalValues.array().map(Double.init) ?? Array(repeating: 0, count: outputs)
    if let input {
      try input.requireExactness(into: self, file: file)
      biases = zip(biases, try input.shift(of: weight)).map(+)
    }
    var factors = Array(repeating: 1.0, count: outputs)
    if let own = try batchNormalization?.coefficients(channels: outputs, file: file) {
      biases = biases.indices.map { (biases[$0] - own.mean[$0]) * own.factor[$0] + own.summand[$0] }
      factors = own.factor
    }
    var layer = self
    layer.batchNormalization = nil
    layer.weight.scaling =
      if let input { .multipliedOnBothSides(inputs: input.factors, outputs: factors) } else {
        .multiplied(by: factors)
      }
    let names = [input?.normalization.name, batchNormalization?.name].compactMap(\.self)
    layer.bias = SourceTensor(
      name: "\(self.bias?.name ?? name) with \(names.joined(separator: ", "))", shape: [outputs],
      format: .float32, bytes: ByteRegion(copying: biases.map(Float.init).withUnsafeBytes { Array($0) }),
      layout: .vector)
    return layer
  }

  /// The tensors of the source that `folded` works into others.
  func tensorsToFold(input: ChannelMap?) -> [SourceTensor] {
    guard input != nil || batchNormalization != nil else { return [] }
    return [weight, bias].compactMap(\.self) + (input?.normalization.tensors ?? [])
      + (batchNormalization?.tensors ?? [])
  }
}
