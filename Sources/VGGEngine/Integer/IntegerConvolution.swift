internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Direct convolution of codes, of any shape.
struct IntegerConvolution: LayerMethod {
  private let convolution: Convolution
  private let layer: IntegerLayer
  private let requantization: Requantization
  private let instructionSet: VGKISA
  /// The weights in the order of the kernels; nil: they are packed when the layer's turn comes.
  private let packed: AlignedMemory<UInt8>?
  /// For windows that reach very far: it needs no memory for rows.
  private let farReaching: ReferenceIntegerConvolution
  /// The longest rows that a thread copies.
  private static let mostScratch = 1 << 30

  var inputFormat: MapFormat? { .codes(layer.input) }
  var outputFormat: MapFormat { .codes(layer.output) }

  /// Prepares the method; `keepsWeights` says whether the packed weights are kept beside the model.
  init(
    _ convolution: Convolution, of layer: IntegerLayer, name: String, _ instructionSet: VGKISA,
    _ threads: Workers, keepsWeights: Bool
  ) throws(EngineError) {
    (self.convolution, self.layer, self.instructionSet) = (convolution, layer, instructionSet)
    requantization = layer.requantization(convolution.activation)
    farReaching = ReferenceIntegerConvolution(convolution, of: layer)
    let codes = try DecodedCodes(layer.weight, rowLength: convolution.outputChannels, threads)
    try codes.withCodes { (codes) throws(EngineError) in
      try layer.requireSumsThatFit(codes, outputs: convolution.outputChannels, layer: name)
    }
    guard keepsWeights else {
      packed = nil
      return
    }
    // The order depends on kernel and channels only: any extent will do for the plan.
    let shape = convolution.kernelShape(Extent(side: 1), Extent(side: 1))
    let plan = IntegerConvolution.plan(shape, layer, instructionSet, pictures: 1, threadCount: 1)
    let memory = try AlignedMemory<UInt8>(count: plan.weightBytes)
    packed = memory
    if let target = memory.buffer.baseAddress {
      IntegerConvolution.pack(codes, layer.bias, by: plan, into: target, threads)
    }
  }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    let plan = plan(for: input, into: output, threadCount)
    guard plan.scratchBytes <= IntegerConvolution.mostScratch else { return 0 }
    return (packed == nil ? Scratch.byteCount(plan.weightBytes, of: UInt8.self) : 0)
      + Scratch.byteCount(plan.scratchBytes * threadCount, of: UInt8.self)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    let workers = resources.workers
    let plan = plan(for: input.layout, into: output.layout, workers.count)
    guard plan.scratchBytes <= IntegerConvolution.mostScratch else {
      return try farReaching.run(input, into: output, with: resources)
    }
    var scratch = resources.scratch
    let prepared: UnsafeMutablePointer<UInt8>
    if let kept = packed?.buffer.baseAddress {
      prepared = kept
    } else {
      prepared = scratch.take(plan.weightBytes, of: UInt8.self)
      let codes = try DecodedCodes(layer.weight, rowLength: convolution.outputChannels, workers)
      IntegerConvolution.pack(codes, layer.bias, by: plan, into: prepared, workers)
    }
    let threadScratch = scratch.take(plan.scratchBytes * workers.count, of: UInt8.self)
    let (source, target) = (input.codes, output.codes)
    requantization.withKernelValue { requantization in
      workers.perform(plan.unitCount, pieceLength: 1) { thread, units in
        withUnsafePointer(to: plan) {
          vgk_integer_direct(
            $0, source, prepared, requantization, target, threadScratch + thread * plan.scratchBytes,
            units.lowerBound, units.upperBound)
        }
      }
    }
    withExtendedLifetime(packed) {}
  }

  private func plan(for input: MapLayout, into output: MapLayout, _ threadCount: Int) -> VGKIntegerDirect {
    IntegerConvolution.plan(
      convolution.kernelShape(input.shape.extent, output.shape.extent), layer, instructionSet,
      pictures: input.count, threadCount: threadCount)
  }

  private static func plan(
    _ shape: VGKConvolutionShape, _ layer: IntegerLayer, _ instructionSet: VGKISA, pictures: Int,
    threadCount: Int
  ) -> VGKIntegerDirect {
    withUnsafePointer(to: shape) {
      vgk_integer_direct_plan(instructionSet, $0, Int32(layer.input.zeroPoint), pictures, threadCount)
    }
  }

  private static func pack(
    _ codes: DecodedCodes, _ bias: [Int32]?, by plan: VGKIntegerDirect,
    into target: UnsafeMutablePointer<UInt8>, _ workers: Workers
  ) {
    codes.withCodes { codes in
      guard let source = codes.baseAddress else { return }
      workers.perform(plan.panelCount, granularity: 1) { panels in
        withUnsafePointer(to: plan) {
          vgk_integer_direct_weights($0, source, bias, target, panels.lowerBound, panels.upperBound)
        }
      }
    }
  }
}

