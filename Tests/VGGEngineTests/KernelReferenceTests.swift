import CVGGKernels
import Foundation
import TestSupport
import Testing

/// The reference path against loops that only say what is meant. Both add the same numbers in the same order in double,
/// so that they must agree bit for bit, whatever the instruction set and the split.
@Suite struct KernelReferenceTests {
  @Test(arguments: availableISAs, 0..<24)
  func convolution(isa: VGKISA, seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    var s = VGKConvolutionShape()
    let batch = random.number(1...2)
    s.inputHeight = random.number(3...7)
    s.inputWidth = random.number(3...17)
    s.inputChannels = random.number(1...5)
    s.outputChannels = random.number(1...70)
    s.kernelHeight = random.number(1...3)
    s.kernelWidth = random.number(1...4)
    s.strideHeight = random.number(1...2)
    s.strideWidth = random.number(1...3)
    s.paddingHeight = random.number(0...2)
    s.paddingWidth = random.number(0...3)
    s.dilationHeight = random.number(1...2)
    s.dilationWidth = random.number(1...2)
    s.outputHeight = random.number(1...6)
    // Beyond what the padding on the right covers, too.
    s.outputWidth = random.number(1...15)
    let input = random.values(batch * s.inputHeight * s.inputWidth * s.inputChannels)
    let weights = random.values(s.kernelHeight * s.kernelWidth * s.inputChannels * s.outputChannels)
    let bias = seed % 3 == 0 ? nil : random.values(s.outputChannels)
    let appliesReLU = seed.isMultiple(of: 2)

    let output = outputInParts(
      elementCount: batch * s.outputHeight * s.outputWidth * s.outputChannels,
      rangeCount: batch * s.outputHeight
    ) { output, start, end in
      withOptionalPointer(bias) {
        vgk_reference_convolution(isa, &s, input, weights, $0, appliesReLU, output, start, end)
      }
    }
    let expected = plainConvolution(s, batch, input, weights, bias, appliesReLU)
    #expect(sameBits(output, expected), "\(s)")
  }

  @Test(arguments: availableISAs, [(1, 5, 3), (2, 33, 301), (7, 40, 32), (25, 3, 9), (30, 65, 17)])
  func dense(isa: VGKISA, sizes: (rows: Int, inputs: Int, outputs: Int)) {
    var random = SeededGenerator(seed: 7)
    let (rows, inputs, outputs) = sizes
    let input = random.values(rows * inputs)
    let weights = random.values(inputs * outputs)
    let bias = random.values(outputs)
    let output = outputInParts(elementCount: rows * outputs, rangeCount: outputs) { output, start, end in
      vgk_reference_dense(isa, rows, inputs, outputs, input, weights, bias, false, output, start, end)
    }
    var expected: [Float] = []
    for row in 0..<rows {
      for column in 0..<outputs {
        var sum = 0.0
        for i in 0..<inputs { sum += Double(input[row * inputs + i]) * Double(weights[i * outputs + column]) }
        expected.append(Float(sum + Double(bias[column])))
      }
    }
    #expect(sameBits(output, expected))
  }

  @Test(arguments: availableISAs)
  func denseReLUKeepsNaN(isa: VGKISA) {
    let weights: [Float] = [-1, 2, .nan, -0.0]
    var output: [Float] = [9, 9, 9, 9]
    vgk_reference_dense(isa, 1, 1, 4, [1], weights, nil, true, &output, 0, 4)
    #expect(output[0].bitPattern == 0 && output[1] == 2 && output[2].isNaN && output[3].bitPattern == 0)
  }

