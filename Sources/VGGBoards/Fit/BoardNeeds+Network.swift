internal import CVGGRuntime
public import VGGModel
public import VGGTensors

extension BoardNeeds {
  /// What layers need that are carried out by a plan.
  init(of layers: [BoardLayer], by plan: BoardPlan, on processor: Processor) {
    self.init(
      weightByteCount: layers.reduce(MemoryLayout<vggrt_image_header>.size) { $0 + $1.imageByteCount },
      tableByteCount: 64 + layers.count * 64 + plan.groups.count * 12
        + layers.reduce(0) { $0 + $1.tableByteCount },
      codeByteCount: processor.codeByteCount, arenaByteCount: plan.arenaByteCount,
      stackByteCount: layers.stackByteCount)
    readsWeights = plan.windowByteCount > 0
  }
}

extension BoardBuild {
  /// What a network needs, with the plan of the smallest arena.
  ///
  /// - Throws: Where the picture does not fit the network, a layer is none that boards compute, or the window is too small for one.
  public func needs(of network: Network, for extent: Extent) throws(ShapeError) -> (BoardNeeds, BoardPlan) {
    let layers = try layers(of: network, for: extent)
    guard let plan = BoardPlan.smallest(of: layers, windowByteCount: windowByteCount ?? 0) else {
      throw ShapeError(layer: "network", problem: "has no layers")
    }
    return (BoardNeeds(of: layers, by: plan, on: processor), plan)
  }
}

extension BoardLayer {
  /// The bytes that the layer takes in the image: its channels' numbers and its rows of weights, each up to a multiple of 16.
  fileprivate var imageByteCount: Int {
    weightByteCount.aligned + (storedByteCount - weightByteCount).aligned
  }

  /// The bytes of the table that a layer computes with.
  fileprivate var tableByteCount: Int {
    switch kind {
    case .softmax: 256 * 4
    case .lookup: 256
    case .normalization: 32
    case .convolution, .maximumPooling, .averagePooling, .dense: 0
    }
  }
}

extension Processor {
  /// The runtime's instructions and constants, compiled for size with Debian's GCC 12 for the rounding `tflm`, with SHA-256 and expanded
  /// weights; a little less without these. 5 kB more for `litert` where there is no floating-point unit.
  var codeByteCount: Int {
    switch self {
    case .cortexM0Plus: 8000
    case .cortexM4, .cortexM7, .cortexM33: 7400
    case .cortexM55: 8000
    case .cortexA53: 12000
    case .riscV32, .xtensaLX7: 8400
    }
  }
}
