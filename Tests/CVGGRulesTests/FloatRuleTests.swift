import CVGGRules
import TestSupport
import Testing

/// The types of 16 bits against the standard library and plain arithmetic: every bit pattern, and every border.
@Suite struct FloatRuleTests {
  /// All numbers of binary16 and bfloat16, what lies halfway between neighbours, one bit to each side, and others.
  private static let patterns: [UInt32] = {
    var patterns: [UInt32] = []
    for bits in (0...UInt16.max).lazy.map({ $0 }) {
      let (half, bfloat) = (Float(Float16(bitPattern: bits)).bitPattern, UInt32(bits) << 16)
      // Below binary16's normal numbers its unit is 2^-24, wherever the float32 stands.
      let between = (Float(bitPattern: half & 0x7FFF_FFFF) + 0x1p-25).bitPattern | half & 0x8000_0000
      for centre in [half, half &+ 0x1000, between, bfloat, bfloat &+ 0x8000] {
        patterns += [centre &- 1, centre, centre &+ 1]
      }
    }
    var random = SeededGenerator(seed: 5)
    return patterns + (0..<100_000).map { _ in UInt32(truncatingIfNeeded: random.next()) }
  }()

  @Test func toHalf() {
    let wrong = Self.patterns.first { bits in
      let value = Float(bitPattern: bits)
      let sign = UInt16(bits >> 16 & 0x8000)
      let expected =
        value.isNaN ? sign | 0x7E00 | UInt16(bits >> 13 & 0x3FF) : Float16(value).bitPattern
      return vgr_f16_from_f32(bits) != expected
    }
    #expect(wrong == nil)
  }

  @Test func fromHalf() {
    let wrong = (0...UInt16.max).first { half in
      let value = Float16(bitPattern: half)
      let expected =
        value.isNaN
        ? UInt32(half & 0x8000) << 16 | 0x7F80_0000 | UInt32(half & 0x3FF) << 13 : Float(value).bitPattern
      return vgr_f32_from_f16(half) != expected
    }
    #expect(wrong == nil)
  }

  @Test func toBfloat() {
    let wrong = Self.patterns.first { bits in vgr_bf16_from_f32(bits) != plainBfloat(bits) }
    #expect(wrong == nil)
  }

  @Test func allPatternsComeBack() {
    let wrong = (0...UInt16.max).first { bits in
      vgr_f16_of_exact(vgr_f32_from_f16(bits)) != bits || vgr_bf16_of_exact(vgr_f32_from_bf16(bits)) != bits
        || vgr_f32_from_bf16(bits) != UInt32(bits) << 16
    }
    #expect(wrong == nil)
  }

  @Test func nothingElseComesBack() {
    let inexact = Self.patterns.filter { $0 & 0x1FFF != 0 && $0 & 0x7F80_0000 >= 0x3880_0000 }
    #expect(inexact.count > 100_000)
    #expect(inexact.allSatisfy { vgr_f32_from_f16(vgr_f16_of_exact($0)) != $0 })
    #expect(inexact.allSatisfy { vgr_f32_from_bf16(vgr_bf16_of_exact($0)) != $0 })
  }
}

/// The nearer one of the two neighbours, by their distances in double precision; the even one of two that are as near.
private func plainBfloat(_ bits: UInt32) -> UInt16 {
  let below = UInt16(bits >> 16)
  let value = Float(bitPattern: bits)
  if value.isNaN { return below | 0x40 }
  if value.isInfinite { return below }
  // The neighbour of the largest finite number stands where the next one would, at 2^128.
  func number(_ bfloat: UInt16) -> Double {
    let number = Double(Float(bitPattern: UInt32(bfloat & 0x7FFF) << 16))
    return number.isInfinite ? 0x1p128 : number
  }
  let (toBelow, toAbove) = (
    Double(value.magnitude) - number(below), number(below + 1) - Double(value.magnitude)
  )
  if toBelow == toAbove { return below % 2 == 0 ? below : below + 1 }
  return toBelow < toAbove ? below : below + 1
}