  @Test(arguments: [VGKPooling.maximum, .average], 0..<16)
  func pooling(kind: VGKPooling, seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    var s = VGKPoolingShape()
    let batch = random.number(1...2)
    s.inputHeight = random.number(3...8)
    s.inputWidth = random.number(3...8)
    s.channels = random.number(1...9)
    s.kernelHeight = random.number(2...4)
    s.kernelWidth = random.number(2...3)
    s.strideHeight = random.number(1...3)
    s.strideWidth = random.number(1...3)
    s.paddingHeight = random.number(0...1)
    s.paddingWidth = random.number(0...1)
    s.outputHeight = caffePooledSize(s.inputHeight, s.kernelHeight, s.strideHeight, s.paddingHeight)
    s.outputWidth = caffePooledSize(s.inputWidth, s.kernelWidth, s.strideWidth, s.paddingWidth)
    let input = random.values(batch * s.inputHeight * s.inputWidth * s.channels)
    let output = outputInParts(
      elementCount: batch * s.outputHeight * s.outputWidth * s.channels, rangeCount: batch * s.outputHeight
    ) { output, start, end in
      vgk_reference_pooling(&s, kind, input, output, start, end)
    }
    #expect(sameBits(output, plainPooling(s, kind, batch, input)), "\(s)")
  }

  @Test func averageCountsPaddingButNotTheOverhang() {
    // Width 3, padding 1, kernel 3, stride 3, one row: windows -1...1 (size 3, one of it padding) and
    // 2...4, of which 4 lies beyond the padded image (size 2).
    var s = VGKPoolingShape()
    (s.inputHeight, s.inputWidth, s.channels, s.outputHeight, s.outputWidth) = (1, 3, 1, 1, 2)
    (s.kernelHeight, s.kernelWidth, s.strideHeight, s.strideWidth, s.paddingWidth) = (1, 3, 1, 3, 1)
    var output: [Float] = [0, 0]
    vgk_reference_pooling(&s, .average, [6, 9, 4], &output, 0, 1)
    #expect(output == [5, 2])
  }

  @Test func maximumKeepsNaN() {
    var s = VGKPoolingShape()
    (s.inputHeight, s.inputWidth, s.channels, s.outputHeight, s.outputWidth) = (1, 3, 1, 1, 1)
    (s.kernelHeight, s.kernelWidth, s.strideHeight, s.strideWidth) = (1, 3, 1, 1)
    for position in 0..<3 {
      var input: [Float] = [1, 2, 3]
      input[position] = .nan
      var output: [Float] = [0]
      vgk_reference_pooling(&s, .maximum, input, &output, 0, 1)
      #expect(output[0].isNaN)
    }
  }

  @Test(arguments: [1, 3, 5, 9], [1, 2, 7])
  func normalizationAcrossChannels(window: Int, channels: Int) {
    var random = SeededGenerator(seed: 3)
    let pixels = 11
    let input = random.values(pixels * channels).map { $0 * 100 }
    var n = VGKNormalization(windowSize: window, k: 2, scale: 1e-4, beta: 0.75)
    let output = outputInParts(elementCount: input.count, rangeCount: pixels) { output, start, end in
      vgk_reference_lrn_across_channels(&n, channels, input, output, start, end)
    }
    for (index, x) in input.enumerated() {
      let c = index % channels
      let sum = (0..<channels).filter { abs($0 - c) <= window / 2 }
        .reduce(0.0) { $0 + pow(Double(input[index - c + $1]), 2) }
      #expect(output[index] == Float(Double(x) / pow(2 + 1e-4 * sum, 0.75)))
    }
  }

  @Test(arguments: [1, 3, 5])
  func normalizationWithinChannel(window: Int) {
    var random = SeededGenerator(seed: 4)
    let (batch, height, width, channels) = (2, 4, 5, 3)
    let input = random.values(batch * height * width * channels)
    var n = VGKNormalization(windowSize: window, k: 1, scale: 0.3, beta: 0.75)
    let output = outputInParts(elementCount: input.count, rangeCount: batch * height) { output, start, end in
      vgk_reference_lrn_within_channel(&n, height, width, channels, input, output, start, end)
    }
    let reach = window / 2
    for image in 0..<batch {
      for (y, x, c) in positions(height, width, channels) {
        var sum = 0.0
        for (otherY, otherX, _) in positions(height, width, 1)
        where abs(otherY - y) <= reach && abs(otherX - x) <= reach {
          sum += pow(Double(input[((image * height + otherY) * width + otherX) * channels + c]), 2)
        }
        let index = ((image * height + y) * width + x) * channels + c
        #expect(output[index] == Float(Double(input[index]) / pow(1 + 0.3 * sum, 0.75)))
      }
    }
  }

