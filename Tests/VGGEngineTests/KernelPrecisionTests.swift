import CVGGKernels
import TestSupport
import Testing

/// Conversions and statistics on every instruction set, against the standard library or one plain line.
@Suite struct KernelPrecisionTests {
  /// Random bit patterns of all kinds, and both sides of every border of half precision and bfloat16; an odd count.
  static let patterns: [UInt32] = {
    var random = SeededGenerator(seed: 11)
    let borders: [UInt32] = [
      0, 1, 0x8000, 0x7F_8000, 0x80_0000, 0x3300_0000, 0x3380_0000, 0x387F_C000, 0x387F_E000, 0x3880_0000,
      0x3880_1000, 0x3880_3000, 0x477F_E000, 0x477F_F000, 0x4780_0000, 0x7F7F_0000, 0x7F7F_8000, 0x7F7F_FFFF,
      0x7F80_0000, 0x7FC0_0000, 0x7FFF_FFFE,
    ]
    let near = borders.flatMap { [$0 &- 1, $0, $0 + 1] }
    let all =
      near + near.map { $0 | 0x8000_0000 } + (0..<3001).map { _ in UInt32(truncatingIfNeeded: random.next()) }
      // The exponents of half precision, which are few among all.
      + (0..<2002).map { _ in 0x3200_0000 + UInt32.random(in: 0..<0x1700_0000, using: &random) }
    return all
  }()

  @Test(arguments: availableISAs)
  func half(isa: VGKISA) {
    let values = Self.patterns.map(Float.init(bitPattern:))
    var halves = [UInt16](repeating: 0, count: values.count)
    var narrowing = VGKNarrowing()
    vgk_f16_from_f32(isa, values, &halves, values.count, &narrowing)
    var expected = VGKNarrowing()
    for (value, half) in zip(values, halves) {
      let plain = plainHalf(value)
      #expect(half == plain, "\(value.bitPattern)")
      count(
        &expected, value, isInfinite: half & 0x7FFF == 0x7C00, magnitude: half & 0x7FFF, smallestNormal: 0x400
      )
    }
    #expect(narrowing.counts == expected.counts)
    #expect(expected.counts.allSatisfy { $0 > 0 })
  }

  @Test(arguments: availableISAs)
  func everyHalfComesBack(isa: VGKISA) {
    let halves = (0...UInt16.max).map { $0 }
    var values = [Float](repeating: 0, count: halves.count)
    vgk_f32_from_f16(isa, halves, &values, halves.count)
    var again = [UInt16](repeating: 0, count: halves.count)
    var narrowing = VGKNarrowing()
    vgk_f16_from_f32(isa, values, &again, values.count, &narrowing)
    for (half, (value, back)) in zip(halves, zip(values, again)) {
      let magnitude = half & 0x7FFF
      if magnitude > 0x7C00 {
        #expect(value.isNaN && back == half | 0x200)
        #expect(value.bitPattern & 0x7F_FFFF == UInt32(half & 0x3FF) << 13)
      } else {
        #expect(abs(value) == plainFloat(magnitude: magnitude) && back == half)
        #expect((value.sign == .minus) == (half & 0x8000 != 0))
      }
    }
  }

  @Test(arguments: availableISAs)
  func bfloat(isa: VGKISA) {
    let values = Self.patterns.map(Float.init(bitPattern:))
    var bfloats = [UInt16](repeating: 0, count: values.count)
    var narrowing = VGKNarrowing()
    vgk_bf16_from_f32(isa, values, &bfloats, values.count, &narrowing)
    var expected = VGKNarrowing()
    for (value, bfloat) in zip(values, bfloats) {
      #expect(bfloat == plainBfloat(value), "\(value.bitPattern)")
      count(
        &expected, value, isInfinite: bfloat & 0x7FFF == 0x7F80, magnitude: bfloat & 0x7FFF,
        smallestNormal: 0x80)
    }
    #expect(narrowing.counts == expected.counts)
    #expect(expected.counts.allSatisfy { $0 > 0 })

    let all = (0...UInt16.max).map { $0 }
    var back = [Float](repeating: 1, count: all.count)
    vgk_f32_from_bf16(isa, all, &back, all.count)
    #expect(back.map(\.bitPattern) == all.map { UInt32($0) << 16 })
  }

