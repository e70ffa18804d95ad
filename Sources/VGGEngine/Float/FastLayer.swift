internal import CVGGKernels
internal import Synchronization
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// A layer and how it is computed fast, with its weights in the form that this needs.
struct FastLayer: Sendable {
  /// How a layer is computed.
  enum Method: Sendable {
    /// By Winograd's method with tiles of so many outputs a side.
    case winograd(tile: Int, weights: AlignedMemory<Float>)
    /// Directly; without weights they are packed when the layer's turn comes.
    case direct(inputIsPacked: Bool, weights: AlignedMemory<Float>?)
    /// As a dense layer; without weights they are decoded in small pieces as they are multiplied.
    case dense(weights: DecodedWeights?)
    /// Without weights.
    case plain
  }

  let prepared: PreparedLayer
  let method: Method
  /// Whether the pooling behind the layer is done at once where nobody asks for what is between them.
  let fusesPooling: Bool

  /// Whether pixels of the output lie without padding, as in a ``FeatureMap``.
  var outputIsPacked: Bool {
    switch prepared.operation {
    case .dense, .softmax, .sigmoid: true
    case .convolution, .pooling, .normalization: false
    }
  }

  /// The largest tile of Winograd's method: the fastest; smaller ones are more accurate.
  private static let largestTile = 7

  /// Prepares all layers; weights are transformed on all threads.
  static func layers(
    of model: Model, _ options: EngineOptions, _ threads: Threads
  ) throws(EngineError) -> [FastLayer] {
    let network = model.network
    // The tile is chosen once, for one extent: the weights are transformed for it.
    let extent = options.extent ?? network.inputExtent ?? Extent(side: 224)
    let prepared = try PreparedLayer.layers(of: model)
    let input = FeatureShape(extent: extent, channels: network.inputChannels)
    let shapes = (try? prepared.outputShapes(for: input, of: network)) ?? []
    var layers: [FastLayer] = []
    for (index, layer) in prepared.enumerated() {
      let input = index == 0 ? extent : shapes.indices.contains(index) ? shapes[index - 1].extent : nil
      let output = shapes.indices.contains(index) ? shapes[index].extent : nil
      let next = index + 1 < prepared.count ? prepared[index + 1].operation : nil
      layers.append(
        try FastLayer(
          layer, isFirst: index == 0, extents: input.flatMap { input in output.map { (input, $0) } }, next,
          options.instructionSet.kernelValue, threads, savesMemory: options.savesMemory))
    }
    return layers
  }

  private init(
    _ prepared: PreparedLayer, isFirst: Bool, extents: (input: Extent, output: Extent)?,
    _ next: PreparedLayer.Operation?, _ instructionSet: VGKISA, _ threads: Threads, savesMemory: Bool
  ) throws(EngineError) {
    self.prepared = prepared
    switch prepared.operation {
    case .convolution(let convolution, let weight, _):
      var tile = 0
      var fuses = false
      if let extents, !savesMemory {
        var shape = convolution.kernelShape(extents.input, extents.output)
        tile = vgk_fast_winograd_best_tile(&shape, false, FastLayer.largestTile)
        if tile > 0, case .pooling(let pooling)? = next, pooling.isPlain {
          fuses = vgk_fast_winograd_best_tile(&shape, true, FastLayer.largestTile) == tile
        }
      }
      fusesPooling = fuses
      let inputIsPacked = isFirst && tile == 0
      if savesMemory {
        method = .direct(inputIsPacked: inputIsPacked, weights: nil)
        return
      }
      if tile > 0 {
        method = .winograd(
          tile: tile, weights: try convolution.transformed(weight, tile: tile, instructionSet, threads))
      } else {
        let packed = try AlignedMemory<Float>(count: convolution.packedCount(instructionSet))
        if let target = packed.buffer.baseAddress {
          try convolution.pack(weight, into: target, instructionSet, threads)
        }
        method = .direct(inputIsPacked: inputIsPacked, weights: packed)
      }
    case .dense(let dense, let weight, _):
      fusesPooling = false
      let areKept = weight.inMemory != nil || weight.prefersLongRanges && !savesMemory
      method = .dense(
        weights: areKept
          ? try DecodedWeights(weight, 0..<weight.count, rowLength: dense.outputs, threads) : nil)
    case .pooling, .normalization, .softmax, .sigmoid:
      fusesPooling = false
      method = .plain
    }
  }
}

/// Weights in the order of the kernels. It depends on kernel and channels only: any extent will do for the plan.
extension Convolution {
  private var anyKernelShape: VGKConvolutionShape { kernelShape(Extent(side: 1), Extent(side: 1)) }

  fileprivate func transformed(
    _ values: any TensorValues, tile: Int, _ instructionSet: VGKISA, _ threads: Threads
  ) throws(EngineError) -> AlignedMemory<Float> {
    let weights = try DecodedWeights(values, 0..<values.count, rowLength: outputChannels, threads)
    var shape = anyKernelShape
    let plan = vgk_fast_winograd_plan(instructionSet, tile, &shape, 1, nil, 1)
    let memory = try AlignedMemory<Float>(count: plan.weightCount)
    weights.withPointer { source in
      guard let target = memory.buffer.baseAddress else { return }
      threads.perform(plan.panelCount) { panels in
        withUnsafePointer(to: plan) {
          vgk_fast_winograd_weights($0, source, target, panels.lowerBound, panels.upperBound)
        }
      }
    }
    return memory
  }

  /// The number of floats of packed weights.
  func packedCount(_ instructionSet: VGKISA) -> Int {
    var shape = anyKernelShape
    return vgk_fast_direct_plan(instructionSet, &shape, inputChannels).weightCount
  }

  /// Packs weights for direct convolution, some rows at a time.
  func pack(
    _ weights: any TensorValues, into target: UnsafeMutablePointer<Float>, _ instructionSet: VGKISA,
    _ threads: Threads
  ) throws(EngineError) {
    var shape = anyKernelShape
    let plan = vgk_fast_direct_plan(instructionSet, &shape, inputChannels)
    let rowsAtOnce = max(1, (1 << 16) / outputChannels)
    let failure = Mutex<FileError?>(nil)
    threads.perform(weights.count / outputChannels, granularity: rowsAtOnce) { part in
      do throws(FileError) {
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
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw .weights(error) }
  }
}
