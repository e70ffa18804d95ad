import CVGGRules
import TestSupport
import Testing

/// The two rules from an accumulator to a code, each against its definition in other words.
@Suite struct RequantizationRuleTests {
  private static let edges: [Int32] = [
    .min, .min + 1, -0x4000_0001, -0x4000_0000, -0x3FFF_FFFF, -0x100_0001, -3, -2, -1, 0, 1, 2, 3, 0xFF_FFFF,
    0x100_0001, 0x3FFF_FFFF, 0x4000_0000, 0x4000_0001, .max - 1, .max,
  ]
  private static let accumulators: [Int32] = {
    var random = SeededGenerator(seed: 7)
    // Of all magnitudes, and those around zero, which ties are among.
    return edges + (-300...300)
      + (0..<3000).map { _ in
        Int32(truncatingIfNeeded: random.next()) >> Int32.random(in: 0..<31, using: &random)
      }
  }()
  private static let scales: [Double] = {
    var random = SeededGenerator(seed: 8)
    return [
      0, 0.5, 0.25, 0.75, 1, 1.5, 0.3, 0.9, 0x1p-31, 0x1p-32, 0x1p-33, 0x1.fffffffcp-1, 0x1.fffffffep-1,
      0x1.ffffffffp-1,
      0.999_999_999_9, 0x1.fffffffep-32, 0x1.ffffffffp-33, .leastNonzeroMagnitude, .leastNormalMagnitude,
    ] + (0..<40).map { _ in Double.random(in: 0x1p-14..<0x1p-3, using: &random) }
  }()

  // MARK: litert

  @Test(arguments: [(0, -128, 127), (-128, -128, 127), (17, 17, 127), (3, -128, 90), (127, -128, 127)])
  func litert(zeroPoint: Int32, low: Int32, high: Int32) {
    for scale in Self.scales.map(Float.init) {
      let wrong = Self.accumulators.first { accumulator in
        // The product is rounded once to float32, then to a whole number.
        let product = Double(Float(accumulator) * scale).rounded(.toNearestOrEven)
        let expected = max(Double(low), min(Double(high), product + Double(zeroPoint)))
        return vgr_requantize_litert(accumulator, scale, zeroPoint, low, high) != Int32(expected)
      }
      #expect(wrong == nil, "\(scale)")
    }
  }

  // MARK: tflm

  /// Known from TensorFlow Lite's documentation and from 2^31 times the number, by hand.
  @Test(arguments: [
    (0.25, 1 << 30, -1), (0.5, 1 << 30, 0), (1, 1 << 30, 1), (0.9, 1_932_735_283, 0),
    (0.3, 1_288_490_189, -1),
    (0, 0, 0), (0x1.ffffffffp-1, 1 << 30, 1), (0x1p-32, 1 << 30, -31), (0x1p-33, 0, 0),
    (3e8, 1_200_000_000, 29),
  ])
  func factors(scale: Double, multiplier: Int32, shift: Int32) {
    let factor = vgr_tflm_multiplier(scale)
    #expect(factor.multiplier == multiplier && factor.shift == shift)
  }

  @Test func scalesBecomeFactors() {
    for scale in Self.scales {
      let (seen, expected) = (vgr_tflm_multiplier(scale), plainFactor(scale))
      #expect(seen.multiplier == expected.multiplier && seen.shift == expected.shift, "\(scale)")
    }
  }

  @Test func doublingHighProducts() {
    for a in Self.edges {
      let wrong = Self.accumulators.first { b in
        vgr_doubling_high_product(a, b) != plainHighProduct(a, b)
      }
      #expect(wrong == nil, "\(a)")
    }
  }

  @Test(arguments: Int32(0)...31) func roundedRightShifts(shift: Int32) {
    let wrong = Self.accumulators.first { value in
      vgr_rounded_right_shift(value, shift) != plainRightShift(value, shift)
    }
    #expect(wrong == nil)
  }

  @Test(arguments: [(0, -128, 127), (-128, -128, 127), (17, 17, 127), (3, -128, 90)])
  func tflm(zeroPoint: Int32, low: Int32, high: Int32) {
    for scale in Self.scales {
      let (factor, plain) = (vgr_tflm_multiplier(scale), plainFactor(scale))
      let wrong = Self.accumulators.first { accumulator in
        let shifted = plain.shift > 0 ? accumulator << plain.shift : accumulator
        let product = plainRightShift(plainHighProduct(shifted, plain.multiplier), max(0, -plain.shift))
        let expected = max(Int64(low), min(Int64(high), Int64(product) + Int64(zeroPoint)))
        return vgr_requantize_tflm(accumulator, factor, zeroPoint, low, high) != Int32(expected)
      }
      #expect(wrong == nil, "\(scale)")
    }
  }

  /// Ties go to the even number, or up in the first rounding and away from zero in the second.
  @Test func theRulesDiffer() {
    #expect(vgr_requantize_tflm(-1, vgr_tflm_multiplier(0.5), 0, -128, 127) == 0)
    #expect(vgr_requantize_tflm(-2, vgr_tflm_multiplier(0.25), 0, -128, 127) == -1)
    #expect(vgr_requantize_litert(-2, 0.25, 0, -128, 127) == 0)
    #expect(vgr_requantize_tflm(10, vgr_tflm_multiplier(0.25), 0, -128, 127) == 3)
    #expect(vgr_requantize_litert(10, 0.25, 0, -128, 127) == 2)
  }
}

/// `frexp`, and 31 bits of the fraction, ties away from zero; nothing where all bits would be shifted out.
private func plainFactor(_ scale: Double) -> (multiplier: Int32, shift: Int32) {
  guard scale > 0 else { return (0, 0) }
  var shift = Int32(scale.exponent) + 1
  var fixed = Int64((scale.significand / 2 * 0x1p31).rounded(.toNearestOrAwayFromZero))
  if fixed == 1 << 31 { (fixed, shift) = (fixed / 2, shift + 1) }
  return shift < -31 ? (0, 0) : (Int32(fixed), shift)
}

/// gemmlowp's definition: a nudge with the sign of the product, then a division towards zero.
private func plainHighProduct(_ a: Int32, _ b: Int32) -> Int32 {
  if a == .min, b == .min { return .max }
  let product = Int64(a) * Int64(b)
  let nudge: Int64 = product >= 0 ? 1 << 30 : 1 - 1 << 30
  return Int32((product + nudge) / (1 << 31))
}

/// Exact in double precision.
private func plainRightShift(_ value: Int32, _ shift: Int32) -> Int32 {
  Int32((Double(value) / Double(Int64(1) << Int64(shift))).rounded(.toNearestOrAwayFromZero))
}