  @Test(arguments: availableISAs, [0, 1, 31, 1024, 1025, 3000])
  func nonfinite(isa: VGKISA, count: Int) {
    let values = Self.patterns.suffix(count).enumerated().map { index, pattern in
      index.isMultiple(of: 7) ? Float(bitPattern: pattern | 0x7F80_0000) : Float(bitPattern: pattern)
    }
    #expect(vgk_count_nonfinite_f32(isa, values, count) == values.count { !$0.isFinite })
  }

  @Test(arguments: availableISAs, [1, 3, 8, 17, 64, 131])
  func columns(isa: VGKISA, columnCount: Int) {
    var random = SeededGenerator(seed: UInt64(columnCount))
    let rowCount = 9
    var values = random.values(rowCount * columnCount)
    for row in 0..<rowCount { values[row * columnCount] = 0 }
    if columnCount > 1 { values[1] = .nan }

    var maxima = [Float](repeating: 0, count: columnCount)
    values.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      vgk_absmax_columns_f32(isa, start, 4, columnCount, &maxima)
      vgk_absmax_columns_f32(isa, start + 4 * columnCount, rowCount - 4, columnCount, &maxima)
    }
    for column in 0..<columnCount {
      let magnitudes = (0..<rowCount).map { abs(values[$0 * columnCount + column]) }
      #expect(
        maxima[column] == magnitudes.max() || maxima[column].isNaN && magnitudes.contains(where: \.isNaN))
      maxima[column] = magnitudes.filter { !$0.isNaN }.max() ?? 0
    }

    // Some columns clip, and the column of zeros has the scale 0.
    let scales = maxima.enumerated().map { $1 / ($0.isMultiple(of: 5) ? 200 : 127) }
    var quantized = [Int8](repeating: 99, count: values.count)
    vgk_quantize_columns_s8(isa, values, rowCount, columnCount, scales, &quantized)
    var restored = [Float](repeating: 0, count: values.count)
    vgk_dequantize_columns_s8(isa, quantized, rowCount, columnCount, scales, &restored)
    for index in values.indices {
      let scale = scales[index % columnCount]
      #expect(quantized[index] == plainQuantized(values[index], scale))
      #expect(restored[index] == Float(quantized[index]) * scale)
    }
  }

  @Test(arguments: availableISAs)
  func quantizingRoundsTiesToEven(isa: VGKISA) {
    let values: [Float] = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 127.5, -126.5, -1e30, 1e30, .infinity]
    var quantized = [Int8](repeating: 0, count: values.count)
    vgk_quantize_columns_s8(isa, values, values.count, 1, [1], &quantized)
    #expect(quantized == [0, 2, 2, 0, -2, -2, 126, 127, -126, -127, 127, 127])
  }

  /// The sums of several calls are those of one plain loop, also where values are far beyond the range.
  @Test(arguments: availableISAs, [1, 3, 17, 64, 65, 150])
  func errorsOfScalesAreCounted(isa: VGKISA, columnCount: Int) {
    var random = SeededGenerator(seed: UInt64(columnCount))
    let (rowCount, candidateCount) = (21, 3)
    let values = (0..<rowCount * columnCount).map { _ in Float.random(in: -1...1, using: &random) }
    let least = (0..<columnCount).map { $0 % 2 == 0 ? Float(-127) : -8 }
    let most = least.map { $0 == -127 ? 127 : 7 as Float }
    let reciprocals = (0..<candidateCount * columnCount).map { index in
      most[index % columnCount] * [1, 1.3, 3.4][index / columnCount]
    }
    var errors = [UInt64](repeating: 7, count: candidateCount * columnCount)
    values.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      for rows in [0..<4, 4..<20, 20..<20, 20..<21] {
        vgk_code_errors_f32(
          isa, start + rows.lowerBound * columnCount, rows.count, columnCount, least, most, reciprocals,
          candidateCount, &errors)
      }
    }
    for index in errors.indices {
      let column = index % columnCount
      let expected = (0..<rowCount).reduce(7 as UInt64) { sum, row in
        let steps = values[row * columnCount + column] * reciprocals[index]
        let code = min(max(steps.rounded(.toNearestOrEven), least[column]), most[column])
        let error = ((steps - code) * 64).rounded(.toNearestOrEven)
        return sum + UInt64(Double(error) * Double(error))
      }
      #expect(errors[index] == expected, "candidate \(index / columnCount), column \(column)")
    }
  }

  /// The witness of the errors goes along columns, value after value.
  @Test(arguments: availableISAs)
  func theWitnessCountsTheSameErrors(isa: VGKISA) {
    var random = SeededGenerator(seed: 3)
    for count in [1, 15, 16, 17, 1000] {
      let values = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
      for (least, most) in [(Float(-127), Float(127)), (-7, 7), (-3, 12)] {
        for factor in [Float(1), 1.3, 3.2] {
          let reciprocal = (most - least) / 2 * factor
          var expected: UInt64 = 0
          vgk_code_errors_f32(isa, values, count, 1, [least], [most], [reciprocal], 1, &expected)
          #expect(vgk_witness_error_f32(isa, values, count, reciprocal, least, most) == expected)
        }
      }
    }
  }

  @Test(arguments: availableISAs)
  func extremesAreFound(isa: VGKISA) {
    var random = SeededGenerator(seed: 4)
    for count in [1, 15, 16, 17, 33] {
      var values = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
      func extremes() -> [Float] {
        var (low, high) = (Float.nan, Float.nan)
        vgk_witness_extremes_f32(isa, values, count, &low, &high)
        return [low, high]
      }
      #expect(extremes() == [values.reduce(0, min), values.reduce(0, max)])
      for wrong in [Float.nan, .infinity, -.infinity] {
        let place = Int.random(in: 0..<count, using: &random)
        values[place] = wrong
        #expect(extremes() == [-.infinity, .infinity], "\(wrong) at \(place) of \(count)")
      }
    }
  }

  @Test func theBestInstructionSetIsAvailable() {
    #expect(vgk_isa_is_available(vgk_best_isa()))
    #expect(availableISAs.contains(.portable))
    #expect(availableISAs.map { String(cString: vgk_isa_name($0)) }.first == "portable")
  }
}

