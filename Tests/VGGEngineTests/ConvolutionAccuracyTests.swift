import CVGGKernels
import Foundation
import TestSupport
import Testing

/// The largest errors of fast convolutions over ranges of inputs and all positions of a tile, in units of first-order
/// rounding bounds (see `RoundingBound`).
@Suite struct ConvolutionAccuracyTests {
  /// What the inputs are like.
  enum Inputs: CaseIterable {
    case uniform
    /// As after a ReLU.
    case rectified
    /// As preprocessed pixels of a bright picture: nearly constant, so that transforms cancel.
    case offset
    /// Few and far between.
    case impulses
    /// Magnitudes from 2^-20 to 2^20 side by side.
    case mixed
    case tiny
    case huge

    func values(_ random: inout SeededGenerator, count: Int) -> [Float] {
      let values = random.values(count)
      switch self {
      case .uniform: return values
      case .rectified: return values.map { max(0, $0) }
      case .offset: return values.map { 100 + $0 }
      case .impulses: return values.map { random.number(0...40) == 0 ? $0 : 0 }
      case .mixed: return values.map { $0 * exp2(Float(random.number(0...40) - 20)) }
      case .tiny: return values.map { $0 * 0x1p-80 }
      case .huge: return values.map { $0 * 0x1p80 }
      }
    }
  }

  /// The part of its bound that an error may reach: twice what is seen, which the documentation of the engine states.
  private static let allowed = [0: 0.5, 4: 4e-3, 5: 2.5e-3, 6: 1.7e-3, 7: 8e-4]

  @Test(arguments: availableISAs, Inputs.allCases)
  func errorsAreFarBelowTheirBound(isa: VGKISA, inputs: Inputs) {
    for tile in [0, 4, 5, 6, 7] {
      var largest = 0.0
      for (seed, channels) in [3, 20, 150].enumerated() {
        var random = SeededGenerator(seed: UInt64(10 * seed + tile))
        var layer = KernelLayer(
          &random, kernel: 3, extent: 15...22, inputs: channels...channels, outputs: 33...33)
        layer.input = inputs.values(&random, count: layer.input.count)
        (layer.bias, layer.appliesReLU) = (nil, false)
        let seen =
          tile > 0 ? layer.winograd(isa, tile: tile, threads: 2) : layer.direct(isa, padsChannels: true)
        let parts = layer.errors(of: seen, tile: tile)
        largest = max(largest, parts.max() ?? .infinity)
      }
      #expect(largest > 0 && largest <= Self.allowed[tile] ?? 0, "tile \(tile): \(largest)")
    }
  }

  /// No position of a tile is much worse than the others.
  @Test(arguments: [4, 5, 6, 7]) func positionsAreAlike(tile: Int) {
    var random = SeededGenerator(seed: 3)
    var layer = KernelLayer(&random, kernel: 3, extent: 35...35, inputs: 24...24, outputs: 64...64)
    (layer.bias, layer.appliesReLU) = (nil, false)
    (layer.shape.outputHeight, layer.shape.outputWidth) = (35, 35)
    let errors = layer.errors(of: layer.winograd(vgk_best_isa(), tile: tile, threads: 1), tile: tile)
    var largest = [Double](repeating: 0, count: tile * tile)
    for (index, error) in errors.enumerated() {
      let pixel = index / 64 % (35 * 35)
      let position = pixel / 35 % tile * tile + pixel % 35 % tile
      largest[position] = max(largest[position], error)
    }
    let worst = largest.max() ?? 0, best = largest.min() ?? 0
    #expect(best > 0 && worst < best * 40, "\(largest)")
  }
}

extension KernelLayer {
  /// The errors of outputs without bias and ReLU, each in units of its bound.
  fileprivate func errors(of seen: [Float], tile: Int) -> [Double] {
    let expected = reference()
    guard seen.count == expected.count else { return [.infinity] }
    let (channels, outputs) = (shape.inputChannels, shape.outputChannels)
    var sums: [Double]
    if tile > 0 {
      // Every input of a tile touches every sum, of the padding too: the largest one stands for all.
      let largest = Double(input.map(\.magnitude).max() ?? 0)
      sums = [Double](repeating: 0, count: outputs)
      for (index, weight) in weights.enumerated() {
        sums[index % outputs] += Double(weight.magnitude) * largest
      }
      let kappas = [4: 176.0, 5: 537.0, 6: 1565.0, 7: 7370.0]
      let chain = Double(4 * (tile + 2) + min(channels, 128) + channels / 128 + 4)
      let unit = 0x1p-24 * (kappas[tile] ?? 0) * chain
      sums = sums.map { $0 * unit }
    } else {
      var magnitudes = self
      magnitudes.weights = weights.map(\.magnitude)
      magnitudes.input = input.map(\.magnitude)
      let terms = 9 * channels
      let unit = 0x1p-24 * Double(min(terms, 128) + terms / 128 + 3)
      sums = magnitudes.reference().map { Double($0) * unit }
    }
    return seen.indices.map { index in
      let error = (Double(seen[index]) - Double(expected[index])).magnitude
      return error == 0 ? 0 : error.isNaN ? .infinity : error / sums[index % sums.count]
    }
  }
}