  @Test(arguments: [1, 2, 10, 33])
  func softmax(count: Int) {
    var random = SeededGenerator(seed: 5)
    let rows = 4
    // Far beyond what exp could take without the subtraction.
    let input = random.values(rows * count).map { $0 * 5000 }
    let output = outputInParts(elementCount: input.count, rangeCount: rows) { output, start, end in
      vgk_reference_softmax(count, input, output, start, end)
    }
    for row in 0..<rows {
      let x = input[row * count..<(row + 1) * count].map(Double.init)
      let largest = x.max() ?? 0
      let sum = x.reduce(0.0) { $0 + exp($1 - largest) }
      #expect(Array(output[row * count..<(row + 1) * count]) == x.map { Float(exp($0 - largest) / sum) })
    }
  }
}

/// Calls `body` with the elements of an array, or with nil.
private func withOptionalPointer(_ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Void) {
  if let values { values.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
}

/// The positions of an array of three dimensions, row-major.
private func positions(_ height: Int, _ width: Int, _ channels: Int) -> [(Int, Int, Int)] {
  (0..<height).flatMap { y in (0..<width).flatMap { x in (0..<channels).map { (y, x, $0) } } }
}

private func plainConvolution(
  _ s: VGKConvolutionShape, _ batch: Int, _ input: [Float], _ weights: [Float], _ bias: [Float]?,
  _ appliesReLU: Bool
) -> [Float] {
  var output: [Float] = []
  for image in 0..<batch {
    for (outputY, outputX, o) in positions(s.outputHeight, s.outputWidth, s.outputChannels) {
      var sum = 0.0
      for (kernelY, kernelX, i) in positions(s.kernelHeight, s.kernelWidth, s.inputChannels) {
        let y = outputY * s.strideHeight + kernelY * s.dilationHeight - s.paddingHeight
        let x = outputX * s.strideWidth + kernelX * s.dilationWidth - s.paddingWidth
        guard (0..<s.inputHeight).contains(y), (0..<s.inputWidth).contains(x) else { continue }
        let value = input[((image * s.inputHeight + y) * s.inputWidth + x) * s.inputChannels + i]
        let weight = weights[
          ((kernelY * s.kernelWidth + kernelX) * s.inputChannels + i) * s.outputChannels + o]
        sum += Double(value) * Double(weight)
      }
      if let bias { sum += Double(bias[o]) }
      output.append(appliesReLU && sum <= 0 ? 0 : Float(sum))
    }
  }
  return output
}

/// Caffe's size of a pooled axis: rounded up; with padding, the last window must start inside image and left padding.
private func caffePooledSize(_ input: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> Int {
  let size = (input + 2 * padding - kernel + stride - 1) / stride + 1
  return padding > 0 && (size - 1) * stride >= input + padding ? size - 1 : size
}

/// Caffe's loops, with signed positions.
private func plainPooling(_ s: VGKPoolingShape, _ kind: VGKPooling, _ batch: Int, _ input: [Float]) -> [Float]
{
  var output: [Float] = []
  for image in 0..<batch {
    for (outputY, outputX, c) in positions(s.outputHeight, s.outputWidth, s.channels) {
      let startY = outputY * s.strideHeight - s.paddingHeight
      let startX = outputX * s.strideWidth - s.paddingWidth
      let endY = min(startY + s.kernelHeight, s.inputHeight + s.paddingHeight)
      let endX = min(startX + s.kernelWidth, s.inputWidth + s.paddingWidth)
      var sum = 0.0
      var largest = -Float.infinity
      for y in max(startY, 0)..<max(min(endY, s.inputHeight), max(startY, 0)) {
        for x in max(startX, 0)..<max(min(endX, s.inputWidth), max(startX, 0)) {
          let value = input[((image * s.inputHeight + y) * s.inputWidth + x) * s.channels + c]
          sum += Double(value)
          largest = max(largest, value)
        }
      }
      let area = Double((endY - startY) * (endX - startX))
      output.append(kind == .maximum ? largest : Float(sum / area))
    }
  }
  return output
}
