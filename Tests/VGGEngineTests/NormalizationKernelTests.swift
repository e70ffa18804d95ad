import CVGGKernels
import Foundation
import TestSupport
import Testing

/// Normalisation across channels in float32, against the formula, in units of the bound that the header states.
@Suite struct NormalizationKernelTests {
  @Test(
    arguments: availableISAs,
    [
      (5, 2.0, 1e-4, 0.75), (5, 1.0, 2e-5, 0.75), (3, 0.0, 1.0, 0.5), (1, 1.0, 0.3, 2.25),
      (9, 1e-6, 7.0, 0.1),
    ])
  func withinTheBound(isa: VGKISA, constants: (size: Int, k: Double, scale: Double, beta: Double)) {
    var n = VGKNormalization(
      windowSize: constants.size, k: constants.k, scale: constants.scale, beta: constants.beta)
    var random = SeededGenerator(seed: 11)
    for (channels, magnitude) in [(1, 1), (16, 1e-3), (37, 1e4), (64, 100), (300, 1e9)] as [(Int, Float)] {
      let pixels = 5
      let stride = vgk_fast_channel_stride(channels)
      var input = [Float](repeating: 0, count: pixels * stride)
      for pixel in 0..<pixels {
        for channel in 0..<channels {
          input[pixel * stride + channel] = Float.random(in: 0.01...1, using: &random) * magnitude
        }
      }
      let output = outputInParts(elementCount: input.count, rangeCount: pixels) {
        vgk_fast_normalization(isa, &n, channels, input, $0, $1, $2)
      }
      var largest = 0.0
      for pixel in 0..<pixels {
        for channel in 0..<channels {
          let reach = constants.size / 2
          let sum = (max(0, channel - reach)...min(channels - 1, channel + reach)).reduce(0.0) {
            $0 + pow(Double(input[pixel * stride + $1]), 2)
          }
          let s = constants.k + constants.scale * sum
          let expected = Double(input[pixel * stride + channel]) / pow(s, constants.beta)
          let bound =
            (8 + constants.beta * Double(constants.size + 3) + 2 * constants.beta * log2(s).magnitude)
            * 0x1p-24
          let error = (Double(output[pixel * stride + channel]) - expected).magnitude / expected
          largest = max(largest, error / bound)
        }
      }
      #expect(largest <= 1, "\(channels) \(magnitude)")
    }
  }

  /// What is no ordinary number is what the reference path makes of it.
  @Test(arguments: availableISAs) func extremes(isa: VGKISA) {
    var n = VGKNormalization(windowSize: 3, k: 0, scale: 1, beta: 0.75)
    let input: [Float] = [0, 0, 0, 1e-30, 0, 0, .nan, 0, 0, .infinity, 0, 0, 3e38, 0, 0, 1]
    var expected = [Float](repeating: 0, count: 16)
    vgk_reference_lrn_across_channels(&n, 16, input, &expected, 0, 1)
    var output = expected.map { _ in Float.zero }
    vgk_fast_normalization(isa, &n, 16, input, &output, 0, 1)
    for (index, (seen, right)) in zip(output, expected).enumerated() {
      #expect(
        seen.isNaN == right.isNaN
          && (seen.isNaN || seen == right || (seen - right).magnitude <= 1e-5 * right.magnitude), "\(index)")
    }
    // Windows that reach farther than the kernel's memory.
    n = VGKNormalization(windowSize: 2001, k: 1, scale: 1e-3, beta: 0.5)
    vgk_reference_lrn_across_channels(&n, 16, [Float](repeating: 2, count: 16), &expected, 0, 1)
    vgk_fast_normalization(isa, &n, 16, [Float](repeating: 2, count: 16), &output, 0, 1)
    #expect(sameBits(output, expected))
  }
}
