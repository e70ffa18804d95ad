internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// The weights and biases of the judged channels of one layer, and an engine for the layer alone.
struct LayerTensors {
  var weight: any TensorValues
  /// Empty without a bias.
  var bias: [Float]

  /// Takes the channels of a sample out of a model.
  init(of sample: LayerSample, in model: Model) throws(EngineError) {
    (weight, bias) = (MemoryValues([]), [])
    guard let tensor = model.tensor(sample.layer.weightName) else { return }
    let channelCount = tensor.shape[tensor.shape.count - 1]
    do throws(FileError) {
      // A sample is small and used by several engines: it is read once.
      weight =
        sample.channels == 0..<channelCount
        ? tensor.values
        : MemoryValues(try tensor.values.channels(sample.channels, of: channelCount).array())
      guard let values = model.tensor(sample.layer.biasName)?.values else { return }
      bias = Array(try values.array()[sample.channels])
    } catch {
      throw .weights(error)
    }
  }

  /// The same with another weight.
  func mappingWeight(_ transform: (any TensorValues) -> any TensorValues) -> LayerTensors {
    var result = self
    result.weight = transform(weight)
    return result
  }

  /// An engine of one layer that computes the sample's channels.
  ///
  /// - Parameters:
  ///   - layer: The layer whose settings hold, which may be another model's.
  ///   - sample: The outputs to compute.
  ///   - options: How the engine works.
  ///   - isLinear: Whether bias and activation are left out.
  func engine(
    _ layer: Layer, _ sample: LayerSample, _ options: EngineOptions, isLinear: Bool = false
  ) throws(EngineError) -> LayerEngine {
    let layer = Layer(
      name: layer.name, operation: layer.operation.narrowed(to: sample.channels.count, isLinear: isLinear))
    return try LayerEngine(
      WeightedLayer(
        layer, weight: weight, bias: layer.tensorRequirements.contains { $0.role == .bias } ? bias : nil,
        window: sample.window),
      options: options)
  }

  /// For each output channel, the sum of the magnitudes of its weights times that of their input channel.
  func weightSums(inputMagnitudes: [Float], channelCount outputs: Int) throws(EngineError) -> [Double] {
    let values: [Float]
    do throws(FileError) { values = try weight.array() } catch { throw .weights(error) }
    return values.withUnsafeBufferPointer { values in
      var sums = [Double](repeating: 0, count: outputs)
      for row in 0..<values.count / max(1, outputs) {
        let input = Double(inputMagnitudes[row % inputMagnitudes.count])
        for output in 0..<outputs { sums[output] += input * Double(values[row * outputs + output]).magnitude }
      }
      return sums
    }
  }
}

extension Layer.Operation {
  /// The same for some output channels, without bias and activation where nothing but products is wanted.
  fileprivate func narrowed(to channelCount: Int, isLinear: Bool) -> Layer.Operation {
    switch self {
    case .convolution(var convolution):
      convolution.outputChannels = channelCount
      if isLinear { (convolution.hasBias, convolution.activation) = (false, .none) }
      return .convolution(convolution)
    case .dense(var dense):
      dense.outputs = channelCount
      if isLinear { (dense.hasBias, dense.activation) = (false, .none) }
      return .dense(dense)
    case .pooling, .normalization, .softmax, .sigmoid: return self
    }
  }
}
