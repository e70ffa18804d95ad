/// A batch normalisation behind a layer with weights, as a source stores it (Ioffe & Szegedy 2015, algorithm 2):
/// `y = gamma * (x - mean) / deviation + beta` for each output channel.
///
/// At inference this is linear, so it is worked into the layer before it: `weight * factor` and
/// `(bias - mean) * factor + beta` with `factor = gamma / deviation`, computed in double and rounded once.
public struct BatchNormalization: Sendable {
  /// What the stored spread of a channel is.
  public enum Spread: String, Sendable {
    /// A variance: the deviation is the root of it and epsilon.
    case variance
    /// A standard deviation, to which epsilon is added (Keras up to 1.0.5).
    case deviation
    /// A variance, to whose root epsilon is added (Keras 1.0.7 on Theano).
    case varianceRoot = "variance, epsilon outside the root"
  }

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
  public var spreadKind: Spread
  /// What is added to the spread, so that nothing is divided by zero.
  public var epsilon: Double
  /// One number that mean and spread are to be divided by, as in Caffe's third blob; nil: 1. Zero makes both zero.
  public var statisticsDivisor: SourceTensor?

  /// Creates a normalisation; one without statistics only scales and shifts.
  public init(
    name: String, gamma: SourceTensor?, beta: SourceTensor?, mean: SourceTensor?, spread: SourceTensor?,
    spreadKind: Spread = .variance, epsilon: Double
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

extension FoundNetwork.WeightedLayer {
  /// The layer with its normalisation worked into weight and bias; itself where there is none.
  ///
  /// - Throws: `malformed` where the normalisation does not fit the layer or divides by zero; `unsupported` where the
  ///   weight is scaled for each channel already.
  func folded(file: String) throws(FileError) -> FoundNetwork.WeightedLayer {
    guard let normalization = batchNormalization else { return self }
    func refusal(
      _ kind: FileError.Kind, _ problem: String, _ tensor: SourceTensor?, seen: String, allowed: String
    ) -> FileError {
      FileError(
        kind, code: "model.normalization", file: file, problem, offset: tensor?.fileOffset,
        place: "layer \(normalization.name)" + (tensor.map { ", tensor \($0.name)" } ?? ""), seen: seen,
        allowed: allowed)
    }
    let outputs = weight.canonicalShape.last ?? 0
    func values(_ tensor: SourceTensor?, count: Int, otherwise: Double) throws(FileError) -> [Double] {
      guard let tensor else { return Array(repeating: otherwise, count: count) }
      guard tensor.shape == [count] else {
        throw refusal(
          .malformed, "has a batch normalisation that does not fit the layer before it", tensor,
          seen: "\(tensor.shape)", allowed: "[\(count)]")
      }
      return try tensor.canonicalValues.array().map(Double.init)
    }
    guard weight.scaling == nil else {
      throw refusal(
        .unsupported, "has a batch normalisation behind a quantised layer", weight,
        seen: weight.format.kind.rawValue, allowed: "floating-point numbers")
    }
    let divisor = try values(normalization.statisticsDivisor, count: 1, otherwise: 1)[0]
    let share = divisor == 0 ? 0 : 1 / divisor
    let gamma = try values(normalization.gamma, count: outputs, otherwise: 1)
    let beta = try values(normalization.beta, count: outputs, otherwise: 0)
    let mean = try values(normalization.mean, count: outputs, otherwise: 0)
    let spread = try values(normalization.spread, count: outputs, otherwise: 1)
    let bias = try values(self.bias, count: outputs, otherwise: 0)
    var factors: [Double] = []
    var biases: [Float] = []
    for channel in 0..<outputs {
      let spreadOfChannel = spread[channel] * share
      let deviation =
        switch normalization.spreadKind {
        case .variance: (spreadOfChannel + normalization.epsilon).squareRoot()
        case .deviation: spreadOfChannel + normalization.epsilon
        case .varianceRoot: spreadOfChannel.squareRoot() + normalization.epsilon
        }
      guard deviation > 0 || spreadOfChannel.isNaN else {
        throw refusal(
          .malformed, "has a batch normalisation that divides by zero or takes a negative root",
          normalization.spread,
          seen: "\(spread[channel]) for channel \(channel), epsilon \(normalization.epsilon)",
          allowed: "a positive sum")
      }
      let factor = gamma[channel] / deviation
      factors.append(factor)
      biases.append(Float((bias[channel] - mean[channel] * share) * factor + beta[channel]))
    }
    var layer = self
    layer.batchNormalization = nil
    layer.weight.scaling = .multiplied(by: factors)
    layer.bias = SourceTensor(
      name: "\(self.bias?.name ?? name) with \(normalization.name)", shape: [outputs], format: .float32,
      bytes: ByteRegion(copying: biases.withUnsafeBytes { Array($0) }), layout: .vector)
    return layer
  }

  /// The tensors of the source that `folded` works into others.
  var tensorsToFold: [SourceTensor] {
    guard let batchNormalization else { return [] }
    return [weight, bias].compactMap(\.self) + batchNormalization.tensors
  }
}
