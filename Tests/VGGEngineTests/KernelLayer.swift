import CVGGKernels
import TestSupport
import Testing

/// A convolution with random values. Outputs are NHWC.
struct KernelLayer {
  var shape = VGKConvolutionShape()
  var batch: Int
  var input: [Float]
  var weights: [Float]
  var bias: [Float]?
  var appliesReLU: Bool

  init(
    _ random: inout SeededGenerator, kernel: Int, extent: ClosedRange<Int>, inputs: ClosedRange<Int>,
    outputs: ClosedRange<Int>
  ) {
    batch = random.number(1...2)
    shape.inputHeight = random.number(extent)
    shape.inputWidth = random.number(extent)
    shape.inputChannels = random.number(inputs)
    shape.outputChannels = random.number(outputs)
    (shape.kernelHeight, shape.kernelWidth) = (kernel, kernel)
    (shape.strideHeight, shape.strideWidth, shape.dilationHeight, shape.dilationWidth) = (1, 1, 1, 1)
    (shape.paddingHeight, shape.paddingWidth) = (random.number(0...1), random.number(0...2))
    // Smaller or larger than the input: what is asked for beyond it is padding.
    shape.outputHeight = max(1, shape.inputHeight + random.number(0...1) - random.number(0...2))
    shape.outputWidth = shape.inputWidth
    input = random.values(batch * shape.inputHeight * shape.inputWidth * shape.inputChannels)
    weights = random.values(kernel * kernel * shape.inputChannels * shape.outputChannels)
    bias = random.number(0...2) == 0 ? nil : random.values(shape.outputChannels)
    appliesReLU = random.number(0...1) == 0
  }

  /// The same layer for one image of the batch.
  func image(_ index: Int) -> KernelLayer {
    var layer = self
    let count = input.count / batch
    layer.batch = 1
    layer.input = Array(input[index * count..<(index + 1) * count])
    return layer
  }

  func pooling(roundsUp: Bool) -> VGKPoolingShape {
    var pooling = VGKPoolingShape()
    (pooling.inputHeight, pooling.inputWidth) = (shape.outputHeight, shape.outputWidth)
    pooling.channels = shape.outputChannels
    (pooling.kernelHeight, pooling.kernelWidth, pooling.strideHeight, pooling.strideWidth) = (2, 2, 2, 2)
    pooling.outputHeight = max(1, (shape.outputHeight + (roundsUp ? 1 : 0)) / 2)
    pooling.outputWidth = max(1, (shape.outputWidth + (roundsUp ? 1 : 0)) / 2)
    return pooling
  }

  func reference() -> [Float] {
    var output = [Float](
      repeating: 0, count: batch * shape.outputHeight * shape.outputWidth * shape.outputChannels)
    withOptionalPointer(bias) { bias in
      withUnsafePointer(to: shape) {
        vgk_reference_convolution(
          vgk_best_isa(), $0, input, weights, bias, appliesReLU, &output, 0, batch * shape.outputHeight)
      }
    }
    return output
  }

  func winograd(_ isa: VGKISA, tile: Int, threads: Int, pooling: VGKPoolingShape? = nil) -> [Float] {
    var shape = shape
    var plan =
      if var pooling {
        vgk_fast_winograd_plan(isa, tile, &shape, batch, &pooling, threads)
      } else {
        vgk_fast_winograd_plan(isa, tile, &shape, batch, nil, threads)
      }
    let prepared = outputInParts(elementCount: plan.weightCount, rangeCount: plan.panelCount) {
      vgk_fast_winograd_weights(&plan, weights, $0, $1, $2)
    }
    var scratch = [Float](repeating: .nan, count: plan.scratchCount)
    let padded = padded(input, channels: shape.inputChannels)
    let pixels =
      pooling.map { $0.outputHeight * $0.outputWidth } ?? (shape.outputHeight * shape.outputWidth)
    let output = withOptionalPointer(bias) { bias in
      outputInParts(
        elementCount: batch * pixels * vgk_fast_channel_stride(shape.outputChannels),
        rangeCount: plan.unitCount
      ) {
        vgk_fast_winograd(&plan, padded, prepared, bias, appliesReLU, $0, &scratch, $1, $2)
      }
    }
    return unpadded(output, channels: shape.outputChannels)
  }

  func direct(_ isa: VGKISA, padsChannels: Bool) -> [Float] {
    var shape = shape
    let stride = padsChannels ? vgk_fast_channel_stride(shape.inputChannels) : shape.inputChannels
    var plan = vgk_fast_direct_plan(isa, &shape, stride)
    let outputs = shape.outputChannels
    let prepared = outputInParts(elementCount: plan.weightCount, rangeCount: weights.count / outputs) {
      vgk_fast_direct_weights(&plan, Array(weights[$1 * outputs..<$2 * outputs]), $0, $1, $2)
    }
    var scratch = [Float](repeating: .nan, count: max(1, plan.scratchCount))
    let source = padsChannels ? padded(input, channels: shape.inputChannels) : input
    let output = withOptionalPointer(bias) { bias in
      outputInParts(
        elementCount: batch * shape.outputHeight * shape.outputWidth
          * vgk_fast_channel_stride(shape.outputChannels),
        rangeCount: batch * shape.outputHeight
      ) {
        vgk_fast_direct(&plan, source, prepared, bias, appliesReLU, $0, &scratch, $1, $2)
      }
    }
    return unpadded(output, channels: shape.outputChannels)
  }
}

func pooled(
  _ input: [Float], _ shape: VGKPoolingShape, _ kind: VGKPooling, batch: Int, _ isa: VGKISA
) -> [Float] {
  let source = padded(input, channels: shape.channels)
  let output = outputInParts(
    elementCount: batch * shape.outputHeight * shape.outputWidth * vgk_fast_channel_stride(shape.channels),
    rangeCount: batch * shape.outputHeight
  ) { output, start, end in
    withUnsafePointer(to: shape) { vgk_fast_pooling(isa, $0, kind, source, output, start, end) }
  }
  return unpadded(output, channels: shape.channels)
}

func padded(_ values: [Float], channels: Int) -> [Float] {
  let pixels = values.count / channels
  return outputInParts(elementCount: pixels * vgk_fast_channel_stride(channels), rangeCount: pixels) {
    vgk_fast_pad_channels(channels, values, $0, $1, $2)
  }
}

/// Checks that what pads the channels is zero, and takes it away.
func unpadded(_ values: [Float], channels: Int) -> [Float] {
  let stride = vgk_fast_channel_stride(channels)
  #expect(values.indices.allSatisfy { $0 % stride < channels || values[$0] == 0 || values[$0].isInfinite })
  let pixels = values.count / stride
  return outputInParts(elementCount: pixels * channels, rangeCount: pixels) {
    vgk_fast_unpad_channels(channels, values, $0, $1, $2)
  }
}

/// The largest difference in units of the largest expected value; infinite where one is not a number, or nothing is compared.
func largestError(_ values: [Float], _ expected: [Float]) -> Double {
  guard values.count == expected.count, !values.isEmpty else { return .infinity }
  let differences = zip(values, expected).map { abs(Double($0) - Double($1)) }
  guard let error = differences.max(), !differences.contains(where: \.isNaN) else {
    return .infinity
  }
  let largest = expected.map { abs(Double($0)) }.max() ?? 0
  return error == 0 ? 0 : error / largest
}

func withOptionalPointer<Result>(
  _ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Result
) -> Result {
  if let values { values.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
}
