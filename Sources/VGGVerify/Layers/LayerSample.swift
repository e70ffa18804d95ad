internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// The outputs of a layer that are judged: all, or bands of rows and a run of channels where all would cost too much.
///
/// The first and the last rows are among them, and all columns, so that padding is judged on all sides.
struct LayerSample {
  /// A few rows of outputs and the rows of the input that they need.
  struct Band: Equatable {
    /// The rows of the input that are handed to the layer.
    var input: Range<Int>
    /// The rows of the output that are judged.
    var output: Range<Int>
    /// How many rows of what the layer makes of the band come before these.
    var skipped: Int
  }

  let layer: Layer
  let input: FeatureShape
  let output: FeatureShape
  let bands: [Band]
  let channels: Range<Int>
  /// What a dense layer reads at a time of a larger map.
  let window: Extent?

  /// Multiplications for each picture of a layer up to which all outputs are judged, and about which are done otherwise.
  static let standardBudget = 1 << 24

  /// Chooses the outputs.
  ///
  /// - Parameters:
  ///   - layer: The layer to judge.
  ///   - input: The shape of its input.
  ///   - output: The shape of its output.
  ///   - window: What a dense layer was made for: the extent in front of it for the network's own input.
  ///   - budget: How many multiplications are judged for each picture.
  ///   - seed: Decides which rows and channels are taken in the middle.
  init(
    _ layer: Layer, input: FeatureShape, output: FeatureShape, window: Extent?, budget: Int, seed: UInt64
  ) {
    self.layer = layer
    self.window = window
    self.input = input
    self.output = output
    let isDense = if case .dense = layer.operation { true } else { false }
    // A dense weight is read for one product with each picture, not for many.
    let budget = isDense ? budget / 4 : budget
    let rowCost = output.extent.width * layer.reductionLength
    let everything = [Band(input: 0..<input.extent.height, output: 0..<output.extent.height, skipped: 0)]
    guard layer.hasWeights, rowCost * output.extent.height * output.channels > budget else {
      (bands, channels) = (everything, 0..<output.channels)
      return
    }
    var random = SplitMix64(state: seed)
    let rows = isDense ? output.extent.height : min(3, output.extent.height)
    let wanted = max(64, budget / max(1, rowCost * rows))
    let channelCount = min(output.channels, wanted)
    let first = Int(random.next() % UInt64(output.channels - channelCount + 1))
    channels = first..<first + channelCount
    guard case .convolution(let convolution) = layer.operation else {
      bands = everything
      return
    }
    let height = max(1, budget / max(1, 3 * rowCost * channelCount))
    guard 3 * height < output.extent.height else {
      bands = everything
      return
    }
    let middle = height + Int(random.next() % UInt64(output.extent.height - 3 * height + 1))
    bands = [0, middle, output.extent.height - height].map { start in
      Band(start..<start + height, of: convolution, inputHeight: input.extent.height)
    }
  }

  /// The input's rows of a band, or all.
  func input(_ map: FeatureMap, _ band: Band) throws(EngineError) -> FeatureMap {
    try map.rows(band.input)
  }

  /// The judged values of a band, of a map that has all outputs of the network's layer.
  func outputs(_ map: FeatureMap, _ band: Band) -> [Float] {
    map.values(rows: band.output, channels: channels)
  }

  /// The judged values of what the layer made of a band's input, for the sample's channels alone.
  func outputs(ofBand map: FeatureMap, _ band: Band) -> [Float] {
    map.values(
      rows: band.skipped..<band.skipped + band.output.count, channels: 0..<map.shape.channels)
  }
}

extension LayerSample.Band {
  /// The band of some rows of a convolution's output; what the layer pads at a cut is skipped.
  fileprivate init(_ rows: Range<Int>, of convolution: Convolution, inputHeight: Int) {
    let (stride, padding) = (convolution.stride.height, convolution.padding.height)
    let reach = convolution.effectiveKernel.height
    // A whole number of strides, so that windows fall on the same rows.
    // Rows that see nothing but padding need a row of the input, too.
    let first = min(max(0, rows.lowerBound * stride - padding), inputHeight - 1) / stride
    let end = max(first * stride + 1, min(inputHeight, (rows.upperBound - 1) * stride - padding + reach))
    self.init(input: first * stride..<end, output: rows, skipped: rows.lowerBound - first)
  }
}

extension Layer {
  /// Whether the layer has weights.
  var hasWeights: Bool {
    switch operation {
    case .convolution, .dense: true
    case .pooling, .normalization, .softmax, .sigmoid: false
    }
  }
}

extension FeatureMap {
  /// Some rows of each picture.
  func rows(_ rows: Range<Int>) throws(EngineError) -> FeatureMap {
    guard rows != 0..<shape.extent.height else { return self }
    var part = shape
    part.extent.height = rows.count
    return try FeatureMap(
      count: count, shape: part, values: values(rows: rows, channels: 0..<shape.channels))
  }

  /// The values of some rows and channels of each picture.
  func values(rows: Range<Int>, channels: Range<Int>) -> [Float] {
    if rows == 0..<shape.extent.height, channels == 0..<shape.channels { return values }
    let rowLength = shape.extent.width * shape.channels
    return withValues { values in
      var result: [Float] = []
      result.reserveCapacity(count * rows.count * shape.extent.width * channels.count)
      for picture in 0..<count {
        let start = picture * shape.count
        if channels.count == shape.channels {
          result += values[start + rows.lowerBound * rowLength..<start + rows.upperBound * rowLength]
          continue
        }
        for pixel in rows.lowerBound * shape.extent.width..<rows.upperBound * shape.extent.width {
          let first = start + pixel * shape.channels + channels.lowerBound
          result += values[first..<first + channels.count]
        }
      }
      return result
    }
  }
}
