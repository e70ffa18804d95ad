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

  /// Creates some work.
  public init(kernel: Kernel, operationCount: Int) {
    (self.kernel, self.operationCount) = (kernel, operationCount)
  }
}

extension Network {
  /// What a board computes for one picture, by kernel; kernels without work are left out.
  ///
  /// - Throws: Where the picture does not fit the network, or a number does not fit 64 bits.
  public func boardWork(for extent: Extent) throws(ShapeError) -> [BoardWork] {
    var counts: [BoardWork.Kernel: Int] = [:]
    var input = FeatureShape(extent: extent, channels: inputChannels)
    for cost in try costs(for: extent, elementByteCount: 1).layers {
      switch cost.layer.operation {
      case .convolution: counts[.convolution, default: 0] += cost.multiplyAccumulateCount
      case .dense: counts[.dense, default: 0] += cost.multiplyAccumulateCount
      case .pooling(let pooling):
        let window = pooling.isGlobal ? input.extent : pooling.kernel
        counts[.pooling, default: 0] += cost.output.count * window.height * window.width
      case .softmax, .sigmoid, .normalization: counts[.elements, default: 0] += cost.output.count
      }
      input = cost.output
    }
    return BoardWork.Kernel.allCases.compactMap { kernel in
      counts[kernel].map { BoardWork(kernel: kernel, operationCount: $0) }
    }
  }
}
