import CVGGRules
import TestSupport
import Testing

/// The factor of a normalisation against the standard library's roots, which the processor rounds correctly.
@Suite struct NormalizationRuleTests {
  @Test func rootsAreRoundedCorrectly() {
    var random = SeededGenerator(seed: 16)
    let special: [Double] = [
      0, -0.0, 1, 2, 4, 0.25, 3, -1, .infinity, -.infinity, .nan, .leastNonzeroMagnitude,
      .leastNormalMagnitude,
      .leastNormalMagnitude.nextDown, .greatestFiniteMagnitude, 1.0.nextUp, 1.0.nextDown, 4.0.nextUp,
      4.0.nextDown,
    ]
    let anywhere = (0..<20_000).map { _ in Double(bitPattern: random.next()) }
    let subnormal = (0..<2_000).map { _ in Double(bitPattern: random.next() >> (12 + random.next() % 52)) }
    /// Around squares, whose roots are close to what rounds the other way.
    let squares = (0..<2_000).flatMap { _ in
      let root = Double.random(in: 1..<4, using: &random)
      return [root * root, (root * root).nextUp, (root * root).nextDown]
    }
    for value in special + anywhere + subnormal + squares {
      let (root, expected) = (vgr_square_root(value), value.squareRoot())
      #expect(root.bitPattern == expected.bitPattern || (root.isNaN && expected.isNaN), "\(value)")
    }
  }

  @Test(arguments: 1...16 as ClosedRange<Int32>) func powersAreProductsOfRoots(quarters: Int32) {
    for base in [2, 1.000_325, 17.25, 1e-8, 1e60] as [Double] {
      var expected = 1.0
      for _ in 0..<quarters / 4 { expected *= base }
      if quarters & 2 != 0 { expected *= base.squareRoot() }
      if quarters & 1 != 0 { expected *= base.squareRoot().squareRoot() }
      #expect(vgr_power_of_quarters(base, quarters) == expected)
    }
  }

  @Test func factorsAreFinite() {
    #expect(vgr_normalization_factor(2, 0, 3, 4, 100) == 1.5)
    #expect(vgr_normalization_factor(0, 1e-300, 1, 16, 1) == .greatestFiniteMagnitude)
    #expect(vgr_normalization_factor(0, 1, -1, 4, 0) == -.greatestFiniteMagnitude)
    #expect(vgr_normalization_factor(-1, 0, 1, 3, 0) == 0)
    #expect(vgr_normalization_factor(0, 1, 0, 4, 0) == 0)
  }
}
