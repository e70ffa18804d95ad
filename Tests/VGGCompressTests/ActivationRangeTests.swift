import Foundation
import TestSupport
import Testing
import VGGModel

@testable import VGGCompress

/// The range that a rule makes of values, and the integers that cover it.
@Suite struct ActivationRangeTests {
  // MARK: Integers

  @Test(
    arguments: [
      (0, 6, -128, 6.0 / 255), (0, 1, -128, 1.0 / 255),
      // Both ends give -0.5; the upper one's terms are smaller, and halves are rounded away from zero.
      (-1, 1, -1, 2.0 / 255), (-3, 0, 127, 3.0 / 255),
      (-1, 3, -64, 4.0 / 255), (-123.68, 151.061, -13, 274.741 / 255),
      (0, 0, -128, 1),
      // Zero is always among the values.
      (2, 5, -128, 5.0 / 255), (-5, -2, 127, 5.0 / 255),
    ] as [(Float, Float, Int8, Double)])
  func integersFollowTFLite(_ low: Float, _ high: Float, _ zeroPoint: Int8, _ scale: Double) throws {
    let quantization = try #require(
      ActivationQuantization(covering: ActivationRange(low: low, high: high)))
    #expect(quantization.zeroPoint == zeroPoint)
    #expect((Double(quantization.scale) / scale - 1).magnitude < 1e-7)
  }

  @Test func theEndsMoveByHalfAStepAtMost() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<1000 {
      let range = ActivationRange(
        low: -Float.random(in: 0...10, using: &generator),
        high: Float.random(in: 0.01...10, using: &generator))
      let integers = try #require(ActivationQuantization(covering: range))
      let (scale, zero) = (Double(integers.scale), Double(integers.zeroPoint))
      #expect(((-128 - zero) * scale - Double(range.low)).magnitude <= scale * 0.50001)
      #expect(((127 - zero) * scale - Double(range.high)).magnitude <= scale * 0.50001)
    }
  }

  @Test func scalesDoNotUnderflow() {
    let least = 255 * Float.leastNormalMagnitude
    #expect(ActivationQuantization(covering: ActivationRange(low: 0, high: least)) != nil)
    #expect(ActivationQuantization(covering: ActivationRange(low: 0, high: least.nextDown)) == nil)
    #expect(ActivationQuantization(covering: ActivationRange(low: 0, high: .leastNonzeroMagnitude)) == nil)
    let all = ActivationRange(low: -.greatestFiniteMagnitude, high: .greatestFiniteMagnitude)
    #expect(ActivationQuantization(covering: all)?.scale.isFinite == true)
  }

  // MARK: Rules

  private static let rules: [ActivationRangeRule] = [
    .minMax, .percentile(99), .percentile(90), .meanSquaredError, .entropy,
  ]

  @Test func rulesHaveNames() {
    for rule in Self.rules + [.standardPercentile] { #expect(ActivationRangeRule(rule.description) == rule) }
    #expect(ActivationRangeRule("percentile") == .percentile(99.99))
    for text in ["", "minmax", "percentile 49", "percentile 101", "percentile nan", "percentile ", "kl 3"] {
      #expect(ActivationRangeRule(text) == nil, "\(text)")
    }
  }

  @Test(arguments: rules) func aConstantIsKept(_ rule: ActivationRangeRule) throws {
    let positive = try ActivationHistogramTests.histogram(Array(repeating: 3.3, count: 100))
    #expect(positive.range(by: rule) == ActivationRange(low: 0, high: 3.3))
    let negative = try ActivationHistogramTests.histogram([-0.1, -0.1])
    #expect(negative.range(by: rule) == ActivationRange(low: -0.1, high: 0))
    let zeros = try ActivationHistogramTests.histogram([0, 0])
    #expect(zeros.range(by: rule) == ActivationRange(low: 0, high: 0))
    #expect(ActivationHistogram().range(by: rule) == ActivationRange(low: 0, high: 0))
  }

  @Test func outliersAreClipped() throws {
    // One of ten thousand is far away, as is usual behind a ReLU.
    var generator = SeededGenerator(seed: 9)
    var values = (0..<9999).map { _ in Float.random(in: 0...1, using: &generator) }
    values.append(1000)
    let histogram = try ActivationHistogramTests.histogram(values)
    #expect(histogram.range(by: .minMax).high == 1000)
    let range = histogram.range(by: .standardPercentile)
    #expect(range.high >= 1 && range.high < 1.2 && histogram.count(outside: range) == 1)
    // A percentile of 100 clips nothing, and numbers beyond are as good as that.
    for percentile in [100, 1e9] {
      #expect(histogram.range(by: .percentile(percentile)) == histogram.range(by: .minMax))
    }
  }

  @Test func theLogarithmIsTheLibrarys() {
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<10_000 {
      let value =
        Double.random(in: 1...2, using: &generator)
        * Double(sign: .plus, exponent: Int.random(in: -60...60, using: &generator), significand: 1)
      let (ours, library) = (Divergence.naturalLogarithm(value), Foundation.log(value))
      #expect((ours - library).magnitude <= 2 * max(library.ulp, Double.ulpOfOne / 8), "\(value)")
    }
    #expect(Divergence.naturalLogarithm(1) == 0)
  }

  /// The rules of the documentation, written with NumPy.
  private static let program = """
    import sys
    import numpy as np
    x = np.fromfile('values.f32', '<f4').astype(np.float64)
    low, high = min(x.min(), 0), max(x.max(), 0)
    width = 2.0 ** (int(np.floor(np.log2(np.abs(x).max()))) + 1) / 8192
    bins = np.zeros(16384, np.int64)
    index = np.floor(np.abs(x) / width).astype(np.int64)
    np.add.at(bins, np.where(x > 0, 8192 + index, 8191 - index)[x != 0], 1)
    sides = {'negative': bins[:8192][::-1], 'positive': bins[8192:]}
    def show(name, negative, positive):
        print(name, repr(float(np.float32(max(low, -negative * width)))), repr(float(np.float32(min(high, positive * width)))))
    def percentile(p):
        part = (100 - p) / 100 / (2 if x.min() < 0 < x.max() else 1)
        allowed = int(len(x) * part)
        ends = []
        for side in sides.values():
            beyond = np.cumsum(side[::-1])[::-1]  # the values from each bin on
            ends.append(int((beyond > allowed).sum()))
        show(f'percentile {p}', *ends)
    def quantized(v, a, b):
        s = (b - a) / 255
        z = -128 - a / s if 128 + abs(a / s) < 127 + abs(b / s) else 127 - b / s
        z = min(max(np.floor(abs(z) + 0.5) * np.sign(z), -128), 127)
        s = float(np.float32(s))
        return (np.clip(np.rint(v / s) + z, -128, 127) - z) * s
    def mse():
        used = [int(np.max(np.nonzero(s)[0], initial=-1)) + 1 for s in sides.values()]
        centre = np.clip((np.arange(16384) - 8192 + 0.5) * width, x.min(), x.max())
        best = None
        for k in range(128, 0, -1):
            n, p = [-(-u * k // 128) for u in used]
            a, b = float(np.float32(max(low, -n * width))), float(np.float32(min(high, p * width)))
            error = (bins * (centre - quantized(centre, a, b)) ** 2).sum()
            if best is None or error < best[0] * (1 - 1e-12): best = (error, n, p)
        show('mse', *best[1:])
    def smooth(p):
        empty = p == 0
        loss = 0.0001 * empty.sum() / (~empty).sum()
        if (p[~empty] <= loss).any(): return None
        return np.where(empty, 0.0001, p - loss)
    def kl():
        m = (sides['negative'] + sides['positive']).reshape(2048, 4).sum(1).astype(float)
        end = int(np.nonzero(m)[0].max()) + 1
        best = (np.inf, end)
        for i in range(128, end + 1):
            p = m[:i].copy()
            p[-1] += m[i:].sum()
            level = np.minimum(np.arange(i) // (i // 128), 127)
            filled = np.bincount(level, p != 0, 128)
            share = np.bincount(level, m[:i], 128) / np.maximum(filled, 1)
            q = np.where(p != 0, share[level], 0)
            if not q.any(): continue
            p, q = smooth(p), smooth(q)
            if p is None or q is None: continue
            p, q = p / p.sum(), q / q.sum()
            d = (p * np.log(p / q)).sum()
            if d < best[0] - 1e-13: best = (d, i)
        show('kl', best[1] * 4, best[1] * 4)
    print('min-max', repr(float(low)), repr(float(high)))
    percentile(99.0)
    percentile(90.0)
    mse()
    kl()
    """

  @Test(.enabled(if: pythonInterpreter != nil), arguments: ["relu", "normal", "long tail", "negative"])
  func rulesGiveWhatNumPyGives(_ kind: String) throws {
    var generator = SeededGenerator(seed: 11)
    let values = (0..<20_000).map { _ -> Float in
      let normal = (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0...1, using: &generator) }
      switch kind {
      case "relu": return max(0, normal * 7)
      case "normal": return normal + 0.3
      case "long tail": return normal * normal * normal * 0.01
      default: return -normal.magnitude
      }
    }
    let lines = try withTemporaryFolder { folder in
      try values.withUnsafeBytes { Data($0) }.write(to: URL(filePath: "\(folder)/values.f32"))
      let process = try CommandProcess.run(
        try #require(pythonInterpreter), ["-c", Self.program], in: folder,
        environment: ProcessInfo.processInfo.environment)
      #expect(process.status == 0, "\(process.errors)")
      return process.output.split(separator: "\n").map { $0.split(separator: " ") }
    }
    let histogram = try ActivationHistogramTests.histogram(values)
    #expect(lines.count == Self.rules.count)
    for (rule, line) in zip(Self.rules, lines) {
      #expect(line.dropLast(2).joined(separator: " ") == rule.description)
      let range = histogram.range(by: rule)
      #expect(Float(line[line.count - 2]) == range.low, "\(rule)")
      #expect(Float(line[line.count - 1]) == range.high, "\(rule)")
    }
  }
}
