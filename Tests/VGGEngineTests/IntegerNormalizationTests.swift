import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGModel
import VGGTensors

/// Layers without weights between codes: local response normalisation, softmax and sigmoid.
@Suite struct IntegerNormalizationTests {
  private static let options = RecordedIntegerLayerTests.options

  private static func layer(
    _ operation: Layer.Operation, _ rounding: IntegerArithmetic.Rounding = .litert,
    from: ActivationQuantization, to output: ActivationQuantization = .probabilities, codes: [Int32],
    count: Int = 1, extent: Extent = Extent(side: 1)
  ) throws -> CodedLayer {
    let channels = codes.count / (count * extent.height * extent.width)
    return try CodedLayer(
      Layer(name: "layer", operation: operation), rounding, from: from, to: output, input: codes,
      count: count, FeatureShape(extent: extent, channels: channels))
  }

  // MARK: Normalisation

  /// With the zero points of a map behind a rectifier, and of any map.
  private static let normalizedByNumPy: [(from: Int8, to: Int8, scale: Float, codes: [Int32])] = [
    (
      -128, -128, 0.55,
      [
        -118, -99, -94, -94, -96, -87, -76, -124, -113, -94, -94, -96, -87, -76, -124, -112, -94, -94, -96,
        -87,
        -77, -123, -112, -94, -94, -96, -88, -77, -123, -112, -94, -94, -96, -88, -78, -122, -111, -93, -95,
        -97,
        -88, -78, -122, -111, -94, -95, -85, -72,
      ]
    ),
    (
      3, -11, 0.45,
      [
        -102, -74, -45, -20, 13, 33, 50, -80, -62, -44, -17, 15, 34, 52, -79, -61, -42, -14, 17, 36, 54, -78,
        -59,
        -41, -11, 19, 37, 56, -76, -58, -39, -8, 20, 39, 57, -74, -56, -37, -5, 22, 40, 58, -72, -55, -35, -2,
        40,
        84,
      ]
    ),
  ]

  /// `normalized` of `integer_rules.py`: NumPy's roots and quotients are rounded correctly too.
  @Test(arguments: options) func normalizedCodesAreThoseOfNumPy(options: EngineOptions) throws {
    let codes = (0..<48).map { Int32(($0 * 37 + 11) % 256 - 128) }
    for expected in Self.normalizedByNumPy {
      let layer = try Self.layer(
        .normalization(.paper), from: ActivationQuantization(scale: 1.37, zeroPoint: expected.from),
        to: ActivationQuantization(scale: expected.scale, zeroPoint: expected.to), codes: codes)
      #expect(try layer.codes(options) == expected.codes)
    }
  }

  /// The engines compute the same bits, which are the nearest codes of the formula's values.
  @Test(arguments: LocalResponseNormalization.Region.allRegions, [0.75, 0.25, 0.5, 1, 2.25, 0.6, -0.3])
  func enginesNormalizeAlike(region: LocalResponseNormalization.Region, beta: Double) throws {
    var random = SeededGenerator(seed: UInt64(beta.magnitude * 100))
    for size in [1, 3, 4, 5, 19] {
      let normalization = LocalResponseNormalization(
        size: size, scale: Double.random(in: 1e-5...1e-3, using: &random), beta: beta,
        k: Double.random(in: 0.5...2, using: &random), region: region)
      let from = random.meaning(scale: 0.01...2)
      let to = ActivationQuantization(scale: from.scale * 0.7, zeroPoint: random.code())
      let (count, extent) = (
        random.number(1...2), Extent(height: random.number(1...4), width: random.number(1...4))
      )
      let channels = random.number(1...40)
      let codes = (0..<count * extent.height * extent.width * channels).map { _ in Int32(random.code()) }
      let layer = try Self.layer(
        .normalization(normalization), from: from, to: to, codes: codes, count: count, extent: extent)
      let expected = try layer.codes(EngineOptions(kind: .reference, threadCount: 1))
      #expect(try layer.codes(EngineOptions(threadCount: 3)) == expected)
      let error = zip(expected, formula(normalization, layer.input, to)).map { code, value in
        (Double(code) - max(-128, min(127, value))).magnitude
      }
      #expect(error.count == codes.count && error.allSatisfy { $0 <= 0.5001 })
    }
  }

  /// Halves go to the even number before the zero point is added; and what is no number is the zero point.
  @Test(arguments: options) func edgesOfNormalization(_ options: EngineOptions) throws {
    let codes: [Int32] = [-128, -7, -5, -3, -1, 0, 1, 3, 5, 7, 127]
    func normalized(_ scale: Double, _ k: Double, _ output: Float, beta: Double = 0.75) throws -> [Int32] {
      let normalization = LocalResponseNormalization(size: 1, scale: scale, beta: beta, k: k)
      return try Self.layer(
        .normalization(normalization), from: ActivationQuantization(scale: 1, zeroPoint: 0),
        to: ActivationQuantization(scale: output, zeroPoint: 3), codes: codes
      ).codes(options)
    }
    #expect(try normalized(0, 1, 2) == [-61, -1, 1, 1, 3, 3, 3, 5, 5, 7, 67])
    // The sign of a value, times more than any code.
    #expect(try normalized(0, 0, 1) == [-128, -128, -128, -128, -128, 3, 127, 127, 127, 127, 127])
    #expect(try normalized(1e-9, 0, 1) == [-128, -128, -128, -128, -128, 3, 127, 127, 127, 127, 127])
    for (scale, k) in [(0, -1), (1e300, -1e300), (.greatestFiniteMagnitude, 0)] as [(Double, Double)] {
      _ = try normalized(scale, k, 1, beta: -2.5)
    }
    #expect(try normalized(0, -1, 1) == codes.map { _ in 3 })
  }

