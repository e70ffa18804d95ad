/// The powers of two that cross-layer equalisation moves between neighbouring layers.
///
/// What goes from one layer to the next is divided by them in the first one, weights and bias, and multiplied by them in the second
/// one, channel by channel; ReLU and poolings let a positive factor through, so the outputs stay. `schemas/FORMAT.md`, section 5.2,
/// says it exactly.
public struct ChannelEqualization: Equatable, Sendable {
  /// The factors of a layer's output channels.
  public struct Layer: Equatable, Sendable {
    /// The first of the two layers.
    public let name: String
    /// Each output channel is divided by two to the power of its exponent.
    public let exponents: [Int]

    /// Creates an entry.
    public init(_ name: String, exponents: [Int]) { (self.name, self.exponents) = (name, exponents) }
  }

  /// The layers that are divided, in the order of the network; none whose exponents are all 0.
  public let layers: [Layer]

  /// Exponents lie within these limits: no weight that matters becomes subnormal, and no activation infinite.
  public static let exponents = -24...24

  /// Creates a value; layers whose exponents are all 0 are left out.
  public init(_ layers: [Layer]) {
    self.layers = layers.filter { layer in layer.exponents.contains { $0 != 0 } }
  }

  /// The exponents of a layer that is divided; nil for any other one.
  public func exponents(of name: String) -> [Int]? { layers.first { $0.name == name }?.exponents }

  /// The first layer that a network cannot have divided so, and why; nil where there is none.
  package func problem(in network: Network) -> (layer: String, problem: String)? {
    let pairs = network.channelPairs
    var remaining = pairs[...]
    for layer in layers {
      guard let place = remaining.firstIndex(where: { $0.first == layer.name }) else {
        let isKnown = pairs.contains { $0.first == layer.name }
        return (
          layer.name,
          isKnown
            ? "is there twice, or in another order than in the network"
            : "has no layer that takes its factors back"
        )
      }
      guard layer.exponents.count == pairs[place].channelCount else {
        return (
          layer.name, "has \(layer.exponents.count) exponents for \(pairs[place].channelCount) channels"
        )
      }
      if let exponent = layer.exponents.first(where: { !ChannelEqualization.exponents.contains($0) }) {
        return (layer.name, "has the impossible exponent \(exponent)")
      }
      remaining = pairs[(place + 1)...]
    }
    return nil
  }
}

/// Two layers between which a factor for each channel can be moved without a change of what the network computes.
public struct ChannelPair: Equatable, Sendable {
  /// The layer that gives the channels: a convolution or dense layer.
  public let first: String
  /// The next convolution or dense layer.
  public let second: String
  /// The number of channels between them; behind a flattened map each of them has several inputs.
  public let channelCount: Int
}

extension Network {
  /// The pairs of layers between which factors can be moved: there are only poolings between them, and no normalisation.
  public var channelPairs: [ChannelPair] {
    var pairs: [ChannelPair] = []
    var earlier: (name: String, channelCount: Int)?
    for layer in layers {
      guard let outputs = layer.outputChannels else {
        if case .pooling = layer.operation { continue }
        earlier = nil
        continue
      }
      if let earlier {
        pairs.append(ChannelPair(first: earlier.name, second: layer.name, channelCount: earlier.channelCount))
      }
      earlier = (layer.name, outputs)
    }
    return pairs
  }

  /// The channels of what a layer with weights reads; behind a flattened map each of them has several inputs.
  package func inputChannels(ofLayer name: String) -> Int? {
    var channels = inputChannels
    for layer in layers {
      guard let outputs = layer.outputChannels else { continue }
      if layer.name == name { return channels }
      channels = outputs
    }
    return nil
  }
}

extension Layer {
  /// The output channels of a layer with weights; nil for any other one.
  fileprivate var outputChannels: Int? {
    switch operation {
    case .convolution(let convolution): convolution.outputChannels
    case .dense(let dense): dense.outputs
    case .pooling, .normalization, .softmax, .sigmoid: nil
    }
  }
}
