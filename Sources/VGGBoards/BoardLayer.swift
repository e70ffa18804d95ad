internal import CVGGRuntime
public import VGGModel
public import VGGTensors

/// A layer as boards compute it: its window, its shapes, and how its weights lie in the image.
public struct BoardLayer: Equatable, Sendable {
  /// How the weights of a layer lie in the image; `vggrt.h` says it in detail.
  public enum Encoding: String, Sendable {
    /// A byte for each weight.
    case plain
    /// A bit for each weight, and a byte for each one that is not zero; of dense layers.
    case sparse
    /// The form of Winograd's F(2x2, 3x3), two bytes for each of 16 positions; of 3x3 convolutions.
    case winograd
  }

  /// What the layer does.
  enum Kind: Equatable, Sendable {
    case convolution, maximumPooling, averagePooling, dense, softmax, normalization, lookup
  }

  /// The layer's name.
  public let name: String
  /// The map that it reads.
  public let input: FeatureShape
  /// The map that it writes.
  public let output: FeatureShape
  /// How its weights lie in the image.
  public private(set) var encoding = Encoding.plain
  /// The bytes of all its rows of weights in the image; 0: it has none.
  public private(set) var weightByteCount = 0

  let kind: Kind
  private(set) var kernel = Extent(side: 1)
  private(set) var stride = Extent(side: 1)
  private(set) var dilation = Extent(side: 1)
  private(set) var padding = Extent(side: 0)

  /// Whether each row of output is of the same row of input, and may lie over it.
  var isInPlace: Bool { kind == .softmax || kind == .lookup }

  /// Whether it has weights.
  var hasWeights: Bool { kind == .convolution || kind == .dense }

  /// The bytes of its weights and of the numbers of its output channels: what a run goes through once, or for each strip.
  public var storedByteCount: Int {
    hasWeights ? weightByteCount + output.channels * MemoryLayout<vggrt_channel>.size : 0
  }

  private init(_ layer: Layer, input: FeatureShape, output: FeatureShape) throws(ShapeError) {
    (name, self.input, self.output) = (layer.name, input, output)
    switch layer.operation {
    case .convolution(let convolution):
      kind = .convolution
      (kernel, stride) = (convolution.kernel, convolution.stride)
      (dilation, padding) = (convolution.dilation, convolution.padding)
    case .pooling(let pooling):
      kind = pooling.method == .maximum ? .maximumPooling : .averagePooling
      if pooling.isGlobal {
        kernel = input.extent
      } else {
        (kernel, stride, padding) = (pooling.kernel, pooling.stride, pooling.padding)
      }
    case .dense: kind = .dense
    case .softmax: kind = .softmax
    case .sigmoid: kind = .lookup
    case .normalization(let normalization):
      kind = .normalization
      try normalization.checkForBoards(layer.name)
    }
    weightByteCount = output.channels * plainRowByteCount
    try checkRanges()
  }

  /// The bytes of a row of weights that are `plain`.
  private var plainRowByteCount: Int {
    switch kind {
    case .convolution: (kernel.height * kernel.width * input.channels).roundedUp(to: 4)
    case .dense: input.count.roundedUp(to: 4)
    default: 0
    }
  }

  /// Requires that the numbers fit those of `vggrt_layer`.
  private func checkRanges() throws(ShapeError) {
    let sides = [kernel, padding, input.extent, output.extent].flatMap { [$0.height, $0.width] }
    let steps = [stride, dilation].flatMap { [$0.height, $0.width] }
    guard sides.allSatisfy({ 0...Int(UInt16.max) ~= $0 }), steps.allSatisfy({ 1...Int(UInt8.max) ~= $0 })
    else {
      throw ShapeError(layer: name, problem: "has a window that is too large for a board's runtime")
    }
    guard max(input.count, output.count, storedByteCount) <= Int(Int32.max) else {
      throw ShapeError(layer: name, problem: "needs more than 2 GB, which is too much for a board's runtime")
    }
  }
}

