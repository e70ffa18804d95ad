internal import VGGBytes
internal import VGGEngine
internal import VGGModel

/// What a layer puts out for many pictures.
public struct LayerActivations: Sendable {
  /// The layer's name, or ``Calibration/inputName``.
  public let name: String
  /// How often its outputs have which values.
  public private(set) var histogram = ActivationHistogram()
  private var channelSums: [Double]

  init(name: String, channelCount: Int) {
    self.name = name
    channelSums = Array(repeating: 0, count: channelCount)
  }

  /// The mean of each channel over all pixels of all pictures.
  public var channelMeans: [Double] {
    let pixelCount = Double(histogram.count / channelSums.count)
    return channelSums.map { $0 / pixelCount }
  }

  /// The values that are counted at a time; whatever their number, sums are added in the same order.
  private static let pieceLength = 1 << 18

  /// Takes in the outputs for a batch.
  ///
  /// - Returns: nil, or the first picture of the batch for which an output is NaN or infinite.
  mutating func add(_ map: FeatureMap) -> Int? {
    let channels = channelSums.count
    let pictureLength = map.shape.count
    let length = max(1, Self.pieceLength / channels) * channels
    // Pieces end where pictures do, so that a batch gives the same sums as its pictures one by one.
    let pieces = (0..<map.count).flatMap { picture in
      stride(from: 0, to: pictureLength, by: length).map { start in
        picture * pictureLength + start..<picture * pictureLength + min(start + length, pictureLength)
      }
    }
    let parts = Workers.current.map(pieces.count) { index in
      map.withValues { values in
        let piece = UnsafeBufferPointer(rebasing: values[pieces[index]])
        return (histogram: ActivationHistogram(piece), sums: LayerActivations.sums(piece, channels))
      }
    }
    for (piece, part) in zip(pieces, parts) {
      guard let counted = part.histogram else { return piece.lowerBound / pictureLength }
      histogram.add(counted)
      for channel in 0..<channels { channelSums[channel] += part.sums[channel] }
    }
    return nil
  }

  /// The sum of each channel, pixel after pixel.
  private static func sums(_ values: UnsafeBufferPointer<Float>, _ channels: Int) -> [Double] {
    var sums = [Double](repeating: 0, count: channels)
    sums.withUnsafeMutableBufferPointer { sums in
      for start in stride(from: 0, to: values.count, by: channels) {
        for channel in 0..<channels { sums[channel] += Double(values[start + channel]) }
      }
    }
    return sums
  }
}
