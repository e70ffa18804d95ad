internal import VGGModel

/// The smallest and the largest value of each channel over some pictures.
package struct ColourSpread: Sendable {
  private var low: [Float]
  private var high: [Float]

  /// Whether all pixels of all pictures have one colour, such as black: nothing can be learnt of real pictures then.
  package var isUniform: Bool { low == high }

  /// Looks at the pictures of a batch.
  package init(_ pictures: FeatureMap) {
    let channels = pictures.shape.channels
    low = Array(repeating: .infinity, count: channels)
    high = Array(repeating: -.infinity, count: channels)
    add(pictures)
  }

  /// Takes in the pictures of another batch.
  package mutating func add(_ pictures: FeatureMap) {
    let channels = low.count
    pictures.withValues { values in
      for start in stride(from: 0, to: values.count, by: channels) {
        for channel in 0..<channels {
          low[channel] = min(low[channel], values[start + channel])
          high[channel] = max(high[channel], values[start + channel])
        }
      }
    }
  }
}