extension BoardLayer {
  /// The layers of a network for pictures of an extent, with all weights `plain`; they need not be known.
  ///
  /// - Throws: Where the extent does not fit the network, or a layer is none that boards compute.
  public static func layers(of network: Network, for extent: Extent) throws(ShapeError) -> [BoardLayer] {
    guard network.layers.count <= Int(UInt8.max) else {
      throw ShapeError(layer: "network", problem: "has more than \(UInt8.max) layers")
    }
    var input = FeatureShape(extent: extent, channels: network.inputChannels)
    var layers: [BoardLayer] = []
    for (layer, output) in zip(network.layers, try network.outputShapes(for: extent)) {
      layers.append(try BoardLayer(layer, input: input, output: output))
      input = output
    }
    return layers
  }

  /// The layer with its weights in another form.
  ///
  /// - Parameters:
  ///   - encoding: The form.
  ///   - nonzeroCount: For `sparse`, how many weights are not zero.
  public func encoded(as encoding: Encoding, nonzeroCount: Int = 0) -> BoardLayer {
    var layer = self
    layer.encoding = encoding
    switch encoding {
    case .plain: layer.weightByteCount = output.channels * plainRowByteCount
    case .winograd: layer.weightByteCount = output.channels * 16 * input.channels * MemoryLayout<Int16>.size
    case .sparse:
      // At most: each row ends with up to three zeros.
      let bitmaps = (input.count + 7) / 8
      layer.weightByteCount = output.channels * (4 + bitmaps + 3) + nonzeroCount
    }
    return layer
  }

  /// The layer with sparse weights of a known length.
  func encodedSparsely(byteCount: Int) -> BoardLayer {
    var layer = self
    (layer.encoding, layer.weightByteCount) = (.sparse, byteCount)
    return layer
  }

  /// Whether `encoded(as: .winograd)` is possible.
  public var canExpand: Bool { withUnsafePointer(to: record) { vggrt_winograd_suits($0) != 0 } }

  /// How many rows of input, from the first on, so many rows of output need; `rows_of_input` of `vggrt.c`.
  func inputRows(for rows: Int) -> Int {
    switch kind {
    case .dense: rows == 0 ? 0 : input.extent.height
    case .softmax, .lookup, .normalization: rows
    case .convolution, .maximumPooling, .averagePooling:
      rows == 0 ? 0 : min(max(0, windowEnd(of: rows - 1)), input.extent.height)
    }
  }

  /// The first row of input that a row of output, or any below it, needs.
  func firstInputRow(of row: Int) -> Int {
    switch kind {
    case .dense: 0
    case .softmax, .lookup, .normalization: row
    case .convolution, .maximumPooling, .averagePooling: max(0, row * stride.height - padding.height)
    }
  }

  private func windowEnd(of row: Int) -> Int {
    row * stride.height + (kernel.height - 1) * dilation.height + 1 - padding.height
  }

  /// The bytes that the kernels need besides the maps.
  var scratchByteCount: Int { withUnsafePointer(to: record) { Int(vggrt_scratch_size($0)) } }

  /// The fewest bytes that its weights can be read to.
  public var leastWindowByteCount: Int { withUnsafePointer(to: record) { Int(vggrt_least_window($0)) } }
}

extension [BoardLayer] {
  /// The most bytes of stack of the runtime, with room for a compiler that takes more than those that were measured on Cortex-M and
  /// RISC-V: 368 to 476, with expanded weights 704, with a normalisation 764 (`Tests/Boards/run.sh` measures them again).
  var stackByteCount: Int {
    contains { $0.encoding == .winograd || $0.kind == .normalization } ? 1024 : 512
  }
}

extension LocalResponseNormalization {
  fileprivate func checkForBoards(_ layer: String) throws(ShapeError) {
    guard region == .acrossChannels else {
      throw ShapeError(layer: layer, problem: "normalises within channels, which a board's runtime does not")
    }
    guard quarters != nil, size / 2 <= Int(UInt8.max) else {
      throw ShapeError(
        layer: layer,
        problem: "has the exponent \(beta), but a board's runtime has multiples of 1/4 from 1/4 to 4")
    }
  }
}

extension Int {
  /// The next multiple of a number.
  func roundedUp(to multiple: Int) -> Int { (self + multiple - 1) / multiple * multiple }
}