/// A 3x3 convolution of codes by Winograd's method in exact arithmetic, with the pooling behind it where that is fused.
struct IntegerWinogradConvolution: LayerMethod {
  private let convolution: Convolution
  private let layer: IntegerLayer
  private let requantization: Requantization
  private let instructionSet: VGKISA
  /// The weights in the form of the tiles.
  private let weights: AlignedMemory<UInt8>
  private var pooling: Pooling?

  var inputFormat: MapFormat? { .codes(layer.input) }
  var outputFormat: MapFormat { .codes(layer.output) }

  /// Transforms the weights on all threads, which takes eight times their memory; nil where sums could be too large for the method.
  init?(
    _ convolution: Convolution, of layer: IntegerLayer, name: String, _ instructionSet: VGKISA,
    _ threads: Workers
  ) throws(EngineError) {
    (self.convolution, self.layer, self.instructionSet) = (convolution, layer, instructionSet)
    requantization = layer.requantization(convolution.activation)
    let codes = try DecodedCodes(layer.weight, rowLength: convolution.outputChannels, threads)
    let shape = convolution.kernelShape(Extent(side: 1), Extent(side: 1))
    let isExact = try codes.withCodes { (codes) throws(EngineError) in
      try layer.requireSumsThatFit(codes, outputs: convolution.outputChannels, layer: name)
      guard let source = codes.baseAddress else { return false }
      return withUnsafePointer(to: shape) {
        vgk_integer_winograd_is_exact($0, Int32(layer.input.zeroPoint), source)
      }
    }
    guard isExact else { return nil }
    // The form depends on the channels only: any extent will do for the plan.
    let plan = withUnsafePointer(to: shape) {
      vgk_integer_winograd_plan(instructionSet, $0, Int32(layer.input.zeroPoint), 1, nil, 1)
    }
    weights = try AlignedMemory<UInt8>(count: plan.weightBytes)
    let prepared = weights.buffer.baseAddress
    codes.withCodes { codes in
      guard let prepared, let source = codes.baseAddress else { return }
      threads.perform(plan.panelCount, granularity: 1) { panels in
        withUnsafePointer(to: plan) {
          vgk_integer_winograd_weights(
            $0, source, layer.bias, prepared, panels.lowerBound, panels.upperBound)
        }
      }
    }
  }

  /// The same with a plain pooling that is done at once.
  func fusing(_ pooling: Pooling) -> IntegerWinogradConvolution {
    var fused = self
    fused.pooling = pooling
    return fused
  }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    Scratch.byteCount(plan(for: input, into: output, threadCount).scratchBytes * threadCount, of: UInt8.self)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let workers = resources.workers
    let plan = plan(for: input.layout, into: output.layout, workers.count)
    guard let prepared = weights.buffer.baseAddress else { return }
    var scratch = resources.scratch
    let threadScratch = scratch.take(plan.scratchBytes * workers.count, of: UInt8.self)
    let (source, target) = (input.codes, output.codes)
    requantization.withKernelValue { requantization in
      workers.perform(plan.unitCount, pieceLength: 1) { thread, units in
        withUnsafePointer(to: plan) {
          vgk_integer_winograd(
            $0, source, prepared, requantization, target, threadScratch + thread * plan.scratchBytes,
            units.lowerBound, units.upperBound)
        }
      }
    }
    withExtendedLifetime(weights) {}
  }

  private func plan(for input: MapLayout, into output: MapLayout, _ threadCount: Int) -> VGKIntegerWinograd {
    let zeroPoint = Int32(layer.input.zeroPoint)
    guard let pooling else {
      var shape = convolution.kernelShape(input.shape.extent, output.shape.extent)
      return vgk_integer_winograd_plan(instructionSet, &shape, zeroPoint, input.count, nil, threadCount)
    }
    let sums = convolution.sumShape(for: input.shape.extent)
    var shape = convolution.kernelShape(input.shape.extent, sums.extent)
    var pooled = pooling.kernelShape(sums, output.shape.extent)
    return vgk_integer_winograd_plan(instructionSet, &shape, zeroPoint, input.count, &pooled, threadCount)
  }
}