extension VGKNarrowing {
  fileprivate var counts: [Int] { [overflowCount, subnormalCount, underflowCount] }
}

/// Counts what one narrowing lost, seen from its result.
private func count(
  _ narrowing: inout VGKNarrowing, _ value: Float, isInfinite: Bool, magnitude: UInt16, smallestNormal: UInt16
) {
  if value.isFinite && isInfinite { narrowing.overflowCount += 1 }
  if magnitude > 0 && magnitude < smallestNormal { narrowing.subnormalCount += 1 }
  if value != 0 && magnitude == 0 { narrowing.underflowCount += 1 }
}

/// Half precision by arithmetic: the multiple of the unit in the last place that is nearest, ties to even.
private func plainHalf(_ value: Float) -> UInt16 {
  let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
  if value.isNaN { return sign | 0x7E00 | UInt16(value.bitPattern >> 13 & 0x3FF) }
  let magnitude = Double(abs(value))
  if magnitude >= 65520 { return sign | 0x7C00 }
  // In the subnormal range the unit stays that of the smallest normal: 2^-24.
  let exponent = magnitude < 0x1p-14 ? -14 : Int(magnitude.exponent)
  let units = (magnitude / Double(sign: .plus, exponent: exponent - 10, significand: 1))
    .rounded(.toNearestOrEven)
  return sign | UInt16(Int(units) + (exponent + 14) * 1024)
}

/// The value of a finite half, or infinity, by arithmetic.
private func plainFloat(magnitude: UInt16) -> Float {
  let exponent = Int(magnitude >> 10)
  let fraction = Float(magnitude & 0x3FF)
  if exponent == 31 { return .infinity }
  if exponent == 0 { return fraction * 0x1p-24 }
  return Float(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
}

/// bfloat16: of the two neighbours the nearer one, of equals the even one.
private func plainBfloat(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let below = UInt16(bits >> 16)
  if value.isNaN { return below | 0x40 }
  if value.isInfinite { return below }
  let rest = bits & 0xFFFF
  return rest > 0x8000 || (rest == 0x8000 && below & 1 == 1) ? below + 1 : below
}

private func plainQuantized(_ value: Float, _ scale: Float) -> Int8 {
  let quotient = (value / scale).rounded(.toNearestOrEven)
  return quotient.isNaN ? 0 : Int8(max(-127, min(127, quotient)))
}
