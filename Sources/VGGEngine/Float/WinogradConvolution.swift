internal import VGGBytes
internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// A 3x3 convolution by Winograd's method, with the pooling behind it where that is fused.
struct WinogradConvolution: LayerMethod {
  private let convolution: Convolution
  private let bias: [Float]?
  /// The side of a tile of outputs.
  private let tile: Int
  /// The weights in the form of the tile.
  private let weights: AlignedMemory<Float>
  private let instructionSet: VGKISA
  private var pooling: Pooling?

  let inputFormat: MapFormat? = .padded
  let outputFormat = MapFormat.padded

  /// Transforms the weights on all threads, which takes nine times their memory.
  init(
    _ convolution: Convolution, of layer: WeightedLayer, tile: Int, _ instructionSet: VGKISA,
    _ threads: Workers
  ) throws(EngineError) {
    (self.convolution, bias, self.tile) = (convolution, layer.bias, tile)
    self.instructionSet = instructionSet
    let decoded = try DecodedWeights(
      layer.weight, 0..<layer.weight.count, rowLength: convolution.outputChannels, threads)
    // The form depends on the tile and the channels only: any extent will do for the plan.
    var shape = convolution.kernelShape(Extent(side: 1), Extent(side: 1))
    let plan = vgk_fast_winograd_plan(instructionSet, tile, &shape, 1, nil, 1)
    weights = try AlignedMemory<Float>(count: plan.weightCount)
    let prepared = weights.buffer.baseAddress
    decoded.withPointer { source in
      guard let prepared else { return }
      threads.perform(plan.panelCount, granularity: 1) { panels in
        withUnsafePointer(to: plan) {
          vgk_fast_winograd_weights($0, source, prepared, panels.lowerBound, panels.upperBound)
        }
      }
    }
  }

  /// The same with a plain pooling that is done at once.
  func fusing(_ pooling: Pooling) -> WinogradConvolution {
    var fused = self
    fused.pooling = pooling
    return fused
  }

  /// The bytes of the transformed weights.
  var weightByteCount: Int { weights.buffer.count * MemoryLayout<Float>.size }

  var rounding: SumRounding? { .winograd(tile: tile, inputChannels: convolution.inputChannels) }

  func scratchByteCount(for input: MapLayout, into output: MapLayout, threadCount: Int) -> Int {
    let plan = plan(for: input, into: output, threadCount: threadCount)
    return Scratch.byteCount(plan.scratchCount * threadCount, of: Float.self)
  }

  func run(_ input: MapView, into output: MapView, with resources: RunResources) {
    let plan = plan(for: input.layout, into: output.layout, threadCount: resources.workers.count)
    guard let prepared = weights.buffer.baseAddress else { return }
    var scratch = resources.scratch
    let threadScratch = scratch.take(plan.scratchCount * resources.workers.count, of: Float.self)
    let (source, target) = (input.floats, output.floats)
    resources.workers.perform(plan.unitCount, pieceLength: 1) { thread, units in
      withUnsafePointer(to: plan) {
        vgk_fast_winograd(
          $0, source, prepared, bias, convolution.activation == .relu, target,
          threadScratch + thread * plan.scratchCount, units.lowerBound, units.upperBound)
      }
    }
    withExtendedLifetime(weights) {}
  }

  private func plan(for input: MapLayout, into output: MapLayout, threadCount: Int) -> VGKWinograd {
    guard let pooling else {
      var shape = convolution.kernelShape(input.shape.extent, output.shape.extent)
      return vgk_fast_winograd_plan(instructionSet, tile, &shape, input.count, nil, threadCount)
    }
    let sums = convolution.sumShape(for: input.shape.extent)
    var shape = convolution.kernelShape(input.shape.extent, sums.extent)
    var pooled = pooling.kernelShape(sums, output.shape.extent)
    return vgk_fast_winograd_plan(instructionSet, tile, &shape, input.count, &pooled, threadCount)
  }
}
