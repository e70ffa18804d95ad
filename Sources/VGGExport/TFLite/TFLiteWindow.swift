internal import VGGFlatBuffers
internal import VGGModel
internal import VGGTensors

/// How TFLite says where windows stand on a map: it knows only two kinds of padding, and zeros added beforehand.
struct TFLiteWindow: Equatable {
  /// Zeros to add at the four sides beforehand: all zero where none are needed.
  var zeros = Extent(side: 0)
  /// What the operator itself is told.
  var padding: TFLite.Padding

  /// What windows are moved over.
  struct Geometry {
    var input: Extent
    var output: Extent
    /// The extent that the window covers.
    var window: Extent
    var stride: Extent
    var padding: Extent
  }

  /// Finds out how to say it; nil: it cannot be said.
  ///
  /// - Parameters:
  ///   - geometry: The windows.
  ///   - countsPadding: Whether what lies in the padding is part of a window's result, as a mean takes it. TFLite leaves it out.
  ///   - prefersSame: Which padding is taken where both are right: Caffe's poolings, which round up, are read back as such.
  init?(_ geometry: Geometry, countsPadding: Bool, prefersSame: Bool) {
    let order: [TFLite.Padding] = prefersSame ? [.same, .valid] : [.valid, .same]
    let isUnpadded = geometry.padding == Extent(side: 0)
    if isUnpadded || !countsPadding, let padding = order.first(where: { geometry.fits($0) }) {
      self.init(padding: padding)
      return
    }
    guard !isUnpadded else { return nil }
    var padded = geometry
    padded.input.height += 2 * geometry.padding.height
    padded.input.width += 2 * geometry.padding.width
    padded.padding = Extent(side: 0)
    guard let padding = order.first(where: { padded.fits($0) }) else { return nil }
    self.init(zeros: geometry.padding, padding: padding)
  }

  private init(zeros: Extent = Extent(side: 0), padding: TFLite.Padding) {
    (self.zeros, self.padding) = (zeros, padding)
  }
}

extension TFLiteWindow.Geometry {
  /// Whether a kind of padding gives as many windows, at the same places.
  fileprivate func fits(_ kind: TFLite.Padding) -> Bool {
    func fits(_ input: Int, _ output: Int, _ window: Int, _ stride: Int, _ padding: Int) -> Bool {
      switch kind {
      case .valid: padding == 0 && input >= window && output == (input - window) / stride + 1
      case .same:
        output == (input + stride - 1) / stride
          && padding == max(0, (output - 1) * stride + window - input) / 2
      }
    }
    return fits(input.height, output.height, window.height, stride.height, padding.height)
      && fits(input.width, output.width, window.width, stride.width, padding.width)
  }
}
