import CVGGKernels
import CVGGRules
import TestSupport

extension SeededGenerator {
  /// Codes of the symmetric range, which weights may have.
  mutating func codes(_ count: Int) -> [Int8] {
    (0..<count).map { _ in Int8.random(in: -127...127, using: &self) }
  }

  mutating func biases(_ count: Int) -> [Int32] {
    (0..<count).map { _ in Int32.random(in: -5000...5000, using: &self) }
  }
}

extension VGKConvolutionShape {
  static func square3x3(side: Int, inputChannels: Int, outputChannels: Int) -> VGKConvolutionShape {
    VGKConvolutionShape(
      inputHeight: side, inputWidth: side, inputChannels: inputChannels, outputHeight: side,
      outputWidth: side,
      outputChannels: outputChannels, kernelHeight: 3, kernelWidth: 3, strideHeight: 1, strideWidth: 1,
      paddingHeight: 1, paddingWidth: 1, dilationHeight: 1, dilationWidth: 1)
  }

  /// A small shape; kernels of 3 have neither stride nor dilation.
  static func random(kernel: ClosedRange<Int>, _ random: inout SeededGenerator) -> VGKConvolutionShape {
    var shape = square3x3(
      side: random.number(4...14), inputChannels: random.number(1...70), outputChannels: random.number(1...70)
    )
    shape.inputWidth = random.number(4...14)
    if kernel != 3...3 {
      shape.kernelHeight = random.number(kernel)
      shape.kernelWidth = random.number(kernel)
      shape.strideHeight = random.number(1...3)
      shape.strideWidth = random.number(1...2)
      shape.dilationHeight = random.number(1...2)
      shape.dilationWidth = random.number(1...2)
    }
    shape.paddingHeight = random.number(2...3)
    shape.paddingWidth = random.number(2...3)
    let height =
      shape.inputHeight + 2 * shape.paddingHeight - (shape.kernelHeight - 1) * shape.dilationHeight - 1
    let width = shape.inputWidth + 2 * shape.paddingWidth - (shape.kernelWidth - 1) * shape.dilationWidth - 1
    shape.outputHeight = height / shape.strideHeight + 1
    shape.outputWidth = width / shape.strideWidth + 1
    return shape
  }
}

/// How accumulators of a random layer become codes.
struct IntegerKernelFactors {
  private let rounding: VGKRounding
  private let scales: [Float]
  private let multipliers: [VGRMultiplier]
  private let zeroPoint: Int32, low: Int32

  init(_ rounding: VGKRounding, channels: Int, terms: Int, _ random: inout SeededGenerator) {
    self.rounding = rounding
    scales = (0..<channels).map { _ in Float.random(in: 0...1, using: &random) / Float(10 * terms) }
    multipliers = scales.map { vgr_tflm_multiplier(Double($0)) }
    zeroPoint = Int32(random.number(-128...127))
    low = Bool.random(using: &random) ? zeroPoint : -128
  }

  func withRequantization(_ body: (UnsafePointer<VGKRequantization>) -> Void) {
    scales.withUnsafeBufferPointer { scales in
      multipliers.withUnsafeBufferPointer { multipliers in
        let requantization = VGKRequantization(
          rounding: rounding, scales: scales.baseAddress, multipliers: multipliers.baseAddress,
          zeroPoint: zeroPoint,
          low: low, high: 127)
        withUnsafePointer(to: requantization, body)
      }
    }
  }
}

/// A convolution of codes that can be computed in several ways.
struct IntegerKernelLayer {
  let shape: VGKConvolutionShape
  var input: [Int8]
  var weights: [Int8]
  private let images: Int
  private let inputZeroPoint: Int32
  private let bias: [Int32]
  private let factors: IntegerKernelFactors

  init(shape: VGKConvolutionShape, _ rounding: VGKRounding, _ random: inout SeededGenerator) {
    self.shape = shape
    images = random.number(1...2)
    inputZeroPoint = Bool.random(using: &random) ? -128 : Int32(random.number(-128...127))
    let terms = shape.kernelHeight * shape.kernelWidth * shape.inputChannels
    input = random.codes(images * shape.inputHeight * shape.inputWidth * shape.inputChannels)
    weights = random.codes(terms * shape.outputChannels)
    bias = random.biases(shape.outputChannels)
    factors = IntegerKernelFactors(rounding, channels: shape.outputChannels, terms: terms, &random)
  }

