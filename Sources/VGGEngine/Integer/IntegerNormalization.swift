internal import CVGGRules
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Local response normalisation across channels, from codes to codes, by a table of the factors of all possible sums.
struct IntegerNormalization: LayerMethod {
  /// The longest table: that of the paper's window of five channels has 325,126 entries.
  private static let mostFactors = 1 << 20

  private let rule: CodeNormalization
  /// How many channels a window reaches to either side.
  private let reach: Int
  private let factors: AlignedMemory<Float>

  var inputFormat: MapFormat? { .codes(rule.input) }
  var outputFormat: MapFormat { .codes(rule.output) }

  /// Computes the table on all threads; nil where it would be too long, or squares are not summed across channels.
  init?(
    _ normalization: LocalResponseNormalization, of layer: IntegerLayer, _ threads: Workers
  ) throws(EngineError) {
    let rule = CodeNormalization(normalization, of: layer)
    reach = normalization.reach
    let (largest, overflow) = (2 * reach + 1).multipliedReportingOverflow(by: rule.largestSquare)
    guard normalization.region == .acrossChannels, !overflow, largest < IntegerNormalization.mostFactors
    else { return nil }
    self.rule = rule
    factors = try AlignedMemory<Float>(count: largest + 1)
    let table = factors.buffer
    threads.perform(table.count, granularity: 1 << 12) { sums in
      for sum in sums { table[sum] = rule.factor(sum) }
    }
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    guard let table = factors.buffer.baseAddress else { return }
    let (source, target, channels) = (input.codes, output.codes, input.layout.shape.channels)
    let (pixels, workers) = (input.layout.pixelCount, resources.workers)
    workers.perform(pixels, pieceLength: workers.pieceLength(pixels)) { _, pixels in
      for pixel in pixels {
        normalize(source + pixel * channels, channels, by: table, into: target + pixel * channels)
      }
    }
    withExtendedLifetime(factors) {}
  }

  /// Normalises a pixel: a window loses a square at one end and gets one at the other.
  private func normalize(
    _ codes: UnsafePointer<Int8>, _ channels: Int, by table: UnsafePointer<Float>,
    into target: UnsafeMutablePointer<Int8>
  ) {
    let zeroPoint = Int32(truncatingIfNeeded: rule.input.zeroPoint)
    func square(_ channel: Int) -> Int32 {
      let difference = Int32(truncatingIfNeeded: codes[channel]) &- zeroPoint
      return difference &* difference
    }
    var sum: Int32 = 0
    for channel in 0..<min(reach, channels) { sum &+= square(channel) }
    for channel in 0..<channels {
      if channel < channels &- reach { sum &+= square(channel &+ reach) }
      if channel > reach { sum &-= square(channel &- reach &- 1) }
      target[channel] = rule.code(codes[channel], table[Int(truncatingIfNeeded: sum)])
    }
  }
}

/// Local response normalisation from codes to codes of any shape, with each factor computed when it is needed.
struct ReferenceIntegerNormalization: LayerMethod {
  private let rule: CodeNormalization
  private let normalization: LocalResponseNormalization

  var inputFormat: MapFormat? { .codes(rule.input) }
  var outputFormat: MapFormat { .codes(rule.output) }

  init(_ normalization: LocalResponseNormalization, of layer: IntegerLayer) {
    self.normalization = normalization
    rule = CodeNormalization(normalization, of: layer)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let (source, target, shape) = (input.codes, output.codes, input.layout.shape)
    let (rows, workers) = (input.layout.rowCount, resources.workers)
    workers.perform(rows, pieceLength: workers.pieceLength(rows)) { _, rows in
      for row in rows {
        let (picture, y) = row.quotientAndRemainder(dividingBy: shape.extent.height)
        let codes = source + picture * shape.count
        for x in 0..<shape.extent.width {
          for channel in 0..<shape.channels {
            let index = (y * shape.extent.width + x) * shape.channels + channel
            let factor = rule.factor(sumOfSquares(around: y, x, channel, codes, shape))
            target[picture * shape.count + index] = rule.code(codes[index], factor)
          }
        }
      }
    }
  }

  private func sumOfSquares(
    around y: Int, _ x: Int, _ channel: Int, _ codes: UnsafePointer<Int8>, _ shape: FeatureShape
  ) -> Int {
    let (height, width, channels) = (shape.extent.height, shape.extent.width, shape.channels)
    var sum = 0
    switch normalization.region {
    case .acrossChannels:
      let pixel = codes + (y * width + x) * channels
      for channel in normalization.window(around: channel, of: channels) {
        sum += rule.square(pixel[channel])
      }
    case .withinChannel:
      let columns = normalization.window(around: x, of: width)
      for y in normalization.window(around: y, of: height) {
        for x in columns { sum += rule.square(codes[(y * width + x) * channels + channel]) }
      }
    }
    return sum
  }
}

extension LocalResponseNormalization {
  /// How far a window reaches to either side of its middle.
  fileprivate var reach: Int { size / 2 }

  /// The part of a window that lies within `0..<count`.
  fileprivate func window(around position: Int, of count: Int) -> Range<Int> {
    max(0, position - reach)..<min(count, position + reach + 1)
  }
}
