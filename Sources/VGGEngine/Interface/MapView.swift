internal import CVGGKernels
internal import VGGModel
internal import VGGTensors

/// How a map stores one value. An integer would be a case with the scale and the zero point that give it its meaning.
enum MapElement: Equatable, Sendable {
  case float32

  var byteCount: Int { MemoryLayout<Float>.size }
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

  /// One of the pictures.
  func picture(_ index: Int) -> MapView {
    var picture = self
    picture.layout.count = 1
    picture.base += index * picture.layout.byteCount
    return picture
  }

  /// Copies the values to a map of another form.
  ///
  /// - Precondition: One of the two is packed, the other one packed or padded.
  func copy(into target: MapView) {
    let copy = layout.isPacked ? vgk_fast_pad_channels : vgk_fast_unpad_channels
    if layout.stride == target.layout.stride {
      target.base.copyMemory(from: base, byteCount: layout.byteCount)
    } else {
      copy(layout.shape.channels, floats, target.floats, 0, layout.pixelCount)
    }
  }

  /// Copies what a window sees at some of its positions, which are counted through the batch, in order.
  func gatherWindows(
    _ window: Extent, positions: Extent, _ rows: Range<Int>, into target: UnsafeMutablePointer<Float>
  ) {
    var target = target
    let (shape, stride, floats) = (layout.shape, layout.stride, floats)
    let lineLength = shape.extent.width * stride
    for row in rows {
      let (picture, position) = row.quotientAndRemainder(dividingBy: positions.height * positions.width)
      let (y, x) = position.quotientAndRemainder(dividingBy: positions.width)
      let corner = floats + (picture * shape.extent.height + y) * lineLength + x * stride
      for line in 0..<window.height {
        for column in 0..<window.width {
          target.update(from: corner + line * lineLength + column * stride, count: shape.channels)
          target += shape.channels
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