  func halvingPooling(roundedUp: Int) -> VGKPoolingShape {
    VGKPoolingShape(
      inputHeight: shape.outputHeight, inputWidth: shape.outputWidth, channels: shape.outputChannels,
      outputHeight: (shape.outputHeight + roundedUp) / 2, outputWidth: (shape.outputWidth + roundedUp) / 2,
      kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2, paddingHeight: 0, paddingWidth: 0)
  }

  func reference(pooling: VGKPoolingShape? = nil) -> [Int8] {
    var output = emptyOutput(nil)
    withUnsafePointer(to: shape) { shape in
      factors.withRequantization {
        vgk_reference_integer_convolution(
          shape, input, inputZeroPoint, weights, bias, $0, &output, 0, images * shape.pointee.outputHeight)
      }
    }
    guard let pooling else { return output }
    var pooled = emptyOutput(pooling)
    withUnsafePointer(to: pooling) {
      vgk_reference_integer_pooling($0, .maximum, output, &pooled, 0, images * pooling.outputHeight)
    }
    return pooled
  }

  /// Directly, with weights and work in two parts, the last first.
  func direct(_ isa: VGKISA, threads: Int) -> [Int8] {
    let plan = withUnsafePointer(to: shape) {
      vgk_integer_direct_plan(isa, $0, inputZeroPoint, images, threads)
    }
    var output = emptyOutput(nil)
    withUnsafePointer(to: plan) { plan in
      withBuffers(plan.pointee.weightBytes, plan.pointee.scratchBytes) { prepared, scratch in
        for panels in parts(plan.pointee.panelCount) {
          vgk_integer_direct_weights(plan, weights, bias, prepared, panels.lowerBound, panels.upperBound)
        }
        factors.withRequantization {
          for units in parts(plan.pointee.unitCount) {
            vgk_integer_direct(
              plan, input, prepared, $0, &output, scratch, units.lowerBound, units.upperBound)
          }
        }
      }
    }
    return output
  }

  /// By Winograd's method, likewise.
  func winograd(_ isa: VGKISA, threads: Int, pooling: VGKPoolingShape?) -> [Int8] {
    let plan = withUnsafePointer(to: shape) { shape in
      guard let pooling else {
        return vgk_integer_winograd_plan(isa, shape, inputZeroPoint, images, nil, threads)
      }
      return withUnsafePointer(to: pooling) {
        vgk_integer_winograd_plan(isa, shape, inputZeroPoint, images, $0, threads)
      }
    }
    var output = emptyOutput(pooling)
    withUnsafePointer(to: plan) { plan in
      withBuffers(plan.pointee.weightBytes, plan.pointee.scratchBytes) { prepared, scratch in
        for panels in parts(plan.pointee.panelCount) {
          vgk_integer_winograd_weights(plan, weights, bias, prepared, panels.lowerBound, panels.upperBound)
        }
        factors.withRequantization {
          for units in parts(plan.pointee.unitCount) {
            vgk_integer_winograd(
              plan, input, prepared, $0, &output, scratch, units.lowerBound, units.upperBound)
          }
        }
      }
    }
    return output
  }

  private func parts(_ count: Int) -> [Range<Int>] { [count / 3..<count, 0..<count / 3] }

  private func withBuffers(
    _ weightBytes: Int, _ scratchBytes: Int,
    _ body: (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Void
  ) {
    let prepared = UnsafeMutableRawPointer.allocate(byteCount: weightBytes, alignment: 4)
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 4)
    defer {
      prepared.deallocate()
      scratch.deallocate()
    }
    body(prepared, scratch)
  }

  private func emptyOutput(_ pooling: VGKPoolingShape?) -> [Int8] {
    let height = pooling?.outputHeight ?? shape.outputHeight,
      width = pooling?.outputWidth ?? shape.outputWidth
    return [Int8](repeating: 0, count: images * height * width * shape.outputChannels)
  }
}
