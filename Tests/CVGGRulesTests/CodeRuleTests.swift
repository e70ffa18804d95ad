import CVGGRules
import TestSupport
import Testing

/// Codes against the standard library's rounding.
@Suite struct CodeRuleTests {
  private static let scales: [Float] = [1, 0.5, 0x1p-20, 0.1, 3, 0.007_874_016, 1e-30, 1e30]

  @Test(arguments: scales, [7, 127]) func valuesGetTheNearestCode(scale: Float, limit: Int32) {
    var random = SeededGenerator(seed: 6)
    let steps = (-1100...1100).map { Float($0) / 8 }
    let values =
      steps.flatMap { [($0 * scale).nextDown, $0 * scale, ($0 * scale).nextUp] }
      + (0..<10_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
      + [
        0, -0.0, .nan, .signalingNaN, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
      ]
    let wrong = values.first { value in
      let quotient = (value / scale).rounded(.toNearestOrEven)
      let expected = quotient.isNaN ? 0 : Int32(max(-Float(limit), min(Float(limit), quotient)))
      return vgr_code_from_f32(value, scale, limit) != expected
    }
    #expect(wrong == nil)
  }

  @Test(arguments: [(-128, 127), (-8, 7)] as [(Int32, Int32)], [-8, -3, 0, 7] as [Int32])
  func codesAreCountedFromTheZeroPoint(range: (least: Int32, most: Int32), zeroPoint: Int32) {
    for value in [Float.nan, -.infinity, .infinity, 0, 0.125, -0.375, 1e9, -1e9, 1.0625, -0.6875] {
      let quotient = (value / 0.25).rounded(.toNearestOrEven)
      let code = quotient.isNaN ? 0 : Double(quotient)
      let expected = max(Double(range.least), min(Double(range.most), code + Double(zeroPoint)))
      #expect(
        vgr_code_from_zero_point(value, 0.25, zeroPoint, range.least, range.most) == Int32(expected))
    }
  }

  @Test(arguments: scales) func codesComeBack(scale: Float) {
    for code in Int32(-128)...127 {
      let value = vgr_f32_from_code(code, scale)
      #expect(value == Float(code) * scale)
      #expect(vgr_code_of_exact(value, scale) == code)
    }
  }

  @Test func halvesGoToTheEvenNumber() {
    let expected: [(Float, Int32)] = [
      (0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (-2.5, -2), (4_194_303.5, 4_194_304),
      (4_194_304, 4_194_304), (-4_194_304, -4_194_304), (-4_194_303.5, -4_194_304),
    ]
    for (value, nearest) in expected { #expect(vgr_nearest(value) == nearest) }
  }

  @Test func twoCodesShareAByte() {
    for first in Int32(-8)...7 {
      for second in Int32(-8)...7 {
        let byte = vgr_nibbles(first, second)
        #expect(
          Int32(Int8(bitPattern: byte << 4) >> 4) == first && Int32(Int8(bitPattern: byte) >> 4) == second)
        #expect(vgr_first_nibble(byte) == first && vgr_second_nibble(byte) == second)
      }
    }
  }
}
