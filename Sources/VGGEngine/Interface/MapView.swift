internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// How a map stores one value.
enum MapElement: Equatable, Sendable {
  case float32
  /// A signed byte, and what it stands for.
  case code(ActivationQuantization)

  var byteCount: Int {
    switch self {
    case .float32: MemoryLayout<Float>.size
    case .code: 1
    }
  }
}

/// In which form a method reads or writes the pixels of maps, whatever their shape.
struct MapFormat: Equatable, Sendable {
  var element = MapElement.float32
  /// What the channels of a pixel are padded to with zeros: a multiple of this.
  var channelMultiple: Int

  /// Pixels side by side, as in a ``FeatureMap``.
  static let packed = MapFormat(channelMultiple: 1)
  /// Pixels that begin where vectors do.
  static let padded = MapFormat(channelMultiple: VGKChannelMultiple)

  /// Codes, pixels side by side.
  static func codes(_ quantization: ActivationQuantization) -> MapFormat {
    MapFormat(element: .code(quantization), channelMultiple: 1)
  }

  /// Values from one pixel to the next.
  func stride(channels: Int) -> Int {
    (channels + channelMultiple - 1) / channelMultiple * channelMultiple
  }
}

/// How the values between two layers lie in memory: NHWC, each pixel at a stride.
struct MapLayout: Equatable, Sendable {
  var count: Int
  var shape: FeatureShape
  var element: MapElement
  /// Values from one pixel to the next.
  var stride: Int

  init(count: Int, shape: FeatureShape, _ format: MapFormat) {
    (self.count, self.shape, element) = (count, shape, format.element)
    stride = format.stride(channels: shape.channels)
  }

  /// Pixels of all pictures.
  var pixelCount: Int { count * shape.extent.height * shape.extent.width }
  /// Rows of all pictures.
  var rowCount: Int { count * shape.extent.height }
  /// Whether pixels lie side by side.
  var isPacked: Bool { stride == shape.channels }
  var byteCount: Int { pixelCount * stride * element.byteCount }

  /// Whether the values lie in this form already.
  func has(_ format: MapFormat) -> Bool {
    element == format.element && stride == format.stride(channels: shape.channels)
  }
}

/// Values between two layers, in memory that somebody else owns.
struct MapView {
  var layout: MapLayout
  var base: UnsafeMutableRawPointer

  /// - Precondition: The elements are float32.
  var floats: UnsafeMutablePointer<Float> {
    base.bindMemory(to: Float.self, capacity: layout.pixelCount * layout.stride)
  }

  /// - Precondition: The elements are codes.
  var codes: UnsafeMutablePointer<Int8> {
    base.bindMemory(to: Int8.self, capacity: layout.pixelCount * layout.stride)
  }

  /// One of the pictures.
  func picture(_ index: Int) -> MapView {
    var picture = self
    picture.layout.count = 1
    picture.base += index * picture.layout.byteCount
    return picture
  }

  /// Copies the values to a map of another form; values become the nearest codes, and codes their values.
  ///
  /// - Precondition: One of the two is packed, the other one packed or padded; codes are of one meaning, and packed.
  func copy(into target: MapView) {
    let isa = vgk_best_integer_isa()
    switch (layout.element, target.layout.element) {
    case (.float32, .float32) where layout.stride != target.layout.stride:
      let copy = layout.isPacked ? vgk_fast_pad_channels : vgk_fast_unpad_channels
      copy(layout.shape.channels, floats, target.floats, 0, layout.pixelCount)
    case (.float32, .code(let codes)):
      let (source, target) = (floats, target.codes)
      forEachRun(strideOfTarget: layout.shape.channels) { place, targetPlace, count in
        vgk_integer_quantize(
          isa, source + place, count, codes.scale, Int32(codes.zeroPoint), target + targetPlace)
      }
    case (.code(let codes), .float32):
      let (source, stride) = (self.codes, target.layout.stride)
      let target = target.floats
      if stride != layout.stride { target.update(repeating: 0, count: layout.pixelCount * stride) }
      forEachRun(strideOfTarget: stride) { place, targetPlace, count in
        vgk_integer_dequantize(
          isa, source + place, count, codes.scale, Int32(codes.zeroPoint), target + targetPlace)
      }
    default:
      precondition(layout.element == target.layout.element)
      target.base.copyMemory(from: base, byteCount: layout.byteCount)
    }
  }

  /// Calls a body for the values of neighbouring pixels that lie side by side here and in a map with a stride.
  private func forEachRun(
    strideOfTarget stride: Int, _ body: (_ place: Int, _ targetPlace: Int, _ count: Int) -> Void
  ) {
    if stride == layout.stride { return body(0, 0, layout.pixelCount * stride) }
    for pixel in 0..<layout.pixelCount { body(pixel * layout.stride, pixel * stride, layout.shape.channels) }
  }

  /// Copies what a window sees at some of its positions, which are counted through the batch, in order.
  func gatherWindows(
    _ window: Extent, positions: Extent, _ rows: Range<Int>, into target: UnsafeMutableRawPointer
  ) {
    var target = target
    let shape = layout.shape
    let pixelLength = layout.stride * layout.element.byteCount
    let copied = shape.channels * layout.element.byteCount
    let lineLength = shape.extent.width * pixelLength
    for row in rows {
      let (picture, position) = row.quotientAndRemainder(dividingBy: positions.height * positions.width)
      let (y, x) = position.quotientAndRemainder(dividingBy: positions.width)
      let corner = base + (picture * shape.extent.height + y) * lineLength + x * pixelLength
      for line in 0..<window.height {
        for column in 0..<window.width {
          target.copyMemory(from: corner + line * lineLength + column * pixelLength, byteCount: copied)
          target += copied
        }
      }
    }
  }
}

extension FeatureMap {
  private var layout: MapLayout { MapLayout(count: count, shape: shape, .packed) }

  /// Lends the values as an input, which nothing writes to.
  func withView<Result>(
    _ body: (MapView) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    try withValues { (values) throws(EngineError) in
      guard let base = values.baseAddress else { throw .memory(byteCount: 0) }
      return try body(MapView(layout: layout, base: UnsafeMutableRawPointer(mutating: base)))
    }
  }

  /// Lends the values for writing.
  ///
  /// - Precondition: No copy of the map has been made since it was reshaped.
  mutating func withMutableView<Result>(
    _ body: (MapView) throws(EngineError) -> Result
  ) throws(EngineError) -> Result {
    let layout = layout
    return try withMutableValues { (values) throws(EngineError) in
      guard let base = values.baseAddress else { throw .memory(byteCount: 0) }
      return try body(MapView(layout: layout, base: UnsafeMutableRawPointer(base)))
    }
  }

  /// Copies what a run has put out.
  init(_ view: MapView) throws(EngineError) {
    self.init()
    try reshape(count: view.layout.count, shape: view.layout.shape)
    try withMutableView { view.copy(into: $0) }
  }
}
