internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// The layers of the reference path, each split over threads. An output has its shape before it is computed.
struct ReferenceKernels: Sendable {
  let instructionSet: VGKISA
  let threads: Threads
  /// The number of a dense layer's weights that are decoded at a time.
  let decodedBlockLength: Int

  func convolve(
    _ convolution: Convolution, weight: any TensorValues, bias: [Float]?, _ input: FeatureMap,
    into output: inout FeatureMap
  ) throws(EngineError) {
    let geometry = convolution.kernelShape(input.shape.extent, output.shape.extent)
    let appliesReLU = convolution.activation == .relu
    let weights = try DecodedWeights(weight, 0..<weight.count, rowLength: output.shape.channels, threads)
    weights.withPointer { weights in
      split(input, &output, output.rowCount) { source, target, rows in
        withUnsafePointer(to: geometry) { geometry in
          vgk_reference_convolution(
            instructionSet, geometry, source, weights, bias, appliesReLU, target, rows.lowerBound,
            rows.upperBound)
        }
      }
    }
  }

  func pool(_ pooling: Pooling, _ input: FeatureMap, into output: inout FeatureMap) {
    let geometry = pooling.kernelShape(input.shape, output.shape.extent)
    let method = pooling.kernelMethod
    split(input, &output, output.rowCount) { source, target, rows in
      withUnsafePointer(to: geometry) { geometry in
        vgk_reference_pooling(geometry, method, source, target, rows.lowerBound, rows.upperBound)
      }
    }
  }

  func normalize(
    _ normalization: LocalResponseNormalization, _ input: FeatureMap, into output: inout FeatureMap
  ) {
    let constants = normalization.kernelConstants
    let (extent, channels) = (input.shape.extent, input.shape.channels)
    split(input, &output, output.rowCount) { source, target, rows in
      withUnsafePointer(to: constants) { constants in
        switch normalization.region {
        case .acrossChannels:
          vgk_reference_lrn_across_channels(
            constants, channels, source, target, rows.lowerBound * extent.width,
            rows.upperBound * extent.width)
        case .withinChannel:
          vgk_reference_lrn_within_channel(
            constants, extent.height, extent.width, channels, source, target, rows.lowerBound, rows.upperBound
          )
        }
      }
    }
  }

  func softmax(_ input: FeatureMap, into output: inout FeatureMap) {
    let (width, channels) = (input.shape.extent.width, input.shape.channels)
    split(input, &output, output.rowCount) { source, target, rows in
      vgk_reference_softmax(channels, source, target, rows.lowerBound * width, rows.upperBound * width)
    }
  }

  func sigmoid(_ input: FeatureMap, into output: inout FeatureMap) {
    input.withValues { source in
      output.withMutableValues { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        vgk_reference_sigmoid(input.valueCount, source, target)
      }
    }
  }

  func multiply(
    _ dense: Dense, weight: any TensorValues, bias: [Float]?, _ input: FeatureMap,
    into output: inout FeatureMap
  ) throws(EngineError) {
    guard weight.inMemory != nil else {
      return try multiplyDecoding(dense, weight, bias, input, into: &output)
    }
    let count = input.count
    let weights = try DecodedWeights(weight, 0..<weight.count, rowLength: dense.outputs, threads)
    weights.withPointer { weights in
      split(input, &output, dense.outputs, granularity: 64) { source, target, columns in
        vgk_reference_dense(
          instructionSet, count, dense.inputs, dense.outputs, source, weights, bias,
          dense.activation == .relu, target,
          columns.lowerBound, columns.upperBound)
      }
    }
  }

  /// Splits a layer over threads by rows, or by another measure of its output.
  private func split(
    _ input: FeatureMap, _ output: inout FeatureMap, _ total: Int, granularity: Int = 1,
    _ kernel: (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Range<Int>) -> Void
  ) {
    input.withValues { source in
      output.withMutableValues { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        threads.perform(total, granularity: granularity) { kernel(source, target, $0) }
      }
    }
  }
}

extension FeatureMap {
  /// The number of rows of all pictures.
  fileprivate var rowCount: Int { count * shape.extent.height }
}
