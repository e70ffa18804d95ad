public import VGGModel
public import VGGTensors

/// What a network computes for one picture, as far as one kind of kernel computes it.
public struct BoardWork: Equatable, Sendable {
  /// A kind of kernel, and what is counted as one operation of it.
  public enum Kernel: String, CaseIterable, Sendable {
    /// A multiply-accumulate of a convolution.
    case convolution
    /// A multiply-accumulate of a dense layer.
    case dense
    /// A code that a window of a pooling looks at.
    case pooling
    /// An output of a softmax, a sigmoid or a normalisation.
    case elements
  }

  /// What computes it.
  public let kernel: Kernel
  /// How many operations there are.
  public let operationCount: Int
  /// How many codes come of them.
  public let outputCount: Int

  /// Creates some work.
  public init(kernel: Kernel, operationCount: Int, outputCount: Int) {
    (self.kernel, self.operationCount, self.outputCount) = (kernel, operationCount, outputCount)
  }
}

extension Network {
  /// What a board computes for one picture, by kernel; kernels without work are left out.
  ///
  /// - Throws: Where the picture does not fit the network, or a number does not fit 64 bits.
  public func boardWork(for extent: Extent) throws(ShapeError) -> [BoardWork] {
    var counts: [BoardWork.Kernel: (operations: Int, outputs: Int)] = [:]
    func add(_ operations: Int, _ outputs: Int, to kernel: BoardWork.Kernel) {
      let (before, outputsBefore) = counts[kernel] ?? (0, 0)
      counts[kernel] = (before + operations, outputsBefore + outputs)
    }
    var input = FeatureShape(extent: extent, channels: inputChannels)
    for cost in try costs(for: extent, elementByteCount: 1).layers {
      let outputs = cost.output.count
      switch cost.layer.operation {
      case .convolution: add(cost.multiplyAccumulateCount, outputs, to: .convolution)
      case .dense: add(cost.multiplyAccumulateCount, outputs, to: .dense)
      case .pooling(let pooling):
        let window = pooling.isGlobal ? input.extent : pooling.kernel
        add(outputs * window.height * window.width, outputs, to: .pooling)
      case .softmax, .sigmoid, .normalization: add(outputs, outputs, to: .elements)
      }
      input = cost.output
    }
    return BoardWork.Kernel.allCases.compactMap { kernel in
      counts[kernel].map { BoardWork(kernel: kernel, operationCount: $0, outputCount: $1) }
    }
  }
}
