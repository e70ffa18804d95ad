internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Direct convolution of any shape in float32.
struct DirectConvolution: LayerMethod {
  private let convolution: Convolution
  private let weight: any TensorValues
  private let bias: [Float]?
  /// The weights in the order of the kernels; nil: they are packed when the layer's turn comes.
  private let packed: AlignedMemory<Float>?
  private let instructionSet: VGKISA
  private let inputIsPacked: Bool
  /// For windows that reach very far.
  private let farReaching: ReferenceConvolution

  let outputFormat = MapFormat.padded

  /// Prepares the method: `inputIsPacked` says whether it reads pixels that lie side by side, as those of pictures do,
  /// and `keepsWeights` whether the packed weights are kept beside the model.
  init(
    _ convolution: Convolution, of layer: WeightedLayer, _ instructionSet: VGKISA, _ threads: Workers,
    inputIsPacked: Bool, keepsWeights: Bool
  ) throws(EngineError) {
    (self.convolution, weight, bias) = (convolution, layer.weight, layer.bias)
    (self.instructionSet, self.inputIsPacked) = (instructionSet, inputIsPacked)
    farReaching = ReferenceConvolution(convolution, layer.weight, layer.bias, instructionSet)
    guard keepsWeights else {
      packed = nil
      return
    }
    // The order depends on kernel and channels only: any extent will do for the plan.
    let plan = convolution.directPlan(
      Extent(side: 1), Extent(side: 1), stride: convolution.inputChannels, instructionSet)
    let memory = try AlignedMemory<Float>(count: plan.weightCount)
    packed = memory
    if let target = memory.buffer.baseAddress {
      try convolution.pack(layer.weight, by: plan, into: target, threads)
    }
  }

  /// The bytes of the weights that are kept.
  var weightByteCount: Int { (packed?.buffer.count ?? 0) * MemoryLayout<Float>.size }

  var inputFormat: MapFormat? { inputIsPacked ? .packed : .padded }

  var rounding: SumRounding? {
    var shape = convolution.kernelShape(Extent(side: 1), Extent(side: 1))
    return .direct(depth: vgk_fast_direct_roundings(&shape))
  }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    guard rowsAreShort(input, output) else {
      return input.packed.byteCount + output.packed.byteCount + 128
    }
    let plan = plan(for: input, into: output)
    return (packed == nil ? Scratch.byteCount(plan.weightCount, of: Float.self) : 0)
      + Scratch.byteCount(plan.scratchCount * threadCount, of: Float.self)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) throws(EngineError) {
    guard rowsAreShort(input.layout, output.layout) else {
      return try runFarReaching(input, into: output, with: resources)
    }
    let plan = plan(for: input.layout, into: output.layout)
    let (workers, rows) = (resources.workers, output.layout.rowCount)
    var scratch = resources.scratch
    let prepared: UnsafeMutablePointer<Float>
    if let kept = packed?.buffer.baseAddress {
      prepared = kept
    } else {
      prepared = scratch.take(plan.weightCount, of: Float.self)
      try convolution.pack(weight, by: plan, into: prepared, resources.workers)
    }
    let threadScratch = scratch.take(plan.scratchCount * workers.count, of: Float.self)
    let (source, target) = (input.floats, output.floats)
    workers.perform(rows, pieceLength: workers.pieceLength(rows, multiple: plan.blockRows)) { thread, rows in
      withUnsafePointer(to: plan) {
        vgk_fast_direct(
          $0, source, prepared, bias, convolution.activation == .relu, target,
          threadScratch + thread * plan.scratchCount, rows.lowerBound, rows.upperBound)
      }
    }
    withExtendedLifetime(packed) {}
  }

  /// The reference method needs no memory for rows, however long they are.
  private func runFarReaching(
    _ input: MapView, into output: MapView, with resources: RunResources
  ) throws(EngineError) {
    var scratch = resources.scratch
    var source = input
    if !input.layout.isPacked {
      source = scratch.take(input.layout.packed)
      input.copy(into: source)
    }
    let target = scratch.take(output.layout.packed)
    try farReaching.run(source, into: target, with: resources)
    target.copy(into: output)
  }

  private func plan(for input: MapLayout, into output: MapLayout) -> VGKDirect {
    convolution.directPlan(input.shape.extent, output.shape.extent, stride: input.stride, instructionSet)
  }

  /// Whether the padded rows that a thread keeps have at most 2^28 values.
  private func rowsAreShort(_ input: MapLayout, _ output: MapLayout) -> Bool {
    let (kernel, stride, dilation) = (convolution.kernel, convolution.stride, convolution.dilation)
    let rows = 112 * Double(stride.height) + Double(kernel.height) * Double(dilation.height)
    let columns =
      Double(output.shape.extent.width) * Double(stride.width) + Double(kernel.width) * Double(dilation.width)
    return rows * columns * Double(input.stride) <= Double(1 << 28)
  }
}

extension MapLayout {
  /// The same map with pixels side by side.
  fileprivate var packed: MapLayout { MapLayout(count: count, shape: shape, .packed) }
}

extension Convolution {
  fileprivate func directPlan(
    _ input: Extent, _ output: Extent, stride: Int, _ instructionSet: VGKISA
  ) -> VGKDirect {
    var shape = kernelShape(input, output)
    return vgk_fast_direct_plan(instructionSet, &shape, stride)
  }

  /// Packs weights, some rows at a time.
  fileprivate func pack(
    _ weights: any TensorValues, by plan: VGKDirect, into target: UnsafeMutablePointer<Float>,
    _ workers: Workers
  ) throws(EngineError) {
    let rowsAtOnce = max(1, (1 << 16) / outputChannels)
    do throws(FileError) {
      try workers.perform(weights.count / outputChannels, granularity: rowsAtOnce) {
        (part) throws(FileError) in
        for start in Swift.stride(from: part.lowerBound, to: part.upperBound, by: rowsAtOnce) {
          let rows = start..<min(start + rowsAtOnce, part.upperBound)
          try weights.withValues(rows.lowerBound * outputChannels..<rows.upperBound * outputChannels) {
            source in
            guard let source = source.baseAddress else { return }
            withUnsafePointer(to: plan) {
              vgk_fast_direct_weights($0, source, target, rows.lowerBound, rows.upperBound)
            }
          }
        }
      }
    } catch {
      throw .weights(error)
    }
  }
}
