import CVGGKernels
import TestSupport
import Testing

/// The fast path against the reference path, on every instruction set, over shapes that fit neither vectors nor tiles.
@Suite struct FastKernelTests {
  /// The largest error, in units of the largest output, for outputs per tile: random values without structure.
  static let tolerances = [4: 1e-5, 5: 3e-5, 6: 6e-5, 7: 2e-4]

  @Test(arguments: availableISAs, [4, 5, 6, 7])
  func winograd(isa: VGKISA, tile: Int) {
    for seed in 0..<5 {
      var random = SeededGenerator(seed: UInt64(seed * 10 + tile))
      let layer = KernelLayer(&random, kernel: 3, extent: 1...17, inputs: 1...37, outputs: 1...70)
      let expected = layer.reference()
      let output = layer.winograd(isa, tile: tile, threads: 1)
      let error = largestError(output, expected)
      #expect(error <= Self.tolerances[tile] ?? 0, "\(layer.shape)")
      // However the work is cut, and image by image, the bits are the same.
      #expect(sameBits(output, layer.winograd(isa, tile: tile, threads: 3)))
      for image in 0..<layer.batch {
        let alone = layer.image(image)
        let count = output.count / layer.batch
        #expect(
          sameBits(
            alone.winograd(isa, tile: tile, threads: 1), Array(output[image * count..<(image + 1) * count])))
      }
    }
  }

  @Test(arguments: availableISAs, [4, 5, 6, 7])
  func winogradWithPooling(isa: VGKISA, tile: Int) {
    for (seed, roundsUp) in [(1, true), (2, false), (3, true)] {
      var random = SeededGenerator(seed: UInt64(seed * 10 + tile))
      let layer = KernelLayer(&random, kernel: 3, extent: 2...19, inputs: 1...9, outputs: 1...40)
      let pooling = layer.pooling(roundsUp: roundsUp)
      let unpooled = layer.reference()
      var expected = [Float](
        repeating: 0,
        count: layer.batch * pooling.outputHeight * pooling.outputWidth * pooling.channels)
      withUnsafePointer(to: pooling) {
        vgk_reference_pooling($0, .maximum, unpooled, &expected, 0, layer.batch * pooling.outputHeight)
      }
      let output = layer.winograd(isa, tile: tile, threads: 2, pooling: pooling)
      let error = largestError(output, expected)
      #expect(error <= Self.tolerances[tile] ?? 0, "\(layer.shape)")
      // Fused or not, the same bits.
      let apart = layer.winograd(isa, tile: tile, threads: 2)
      #expect(sameBits(output, pooled(apart, pooling, .maximum, batch: layer.batch, isa)))
    }
  }

  /// The error that the header states, for He-scaled weights and inputs after ReLU.
  @Test(arguments: [(4, 1.5e-6), (5, 5e-6), (6, 1.3e-5), (7, 3.5e-5)])
  func winogradAccuracy(tile: Int, bound: Double) {
    var random = SeededGenerator(seed: 1)
    var layer = KernelLayer(&random, kernel: 3, extent: 14...14, inputs: 32...32, outputs: 32...32)
    let scale = Float((6.0 / (9 * 32)).squareRoot())
    layer.weights = layer.weights.map { $0 * scale }
    layer.input = layer.input.map { max(0, $0) }
    let error = largestError(layer.winograd(vgk_best_isa(), tile: tile, threads: 1), layer.reference())
    #expect(error <= bound)
  }

  @Test func winogradPaysForLargeLayersOnly() {
    var shape = VGKConvolutionShape()
    (shape.inputHeight, shape.inputWidth, shape.outputHeight, shape.outputWidth) = (56, 56, 56, 56)
    (shape.kernelHeight, shape.kernelWidth, shape.strideHeight, shape.strideWidth) = (3, 3, 1, 1)
    (shape.paddingHeight, shape.paddingWidth, shape.dilationHeight, shape.dilationWidth) = (1, 1, 1, 1)
    (shape.inputChannels, shape.outputChannels) = (256, 256)
    #expect(vgk_fast_winograd_best_tile(&shape, false, 7) == 7)
    #expect(vgk_fast_winograd_best_tile(&shape, false, 4) == 4)
    shape.inputChannels = 3
    #expect(vgk_fast_winograd_best_tile(&shape, false, 7) == 0)
    shape.inputChannels = 256
    (shape.outputHeight, shape.outputWidth) = (1, 1)
    #expect(vgk_fast_winograd_best_tile(&shape, false, 7) == 0)
    (shape.outputHeight, shape.outputWidth, shape.dilationWidth) = (56, 56, 2)
    #expect(vgk_fast_winograd_best_tile(&shape, false, 7) == 0)
  }

  @Test(arguments: availableISAs, 0..<16)
  func direct(isa: VGKISA, seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let kernel = [1, 3, 3, 4][seed % 4]
    var layer = KernelLayer(&random, kernel: kernel, extent: 1...19, inputs: 1...50, outputs: 1...70)
    let isPlain = seed % 8 < 4
    if kernel == 1 && isPlain {
      (layer.shape.paddingHeight, layer.shape.paddingWidth) = (0, 0)
      (layer.shape.outputHeight, layer.shape.outputWidth) = (layer.shape.inputHeight, layer.shape.inputWidth)
    } else if !isPlain {
      layer.shape.strideHeight = random.number(1...2)
      layer.shape.strideWidth = random.number(1...3)
      layer.shape.dilationHeight = random.number(1...2)
      layer.shape.dilationWidth = random.number(1...2)
    }
    let expected = layer.reference()
    for padsChannels in [true, false] {
      let output = layer.direct(isa, padsChannels: padsChannels)
      let error = largestError(output, expected)
      #expect(error <= 2e-6, "\(layer.shape)")
    }
  }

  @Test(arguments: availableISAs, [(1, 5, 3), (1, 700, 301), (2, 300, 33), (7, 40, 32), (17, 530, 70)])
  func dense(isa: VGKISA, sizes: (rows: Int, inputs: Int, outputs: Int)) {
    var random = SeededGenerator(seed: 5)
    let (rows, inputs, outputs) = sizes
    let input = random.values(rows * inputs).map { max(0, $0) }
    let weights = random.values(inputs * outputs)
    let bias = random.values(outputs)
    let output = outputInParts(elementCount: rows * outputs, rangeCount: outputs) { output, start, end in
      vgk_fast_dense(isa, rows, inputs, outputs, input, weights, bias, true, output, start, end)
    }
    var expected = [Float](repeating: 0, count: rows * outputs)
    vgk_reference_dense(isa, rows, inputs, outputs, input, weights, bias, true, &expected, 0, outputs)
    #expect(largestError(output, expected) <= 1e-6)
    var whole = expected
    vgk_fast_dense(isa, rows, inputs, outputs, input, weights, bias, true, &whole, 0, outputs)
    #expect(sameBits(output, whole))
    // The first row does not know of the others.
    vgk_fast_dense(isa, 1, inputs, outputs, input, weights, bias, true, &whole, 0, outputs)
    #expect(sameBits(Array(output.prefix(outputs)), Array(whole.prefix(outputs))))
  }

  /// A chunk of inputs gives the same sums as a whole layer does, however the chunk is cut.
  @Test(arguments: availableISAs, [(1, 256, 70), (1, 100, 5), (3, 200, 33), (17, 256, 40)])
  func denseInPieces(isa: VGKISA, sizes: (rows: Int, inputs: Int, outputs: Int)) {
    var random = SeededGenerator(seed: 7)
    let (rows, inputs, outputs) = sizes
    let input = random.values(rows * inputs).map { max(0, $0) }
    let weights = random.values(inputs * outputs)
    var expected = [Float](repeating: .nan, count: rows * outputs)
    vgk_fast_dense(isa, rows, inputs, outputs, input, weights, nil, false, &expected, 0, outputs)
    for length in [1, 7, 16, inputs] {
      var sums = [Float](repeating: 0, count: rows * outputs)
      for start in stride(from: 0, to: inputs, by: length) {
        let end = min(start + length, inputs)
        vgk_fast_dense_add(
          isa, rows, end - start, inputs, outputs, Array(input[start...]),
          Array(weights[start * outputs..<end * outputs]), &sums)
      }
      #expect(sameBits(sums, expected), "\(length)")
    }
  }

  @Test(arguments: availableISAs)
  func notANumberIsNotLost(isa: VGKISA) {
    var random = SeededGenerator(seed: 6)
    var layer = KernelLayer(&random, kernel: 3, extent: 6...6, inputs: 16...16, outputs: 16...16)
    layer.input[layer.input.count / 2] = .nan
    #expect(layer.direct(isa, padsChannels: true).contains { $0.isNaN })
    #expect(
      layer.winograd(isa, tile: 4, threads: 1, pooling: layer.pooling(roundsUp: true)).contains { $0.isNaN })
    var output: [Float] = [0, 0]
    vgk_fast_dense(isa, 1, 2, 2, [0, .nan], [1, 1, 1, 1], nil, true, &output, 0, 2)
    #expect(output.allSatisfy { $0.isNaN })
  }

  @Test(arguments: availableISAs, [VGKPooling.maximum, .average])
  func pooling(isa: VGKISA, kind: VGKPooling) {
    for seed in 0..<6 {
      var random = SeededGenerator(seed: UInt64(seed))
      var s = VGKPoolingShape()
      s.inputHeight = random.number(3...8)
      s.inputWidth = random.number(3...8)
      s.channels = random.number(1...40)
      (s.kernelHeight, s.kernelWidth) = (random.number(2...3), random.number(2...3))
      (s.strideHeight, s.strideWidth) = (random.number(1...3), random.number(1...3))
      (s.paddingHeight, s.paddingWidth) = (random.number(0...1), random.number(0...1))
      s.outputHeight = (s.inputHeight - 1) / s.strideHeight + 1
      s.outputWidth = (s.inputWidth - 1) / s.strideWidth + 1
      var input = random.values(2 * s.inputHeight * s.inputWidth * s.channels)
      if kind == .maximum { input[input.count / 3] = .nan }
      var expected = [Float](repeating: 0, count: 2 * s.outputHeight * s.outputWidth * s.channels)
      vgk_reference_pooling(&s, kind, input, &expected, 0, 2 * s.outputHeight)
      let output = pooled(input, s, kind, batch: 2, isa)
      if kind == .maximum {
        #expect(zip(output, expected).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
      } else {
        #expect(largestError(output, expected) <= 1e-6)
      }
    }
  }
}
