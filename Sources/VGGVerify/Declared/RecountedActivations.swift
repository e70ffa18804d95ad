internal import VGGBytes
internal import VGGEngine
internal import VGGModel

/// What a layer gives for the pictures of a calibration, counted a second time from `docs/integer_arithmetic.md`: apart from the code
/// that calibrates, and in another way.
///
/// That one has bins of a width that grows with the largest value. This one counts the leading bits of float32 as they are,
/// octave by octave, and makes bins of them in the end.
struct RecountedActivations: Sendable {
  /// The number of bins of each sign, and of parts of an octave.
  static let binCount = 8192
  private static let partCount = binCount / 2

  /// The number of values, and of zeros.
  private(set) var (count, zeroCount) = (0, 0)
  /// The smallest and the largest value.
  private(set) var (minimum, maximum) = (Float.infinity, -Float.infinity)
  /// For each sign and exponent, how often there are which 12 leading bits of the fraction; empty: never.
  private var octaves = [[Int]](repeating: [], count: 512)
  private var channelSums: [Double]

  init(channelCount: Int) { channelSums = Array(repeating: 0, count: channelCount) }

  /// The mean of each channel.
  var channelMeans: [Double] {
    let pixels = Double(count / channelSums.count)
    return channelSums.map { $0 / pixels }
  }

  /// Counts the values of a batch; false where one is no finite number.
  mutating func add(_ map: FeatureMap) -> Bool {
    let (channels, length) = (channelSums.count, map.shape.count)
    // Sums are of runs of this many pixels of a picture, which are added in order.
    let run = max(1, (1 << 18) / channels) * channels
    let runs = (0..<map.count).flatMap { picture in
      stride(from: 0, to: length, by: run).map { start in
        picture * length + start..<picture * length + min(length, start + run)
      }
    }
    let parts = Workers.current.map(runs.count) { index in
      map.withValues { values in
        var part = RecountedActivations(channelCount: channels)
        part.count(UnsafeBufferPointer(rebasing: values[runs[index]]))
        return part
      }
    }
    for part in parts { add(part) }
    return minimum.isFinite && maximum.isFinite && !channelSums.contains(where: \.isNaN)
  }

  private mutating func count(_ values: UnsafeBufferPointer<Float>) {
    count = values.count
    var channel = 0
    for value in values {
      channelSums[channel] += Double(value)
      channel = channel + 1 == channelSums.count ? 0 : channel + 1
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      if value == 0 {
        zeroCount += 1
        continue
      }
      let bits = value.bitPattern
      let octave = Int(bits >> 23)
      if octaves[octave].isEmpty { octaves[octave] = Array(repeating: 0, count: Self.partCount) }
      octaves[octave][Int(bits >> 11) & (Self.partCount - 1)] += 1
    }
  }

  private mutating func add(_ other: RecountedActivations) {
    count += other.count
    zeroCount += other.zeroCount
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    for channel in channelSums.indices { channelSums[channel] += other.channelSums[channel] }
    for (octave, counts) in other.octaves.enumerated() where !counts.isEmpty {
      if octaves[octave].isEmpty {
        octaves[octave] = counts
      } else {
        for part in counts.indices { octaves[octave][part] += counts[part] }
      }
    }
  }

  /// The octave of the largest magnitude, as float32 counts them.
  private var largestOctave: Int { max(1, Int(max(-minimum, maximum).bitPattern >> 23)) }

  /// The width of a bin.
  var width: Double { Double(sign: .plus, exponent: largestOctave - 127 - 12, significand: 1) }

  /// How many values of a sign lie in each bin, from zero outwards.
  func bins(isNegative: Bool) -> [Int] {
    var bins = [Int](repeating: 0, count: Self.binCount)
    for octave in 0...largestOctave {
      let counts = octaves[octave + (isNegative ? 256 : 0)]
      // Subnormal numbers have no leading one, and the exponent of the smallest normal ones.
      let (leading, shift) = octave == 0 ? (0, largestOctave - 1) : (Self.partCount, largestOctave - octave)
      for (part, number) in counts.enumerated() where number > 0 {
        bins[shift < 14 ? (leading + part) >> shift : 0] += number
      }
    }
    return bins
  }
}
