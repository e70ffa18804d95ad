public import VGGBytes
public import VGGModel
public import VGGTensors

/// How a network is made for a board, as far as it decides what the network needs there.
public struct BoardBuild: Equatable, Sendable {
  /// The processor that it is compiled for.
  public var processor: Processor
  /// The part of the dense layers' weights that is not zero; nil: they are stored one by one.
  public var keptDenseFraction: Double?
  /// The bytes that weights are read to at a time; nil: they lie in memory.
  public var windowByteCount: Int?
  /// How sums are rounded.
  public var rounding = IntegerArithmetic.Rounding.tflm
  /// The names of the classes, which are constants too.
  public var labels: [String] = []
  /// Whether the codes of pictures' bytes are there.
  public var preparesPictures = true

  /// Creates a build.
  public init(processor: Processor, keptDenseFraction: Double? = nil, windowByteCount: Int? = nil) {
    self.processor = processor
    self.keptDenseFraction = keptDenseFraction
    self.windowByteCount = windowByteCount
  }

  /// The layers of a network, with their weights as they are stored.
  ///
  /// - Throws: Where the picture does not fit the network, a layer is none that boards compute, or the window is too small for one.
  public func layers(of network: Network, for extent: Extent) throws(ShapeError) -> [BoardLayer] {
    let layers = try BoardLayer.layers(of: network, for: extent)
    guard let keptDenseFraction else { return try checked(layers) }
    return try checked(
      zip(network.layers, layers).map { layer, boardLayer in
        guard case .dense(let dense) = layer.operation else { return boardLayer }
        let weightCount = Double(dense.inputs) * Double(dense.outputs)
        return boardLayer.encoded(
          as: .sparse, nonzeroCount: Int((weightCount * keptDenseFraction).rounded(.up)))
      })
  }

  private func checked(_ layers: [BoardLayer]) throws(ShapeError) -> [BoardLayer] {
    guard let windowByteCount else { return layers }
    for layer in layers where layer.leastWindowByteCount > windowByteCount {
      throw ShapeError(
        layer: layer.name,
        problem: "needs a window of \(layer.leastWindowByteCount) bytes, not of \(windowByteCount)")
    }
    return layers
  }
}

extension Model {
  /// The part of the dense layers' weights that is not zero, of a model that computes in integers and stores them sparsely; nil for
  /// others.
  ///
  /// - Throws: `inputOutput` where weights cannot be read.
  public func keptDenseFraction() throws(FileError) -> Double? {
    guard integerArithmetic != nil else { return nil }
    var (kept, count, isSparse) = (0, 0, false)
    for layer in network.layers where layer.isDense {
      guard let tensor = tensor(layer.weightName), case .codes(let codes, _) = tensor.content else {
        return nil
      }
      isSparse = isSparse || tensor.storage == .sparse
      kept += try WeightCounts(codes, outputs: tensor.shape.last ?? 1).nonzeros.reduce(0, +)
      count += codes.count
    }
    return isSparse ? Double(kept) / Double(count) : nil
  }
}
