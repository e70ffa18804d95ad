internal import VGGEngine
public import VGGModel
public import VGGTensors

extension BoardNeeds {
  /// What a network needs that computes in integers, whatever its weights are.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - extent: The extent of the pictures.
  ///   - build: How it is made.
  /// - Throws: Where the picture does not fit the network, or a number does not fit.
  public init(of network: Network, for extent: Extent, as build: BoardBuild) throws(ShapeError) {
    let plan = try MemoryPlan(of: network, for: extent, elementByteCount: 1)
    self.init(
      weightByteCount: network.layers.reduce(16) {
        $0 + $1.imageByteCount(keptFraction: build.keptDenseFraction)
      },
      tableByteCount: 64 + network.layers.reduce(0) { $0 + $1.tableByteCount },
      codeByteCount: build.kernels.codeByteCount,
      arenaByteCount: plan.peakByteCount + (build.windowByteCount ?? 0),
      stackByteCount: 1024)
    readsWeights = build.windowByteCount != nil
  }
}

extension Layer {
  /// The bytes of the layer's numbers and weights in the image.
  fileprivate func imageByteCount(keptFraction: Double?) -> Int {
    switch operation {
    case .convolution(let convolution):
      return convolution.outputChannels * (12 + multipleOfFour(reductionLength))
    case .dense(let dense):
      guard let keptFraction else { return dense.outputs * (12 + multipleOfFour(dense.inputs)) }
      let kept = Int((Double(dense.inputs) * keptFraction).rounded(.up))
      return dense.outputs * (12 + multipleOfFour(4 + (dense.inputs + 7) / 8 + kept))
    case .pooling, .normalization, .softmax, .sigmoid:
      return 0
    }
  }

  /// The bytes of the layer's constants: of itself, its map and its group, and its table.
  fileprivate var tableByteCount: Int {
    let table =
      switch operation {
      case .softmax: 256 * 4
      case .sigmoid: 256
      case .normalization: 32
      case .convolution, .dense, .pooling: 0
      }
    return 52 + 8 + 12 + table
  }
}

private func multipleOfFour(_ count: Int) -> Int { (count + 3) / 4 * 4 }

extension KernelSet {
  /// The runtime's instructions and constants, compiled for size.
  var codeByteCount: Int {
    switch self {
    case .portable: 8000
    case .dsp: 8000
    case .helium: 9000
    case .neon: 16000
    }
  }
}
