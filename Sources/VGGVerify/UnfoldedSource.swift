internal import VGGEngine
internal import VGGModel

/// A source whose mean and scale have become part of its first convolution, as it was before.
///
/// The folding is inexact at the border, so that the weights alone do not tell whether a model still computes the same: its
/// outputs are compared with those of the network that the source's file holds.
struct UnfoldedSource {
  let model: Model
  /// What is done to pictures before and after the folding.
  private let rules: (before: Preprocessing, after: Preprocessing)

  /// - Returns: nil where it is not known what is done to pictures.
  init?(_ model: Model, folded: Model) {
    guard let before = model.preprocessing, let after = folded.preprocessing,
      before.mean.count == after.mean.count, after.scale.allSatisfy({ $0 != 0 })
    else { return nil }
    self.model = model
    rules = (before, after)
  }

  /// The input of the source for the picture that is an input of the folded network.
  func input(_ folded: FeatureMap) throws(EngineError) -> FeatureMap {
    let (before, after) = rules
    let channels = folded.shape.channels
    let isReversed = before.channelOrder != after.channelOrder
    let values = folded.withValues { values in
      values.indices.map { index in
        let (pixel, channel) = index.quotientAndRemainder(dividingBy: channels)
        let place = isReversed ? channels - 1 - channel : channel
        let value = Double(values[pixel * channels + place]) / after.scale[place] + after.mean[place]
        return Float((value - before.mean[channel]) * before.scale[channel])
      }
    }
    return try FeatureMap(count: folded.count, shape: folded.shape, values: values)
  }
}