  // MARK: Softmax and sigmoid

  @Test(arguments: IntegerArithmetic.Rounding.allCases) func enginesTakeTheSameSoftmax(
    rounding: IntegerArithmetic.Rounding
  ) throws {
    var random = SeededGenerator(seed: 21)
    for channels in [1, 2, 7, 10, 100, 600, 1000, 5000] {
      let (count, extent) = (random.number(1...3), Extent(height: random.number(1...3), width: 2))
      let codes = (0..<count * extent.height * 2 * channels).map { _ in Int32(random.code()) }
      let layer = try Self.layer(
        .softmax, rounding, from: random.meaning(scale: 0.001...1), codes: codes, count: count, extent: extent
      )
      let expected = try layer.codes(EngineOptions(kind: .reference, threadCount: 1))
      for (row, start) in stride(from: 0, to: codes.count, by: channels).enumerated() {
        // Probabilities of a row add up to 1, but for half a code each; larger codes never get smaller ones.
        let range = start..<start + channels
        let sum = expected[range].reduce(0) { $0 + Int($1) + 128 }
        #expect((sum - 256).magnitude <= max(2, UInt(channels / 2)), "\(channels) \(row)")
        let sorted = range.sorted { codes[$0] < codes[$1] }.map { expected[$0] }
        #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0 <= $1 })
      }
      for threads in [1, 3] {
        #expect(try layer.codes(EngineOptions(threadCount: threads)) == expected)
      }
    }
  }

  /// Where runtimes end the process: no class has half a code. And more classes than the runtimes' sums hold.
  @Test(arguments: IntegerArithmetic.Rounding.allCases, [513, 4096, 8192, 20_000]) func flatDistributions(
    rounding: IntegerArithmetic.Rounding, classes: Int
  ) throws {
    let layer = try Self.layer(
      .softmax, rounding, from: ActivationQuantization(scale: 0.1, zeroPoint: 0),
      codes: [Int32](repeating: 5, count: classes))
    #expect(try Set(layer.codes(EngineOptions())) == [-128])
  }

  /// Scales that no runtime takes give what the formula says: all classes alike, or one that has all.
  @Test(arguments: IntegerArithmetic.Rounding.allCases) func extremeScalesOfSoftmax(
    rounding: IntegerArithmetic.Rounding
  ) throws {
    for (scale, expected) in [
      (.leastNormalMagnitude, [0, 0]), (0x1p-27, [0, 0]), (0x1p-26, [0, 0]), (0x1p5, [-128, 127]),
      (.greatestFiniteMagnitude, [-128, 127]),
    ] as [(Float, [Int32])] {
      let layer = try Self.layer(
        .softmax, rounding, from: ActivationQuantization(scale: scale, zeroPoint: 0), codes: [-1, 0])
      #expect(try layer.codes(EngineOptions()) == expected, "\(scale)")
    }
  }

  @Test(arguments: options) func sigmoid(_ options: EngineOptions) throws {
    let from = ActivationQuantization(scale: 0.05, zeroPoint: 17)
    let codes = Array(Int32(-128)...127)
    let layer = try Self.layer(.sigmoid, from: from, codes: codes)
    let expected = codes.map { code in
      let value = Float(1 / (1 + exp(-Double(from.value(of: Int8(code))))))
      return min(127, Int32((value * 256).rounded(.toNearestOrEven)) - 128)
    }
    #expect(try layer.codes(options) == expected)
  }
}

extension LocalResponseNormalization.Region {
  fileprivate static let allRegions: [Self] = [.acrossChannels, .withinChannel]
}

extension SeededGenerator {
  fileprivate mutating func code() -> Int8 { Int8.random(in: .min ... .max, using: &self) }

  /// What codes stand for; often that of a map behind a rectifier.
  fileprivate mutating func meaning(scale: ClosedRange<Float>) -> ActivationQuantization {
    ActivationQuantization(
      scale: Float.random(in: scale, using: &self), zeroPoint: number(0...2) == 0 ? .min : code())
  }
}

/// The values of the formula in units of the output's codes, as the mathematical library has them.
private func formula(
  _ normalization: LocalResponseNormalization, _ input: FeatureMap, _ output: ActivationQuantization
) -> [Double] {
  let (values, shape, reach) = (input.values, input.shape, normalization.size / 2)
  func at(_ picture: Int, _ y: Int, _ x: Int, _ channel: Int) -> Double {
    guard (0..<shape.extent.height).contains(y), (0..<shape.extent.width).contains(x),
      (0..<shape.channels).contains(channel)
    else { return 0 }
    let place = ((picture * shape.extent.height + y) * shape.extent.width + x) * shape.channels + channel
    return Double(values[place])
  }
  var result: [Double] = []
  for picture in 0..<input.count {
    for y in 0..<shape.extent.height {
      for x in 0..<shape.extent.width {
        for channel in 0..<shape.channels {
          var sum = 0.0
          for step in -reach...reach {
            switch normalization.region {
            case .acrossChannels: sum += pow(at(picture, y, x, channel + step), 2)
            case .withinChannel:
              for side in -reach...reach { sum += pow(at(picture, y + step, x + side, channel), 2) }
            }
          }
          let value =
            at(picture, y, x, channel)
            / pow(normalization.k + normalization.scale * sum, normalization.beta)
          result.append(value / Double(output.scale) + Double(output.zeroPoint))
        }
      }
    }
  }
  return result
}
