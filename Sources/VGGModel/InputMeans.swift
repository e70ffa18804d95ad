internal import VGGTensors

/// The means by which bias correction takes off what the rounding of weights adds to each output on average.
///
/// With means `m` of a layer's inputs, weights `w` that became `w'` add `sum (w' - w) m` to an output. `schemas/FORMAT.md`, section
/// 5.3, says it exactly.
public struct InputMeans: Equatable, Sendable {
  /// The means of what a layer reads.
  public struct Layer: Equatable, Sendable {
    /// The layer whose bias is corrected.
    public let name: String
    /// The mean of each channel of its input over all pixels of all pictures of the calibration.
    public let means: [Double]

    /// Creates an entry.
    public init(_ name: String, means: [Double]) { (self.name, self.means) = (name, means) }
  }

  /// The layers whose biases are corrected, in the order of the network.
  public let layers: [Layer]
  /// How many passes, those directly in front of this one, rounded the weights.
  public let roundingPassCount: Int

  /// Creates a value.
  public init(_ layers: [Layer], roundingPassCount: Int) {
    (self.layers, self.roundingPassCount) = (layers, roundingPassCount)
  }

  /// The first layer for which a network has no such means, and why; nil where there is none.
  package func problem(in network: Network) -> (layer: String, problem: String)? {
    var remaining = network.layers[...]
    for layer in layers {
      guard let place = remaining.firstIndex(where: { $0.name == layer.name }),
        let count = network.inputChannels(ofLayer: layer.name)
      else {
        return (
          layer.name, "is no layer with a bias, is there twice, or in another order than in the network"
        )
      }
      guard remaining[place].tensorRequirements.contains(where: { $0.role == .bias }) else {
        return (layer.name, "has no bias")
      }
      guard layer.means.count == count else {
        return (layer.name, "has \(layer.means.count) means for \(count) channels")
      }
      guard layer.means.allSatisfy(\.isFinite) else { return (layer.name, "has a mean that is not finite") }
      remaining = network.layers[(place + 1)...]
    }
    return nil
  }
}
