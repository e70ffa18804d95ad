internal import CVGGRuntime
public import VGGModel
public import VGGTensors

extension BoardNeeds {
  /// What layers need that are carried out by a plan.
  init(of layers: [BoardLayer], by plan: BoardPlan, in build: BoardBuild) {
    self.init(
      weightByteCount: layers.imageByteCount,
      tableByteCount: build.constantByteCount(of: layers, by: plan),
      codeByteCount: build.processor.codeByteCount(
        of: build.rounding, normalizes: layers.contains { $0.kind == .normalization }),
      arenaByteCount: plan.arenaByteCount, stackByteCount: layers.stackByteCount)
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
    return (BoardNeeds(of: layers, by: plan, in: self), plan)
  }

  /// The model's constants in `model.c` on a machine of 32 bits, but for the self-test's, which is left out where it is not linked: layers,
  /// maps, groups, the model itself, tables, names, and the codes of pictures' bytes.
  fileprivate func constantByteCount(of layers: [BoardLayer], by plan: BoardPlan) -> Int {
    let structures = layers.count * 56 + plan.maps.count * 8 + plan.groups.count * 12 + 80
    // A pointer, and a zero at the end.
    let names = (layers.map(\.name) + labels).reduce(0) { $0 + 5 + $1.utf8.count }
    let tables = layers.reduce(0) { $0 + $1.tableByteCount }
    return structures + names + tables + (preparesPictures ? layers[0].input.channels * 256 : 0)
  }
}

extension [BoardLayer] {
  /// The bytes of the image of the weights: a header, and for each layer its channels' numbers and its rows, each from a multiple of 16
  /// on.
  var imageByteCount: Int {
    var end = MemoryLayout<vggrt_image_header>.size
    for layer in self where layer.hasWeights {
      end = end.aligned + layer.storedByteCount - layer.weightByteCount
      end = end.aligned + layer.weightByteCount
    }
    return end
  }
}

extension BoardLayer {
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
  /// The runtime's instructions and constants, compiled for size with Debian's GCC 12, with SHA-256, expanded weights, `memcpy` and `memset`; a
  /// little less without these. `Tests/Boards/run.sh` measures some of it again.
  ///
  /// Floats, of the rounding `litert` and of normalisations, take the compiler's library where the processor has no unit for them, or is not
  /// compiled for it. Xtensa is taken for a RISC-V.
  func codeByteCount(of rounding: IntegerArithmetic.Rounding, normalizes: Bool) -> Int {
    let (integers, floats, normalization) =
      switch self {
      case .cortexM0Plus: (8000, 3200, 8800)
      case .cortexM4, .cortexM7, .cortexM33: (7400, 1800, 4300)
      case .cortexM55: (8000, 300, 700)
      case .cortexA53: (12_600, 300, 600)
      case .riscV32, .xtensaLX7: (8400, 3300, 8000)
      }
    return integers + (rounding == .litert ? floats : 0) + (normalizes ? normalization : 0)
  }
}
