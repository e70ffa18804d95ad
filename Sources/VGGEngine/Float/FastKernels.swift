internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// The layers of the fast path, each split over the threads of a workspace.
struct FastKernels {
  let instructionSet: VGKISA
  let workspace: Workspace
  /// For what is decoded while a run is under way.
  let threads: Threads

  var pool: ThreadPool { workspace.pool }

  /// Computes a layer, and the pooling behind it where one is given.
  func compute(
    _ layer: FastLayer, pooling: Pooling?, _ input: ActivationMap, into output: ActivationMap
  ) throws(EngineError) {
    switch layer.prepared.operation {
    case .convolution(let convolution, let weight, let bias):
      switch layer.method {
      case .winograd(let tile, let weights):
        try winograd(convolution, tile, weights, bias, pooling, padded(input), into: output)
      case .direct(let inputIsPacked, let weights):
        let input = try inputIsPacked ? packed(input) : padded(input)
        try direct(convolution, weight, packed: weights, bias, input, into: output)
      case .dense, .plain: preconditionFailure("a convolution has weights of its own kind")
      }
    case .dense(let dense, let weight, let bias):
      guard case .dense(let weights) = layer.method else {
        preconditionFailure("a dense layer has dense weights")
      }
      try multiply(
        dense, window: layer.prepared.window, weight, decoded: weights, bias, input, into: output)
    case .pooling(let pooling):
      try pool(pooling, padded(input), into: output)
    case .normalization(let normalization):
      try normalize(normalization, padded(input), into: output)
    case .softmax:
      let input = try packed(input)
      pool.perform(input.pixelCount, pieceLength: 16) { _, rows in
        vgk_reference_softmax(
          input.shape.channels, input.base, output.base, rows.lowerBound, rows.upperBound)
      }
    case .sigmoid:
      let input = try packed(input)
      vgk_reference_sigmoid(input.pixelCount * input.shape.channels, input.base, output.base)
    }
  }

  // Convolution

  private func winograd(
    _ convolution: Convolution, _ tile: Int, _ weights: AlignedMemory<Float>, _ bias: [Float]?,
    _ pooling: Pooling?, _ input: ActivationMap, into output: ActivationMap
  ) throws(EngineError) {
    let between = try? Layer(name: "", operation: .convolution(convolution)).outputShape(for: input.shape)
    guard let prepared = weights.buffer.baseAddress, let between else { return }
    var shape = convolution.kernelShape(input.shape.extent, between.extent)
    let plan =
      if let pooling {
        withUnsafePointer(to: pooling.kernelShape(between, output.shape.extent)) {
          vgk_fast_winograd_plan(instructionSet, tile, &shape, input.count, $0, pool.count)
        }
      } else {
        vgk_fast_winograd_plan(instructionSet, tile, &shape, input.count, nil, pool.count)
      }
    let scratch = try workspace.take(.scratch, plan.scratchCount * pool.count)
    pool.perform(plan.unitCount, pieceLength: 1) { thread, units in
      withUnsafePointer(to: plan) {
        vgk_fast_winograd(
          $0, input.base, prepared, bias, convolution.activation == .relu, output.base,
          scratch + thread * plan.scratchCount, units.lowerBound, units.upperBound)
      }
    }
    withExtendedLifetime(weights) {}
  }

  private func direct(
    _ convolution: Convolution, _ weight: any TensorValues, packed: AlignedMemory<Float>?, _ bias: [Float]?,
    _ input: ActivationMap, into output: ActivationMap
  ) throws(EngineError) {
    guard convolution.scratchIsSmall(output.shape.extent, stride: input.stride) else {
      return try directWithoutScratch(convolution, weight, bias, input, into: output)
    }
    var shape = convolution.kernelShape(input.shape.extent, output.shape.extent)
    let plan = vgk_fast_direct_plan(instructionSet, &shape, input.stride)
    let prepared: UnsafeMutablePointer<Float>
    if let kept = packed?.buffer.baseAddress {
      prepared = kept
    } else {
      prepared = try workspace.take(.weights, plan.weightCount)
      try convolution.pack(weight, into: prepared, instructionSet, threads)
    }
    let scratch = try workspace.take(.scratch, plan.scratchCount * pool.count)
    let rows = input.count * output.shape.extent.height
    pool.perform(rows, pieceLength: pieceLength(rows, multiple: plan.blockRows)) { thread, rows in
      withUnsafePointer(to: plan) {
        vgk_fast_direct(
          $0, input.base, prepared, bias, convolution.activation == .relu, output.base,
          scratch + thread * plan.scratchCount, rows.lowerBound, rows.upperBound)
      }
    }
    withExtendedLifetime(packed) {}
  }

