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
  ) throws(EngineError) -> any Engine {
    let operation = layer.operation.narrowed(to: sample.channels.count, isLinear: isLinear)
    let layer = Layer(name: layer.name, operation: operation)
    let network = Network(
      architecture: .d, inputChannels: sample.input.channels, inputExtent: nil, layers: [layer])
    let tensors = layer.tensorRequirements.map { needed in
      Tensor(
        name: needed.name, role: needed.role, shape: needed.shape,
        values: needed.role == .weight ? weight : MemoryValues(bias))
    }
    let model: Model
    do throws(ShapeError) {
      model = try Model(
        network: network, tensors: tensors, preprocessing: nil,
        provenance: Provenance(sourceName: "", sourceByteCount: 0, format: "", generation: ""))
    } catch {
      throw .shape(error)
    }
    return try options.engine(for: model)
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

extension Engine {
  /// Runs the layer of a network that has one; a dense one slides over an input that is larger than its window.
  func evaluate(_ sample: LayerSample, on input: FeatureMap) throws(EngineError) -> FeatureMap {
    let layer = network.layers[0]
    guard case .dense(let dense) = layer.operation, input.shape.count != dense.inputs,
      let window = sample.window,
      window.height <= input.shape.extent.height, window.width <= input.shape.extent.width
    else { return try evaluate(layer, on: input) }
    let positions = Extent(
      height: input.shape.extent.height - window.height + 1,
      width: input.shape.extent.width - window.width + 1)
    let scores = try evaluate(layer, on: input.windows(of: window, at: positions))
    return try FeatureMap(
      count: input.count, shape: FeatureShape(extent: positions, channels: dense.outputs),
      values: scores.values)
  }
}
