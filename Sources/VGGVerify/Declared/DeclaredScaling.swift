internal import VGGModel
internal import VGGTensors

/// The powers of two that the values of a tensor are multiplied by.
struct DeclaredScaling: Equatable, Sendable {
  /// The exponent for each channel of the input; empty: 0 for all.
  let inputs: [Int]
  /// The exponent for each output channel.
  let outputs: [Int]
  private let outputFactors: [Double]

  init(inputs: [Int] = [], outputs: [Int]) {
    (self.inputs, self.outputs) = (inputs, outputs)
    outputFactors = outputs.map(Self.power)
  }

  private static func power(_ exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: 1)
  }

  /// What takes it back.
  var inverse: DeclaredScaling { DeclaredScaling(inputs: inputs.map { -$0 }, outputs: outputs.map { -$0 }) }

  /// One scaling after another of the same tensor.
  func followed(by other: DeclaredScaling) -> DeclaredScaling {
    DeclaredScaling(
      inputs: inputs.isEmpty
        ? other.inputs : other.inputs.isEmpty ? inputs : zip(inputs, other.inputs).map { $0 + $1 },
      outputs: zip(outputs, other.outputs).map { $0 + $1 })
  }

  /// Multiplies values; each is rounded once, and only where it becomes subnormal or infinite.
  func apply(to values: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    outputFactors.withUnsafeBufferPointer { factors in
      var (row, column) = firstIndex.quotientAndRemainder(dividingBy: factors.count)
      var index = 0
      while index < values.count {
        let factor = inputs.isEmpty ? 1 : Self.power(inputs[row % inputs.count])
        let end = min(values.count, index + factors.count - column)
        while index < end {
          values[index] = Float(Double(values[index]) * (factor * factors[column]))
          (index, column) = (index + 1, column + 1)
        }
        (row, column) = (row + 1, 0)
      }
    }
  }
}

extension ChannelEqualization {
  /// What each tensor is multiplied by, by its name; nil where the factors would change what the network computes.
  ///
  /// The rule is stated here a second time: behind a divided layer there must be poolings alone up to one whose inputs are its
  /// channels, each as often as there are places in a flattened map.
  func declaredScalings(in network: Network) -> [String: DeclaredScaling]? {
    var scalings: [String: DeclaredScaling] = [:]
    func add(_ layer: VGGModel.Layer, _ role: Tensor.Role, inputs: [Int] = [], outputs: [Int]?) {
      for needed in layer.tensorRequirements where needed.role == role {
        let outputs = outputs ?? Array(repeating: 0, count: needed.shape.last ?? 1)
        let scaling = DeclaredScaling(inputs: inputs, outputs: outputs)
        scalings[needed.name] = scalings[needed.name]?.followed(by: scaling) ?? scaling
      }
    }
    for factors in layers {
      guard let index = network.layers.firstIndex(where: { $0.name == factors.name }) else { return nil }
      let count = factors.exponents.count
      let first = network.layers[index]
      guard factors.exponents.allSatisfy({ -24 <= $0 && $0 <= 24 }),
        layers.count(where: { $0.name == factors.name }) == 1,
        let weight = first.tensorRequirements.first, weight.shape.last == count
      else { return nil }
      let second = network.layers[(index + 1)...].first { layer in
        if case .pooling = layer.operation { false } else { true }
      }
      guard let second else { return nil }
      switch second.operation {
      case .convolution(let convolution) where convolution.inputChannels == count: break
      case .dense(let dense) where dense.inputs % count == 0: break
      case .convolution, .dense, .pooling, .normalization, .softmax, .sigmoid: return nil
      }
      let divided = factors.exponents.map { -$0 }
      add(first, .weight, outputs: divided)
      add(first, .bias, outputs: divided)
      add(second, .weight, inputs: factors.exponents, outputs: nil)
    }
    return scalings
  }
}