  /// Windows that reach very far: the reference path needs no memory for them.
  private func directWithoutScratch(
    _ convolution: Convolution, _ weight: any TensorValues, _ bias: [Float]?, _ input: ActivationMap,
    into output: ActivationMap
  ) throws(EngineError) {
    let input = try packed(input)
    let shape = convolution.kernelShape(input.shape.extent, output.shape.extent)
    let decoded = try DecodedWeights(
      weight, 0..<weight.count, rowLength: convolution.outputChannels, threads)
    let rows = input.count * output.shape.extent.height
    let channels = output.shape.channels
    let target = try workspace.take(.windows, output.pixelCount * channels)
    decoded.withPointer { weights in
      pool.perform(rows, pieceLength: 1) { _, rows in
        withUnsafePointer(to: shape) {
          vgk_reference_convolution(
            instructionSet, $0, input.base, weights, bias, convolution.activation == .relu, target,
            rows.lowerBound, rows.upperBound)
        }
      }
    }
    vgk_fast_pad_channels(channels, target, output.base, 0, output.pixelCount)
  }

  // Layers without weights

  private func pool(_ pooling: Pooling, _ input: ActivationMap, into output: ActivationMap) {
    let shape = pooling.kernelShape(input.shape, output.shape.extent)
    let rows = input.count * output.shape.extent.height
    pool.perform(rows, pieceLength: pieceLength(rows)) { _, rows in
      withUnsafePointer(to: shape) {
        vgk_fast_pooling(
          instructionSet, $0, pooling.kernelMethod, input.base, output.base, rows.lowerBound, rows.upperBound)
      }
    }
  }

  private func normalize(
    _ normalization: LocalResponseNormalization, _ input: ActivationMap, into output: ActivationMap
  ) {
    let constants = normalization.kernelConstants
    let extent = input.shape.extent
    let rows = input.count * extent.height
    pool.perform(rows, pieceLength: pieceLength(rows)) { _, rows in
      withUnsafePointer(to: constants) {
        switch normalization.region {
        case .acrossChannels:
          vgk_fast_normalization(
            instructionSet, $0, input.shape.channels, input.base, output.base,
            rows.lowerBound * extent.width, rows.upperBound * extent.width)
        case .withinChannel:
          vgk_reference_lrn_within_channel(
            $0, extent.height, extent.width, input.stride, input.base, output.base, rows.lowerBound,
            rows.upperBound)
        }
      }
    }
  }

  // Helpers

  /// A length of pieces that gives each thread about four, so that one that is held up delays nobody for long.
  private func pieceLength(_ total: Int, multiple: Int = 1) -> Int {
    let length = max(1, (total + 4 * pool.count - 1) / (4 * pool.count))
    return (length + multiple - 1) / max(1, multiple) * max(1, multiple)
  }

  /// The map with pixels whose channels are padded to a multiple of 16.
  private func padded(_ map: ActivationMap) throws(EngineError) -> ActivationMap {
    let stride = vgk_fast_channel_stride(map.shape.channels)
    guard map.stride != stride else { return map }
    return try converted(map, stride: stride, vgk_fast_pad_channels)
  }

  /// The map with pixels that lie side by side.
  private func packed(_ map: ActivationMap) throws(EngineError) -> ActivationMap {
    map.isPacked ? map : try converted(map, stride: map.shape.channels, vgk_fast_unpad_channels)
  }

  private func converted(
    _ map: ActivationMap, stride: Int,
    _ kernel: (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int, Int) -> Void
  ) throws(EngineError) -> ActivationMap {
    var result = map
    result.stride = stride
    result.base = try workspace.take(.converted, map.pixelCount * stride)
    kernel(map.shape.channels, map.base, result.base, 0, map.pixelCount)
    return result
  }
}

extension Convolution {
  /// Whether the padded rows that a thread keeps have at most 2^28 values.
  fileprivate func scratchIsSmall(_ output: Extent, stride inputStride: Int) -> Bool {
    let rows = 112 * Double(stride.height) + Double(kernel.height) * Double(dilation.height)
    let columns =
      Double(output.width) * Double(stride.width) + Double(kernel.width) * Double(dilation.width)
    return rows * columns * Double(inputStride) <= Double(1 << 28)
  }
}

extension ActivationMap {
  /// Copies what a window sees at some of its positions, which are counted through the batch, in order.
  func gatherWindows(
    _ window: Extent, positions: Extent, _ rows: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    var target = target
    let channels = shape.channels
    let lineLength = shape.extent.width * stride
    for row in rows {
      let (picture, position) = row.quotientAndRemainder(dividingBy: positions.height * positions.width)
      let (y, x) = position.quotientAndRemainder(dividingBy: positions.width)
      let corner = base + (picture * shape.extent.height + y) * lineLength + x * stride
      for line in 0..<window.height {
        for column in 0..<window.width {
          target.update(from: corner + line * lineLength + column * stride, count: channels)
          target += channels
        }
      }
    }
  }
}
