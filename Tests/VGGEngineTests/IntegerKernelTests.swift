import CVGGKernels
import CVGGRules
import TestSupport
import Testing

/// The instruction sets for layers of integers that this machine can run.
let availableIntegerISAs = [VGKISA.portable, .neon, .neonDot, .avx2, .avxVnni, .avx512, .avx512Vnni]
  .filter(vgk_isa_is_available)

/// The kernels of integers: every instruction set and every split gives the bits of the reference.
@Suite struct IntegerKernelTests {
  @Test(arguments: availableIntegerISAs, [VGKRounding.litert, .tflm])
  func directConvolution(isa: VGKISA, rounding: VGKRounding) {
    var random = SeededGenerator(seed: 71)
    for _ in 0..<12 {
      let layer = IntegerKernelLayer(shape: .random(kernel: 1...4, &random), rounding, &random)
      #expect(layer.direct(isa, threads: random.number(1...3)) == layer.reference())
    }
  }

  @Test(arguments: availableIntegerISAs, [VGKRounding.litert, .tflm])
  func winogradConvolution(isa: VGKISA, rounding: VGKRounding) {
    var random = SeededGenerator(seed: 72)
    for _ in 0..<12 {
      let layer = IntegerKernelLayer(shape: .random(kernel: 3...3, &random), rounding, &random)
      #expect(layer.winograd(isa, threads: random.number(1...3), pooling: nil) == layer.reference())
    }
  }

  /// The pooling that follows rounds its output size down or up.
  @Test(arguments: availableIntegerISAs, [0, 1])
  func fusedPooling(isa: VGKISA, roundedUp: Int) {
    var random = SeededGenerator(seed: 73)
    for rounding in [VGKRounding.litert, .tflm] {
      for _ in 0..<6 {
        let layer = IntegerKernelLayer(shape: .random(kernel: 3...3, &random), rounding, &random)
        let pooling = layer.halvingPooling(roundedUp: roundedUp)
        #expect(layer.winograd(isa, threads: 2, pooling: pooling) == layer.reference(pooling: pooling))
      }
    }
  }

  /// Sums as large as those of a VGG with the largest codes and weights, of either sign.
  @Test(arguments: availableIntegerISAs, [Int8(-127), 127])
  func extremes(isa: VGKISA, weight: Int8) {
    var random = SeededGenerator(seed: 74)
    let shape = VGKConvolutionShape.square3x3(side: 5, inputChannels: 512, outputChannels: 17)
    for code in [Int8.min, Int8.max] {
      var layer = IntegerKernelLayer(shape: shape, .tflm, &random)
      layer.input = layer.input.map { _ in code }
      layer.weights = layer.weights.map { _ in weight }
      let expected = layer.reference()
      #expect(layer.direct(isa, threads: 2) == expected)
      #expect(layer.winograd(isa, threads: 2, pooling: nil) == expected)
    }
  }

  /// 255 * 127 * 9 * 1841 < 2^29 <= 255 * 127 * 9 * 1842.
  @Test func winogradIsRefusedWhereSumsAreTooLarge() {
    for (channels, isExact) in [(1841, true), (1842, false)] {
      let shape = VGKConvolutionShape.square3x3(side: 4, inputChannels: channels, outputChannels: 1)
      let weights = [Int8](repeating: 127, count: 9 * channels)
      #expect(withUnsafePointer(to: shape) { vgk_integer_winograd_is_exact($0, -128, weights) } == isExact)
    }
  }

  @Test(arguments: availableIntegerISAs, [1, 2, 13])
  func denseLayer(isa: VGKISA, rowCount: Int) {
    var random = SeededGenerator(seed: 75)
    for rounding in [VGKRounding.litert, .tflm] {
      for zeroPoint in [Int32(-128), 0, 57] {
        let inputCount = random.number(1...700), outputCount = random.number(1...300)
        let input = random.codes(rowCount * inputCount).map { $0 < 0 ? Int8(zeroPoint) : $0 }
        let weights = random.codes(inputCount * outputCount), bias = random.biases(outputCount)
        let factors = IntegerKernelFactors(rounding, channels: outputCount, terms: inputCount, &random)
        var output = [Int8](repeating: 0, count: rowCount * outputCount), expected = output
        var sums = [Int32](repeating: 0, count: rowCount * outputCount), expectedSums = sums
        let split = random.number(0...outputCount)
        factors.withRequantization { requantization in
          vgk_reference_integer_dense(
            rowCount, inputCount, outputCount, input, zeroPoint, weights, bias, requantization, &expected, 0,
            outputCount)
          for columns in [split..<outputCount, 0..<split] {
            vgk_integer_dense(
              isa, rowCount, inputCount, outputCount, input, zeroPoint, weights, bias, requantization,
              &output,
              columns.lowerBound, columns.upperBound)
            vgk_integer_dense_accumulators(
              isa, rowCount, inputCount, outputCount, input, zeroPoint, weights, bias, &sums,
              columns.lowerBound,
              columns.upperBound)
          }
        }
        vgk_reference_integer_dense_accumulators(
          rowCount, inputCount, outputCount, input, zeroPoint, weights, bias, &expectedSums, 0, outputCount)
        #expect(output == expected)
        #expect(sums == expectedSums)
      }
    }
  }

  @Test(arguments: availableIntegerISAs, [VGKPooling.maximum, .average])
  func pooling(isa: VGKISA, kind: VGKPooling) {
    var random = SeededGenerator(seed: 76)
    for channels in [1, 5, 64, 130] {
      // Windows reach into the padding, and, since the size is rounded up, beyond it.
      let shape = VGKPoolingShape(
        inputHeight: 7, inputWidth: 9, channels: channels, outputHeight: 4, outputWidth: 5, kernelHeight: 3,
        kernelWidth: 2, strideHeight: 2, strideWidth: 2, paddingHeight: 1, paddingWidth: 0)
      let input = random.codes(2 * 7 * 9 * channels)
      var output = [Int8](repeating: 0, count: 2 * 4 * 5 * channels), expected = output
      withUnsafePointer(to: shape) {
        vgk_reference_integer_pooling($0, kind, input, &expected, 0, 8)
        vgk_integer_pooling(isa, $0, kind, input, &output, 3, 8)
        vgk_integer_pooling(isa, $0, kind, input, &output, 0, 3)
      }
      #expect(output == expected)
    }
  }

  /// Ties go to even, and what is not a number to the zero point.
  @Test(arguments: availableIntegerISAs) func conversions(isa: VGKISA) {
    let values: [Float] =
      [0, 0.25, 0.75, -0.25, -0.75, 1.1, 1000, -1000, .nan, .infinity] + Array(repeating: 0.5, count: 30)
    var codes = [Int8](repeating: 0, count: values.count), decoded = values
    vgk_integer_quantize(isa, values, values.count, 0.5, 3, &codes)
    #expect(codes == [3, 3, 5, 3, 1, 5, 127, -128, 3, 127] + Array(repeating: 4, count: 30))
    vgk_integer_dequantize(isa, codes, codes.count, 0.5, 3, &decoded)
    #expect(decoded == codes.map { Float(Int($0) - 3) * 0.5 })
  }
}
