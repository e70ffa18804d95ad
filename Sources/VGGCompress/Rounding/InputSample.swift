internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// Which of the windows that a layer reads are looked at: of a dense layer the one that there is, of a convolution some from all
/// over the picture.
struct InputSample {
  /// Windows of a picture that a convolution is sampled at, at most.
  private static let windowsPerPicture = 32

  /// The layer.
  let layer: Layer

  /// The number of inputs of a window.
  var inputCount: Int {
    switch layer.operation {
    case .convolution(let convolution):
      convolution.kernel.height * convolution.kernel.width * convolution.inputChannels
    case .dense(let dense): dense.inputs
    case .pooling, .normalization, .softmax, .sigmoid: 0
    }
  }

  /// The inputs of the windows, row by row in the order of the weights; nil where a dense layer would have to slide.
  ///
  /// - Parameters:
  ///   - map: What the layer reads.
  ///   - firstPicture: The number of pictures before these.
  func rows(of map: FeatureMap, firstPicture: Int) -> [Float]? {
    switch layer.operation {
    case .dense(let dense): map.shape.count == dense.inputs ? map.values : nil
    case .convolution(let convolution):
      map.withValues { values in
        (0..<map.count).flatMap { picture in
          rows(
            of: convolution,
            UnsafeBufferPointer(
              rebasing: values[picture * map.shape.count..<(picture + 1) * map.shape.count]),
            map.shape.extent, picture: firstPicture + picture)
        }
      }
    case .pooling, .normalization, .softmax, .sigmoid: []
    }
  }

  private func rows(
    of convolution: Convolution, _ values: UnsafeBufferPointer<Float>, _ extent: Extent, picture: Int
  ) -> [Float] {
    let (kernel, padding) = (convolution.kernel, convolution.padding)
    let (stride, dilation, channels) = (convolution.stride, convolution.dilation, convolution.inputChannels)
    let shape = FeatureShape(extent: extent, channels: channels)
    guard let output = try? layer.outputShape(for: shape).extent else { return [] }
    let windowCount = output.height * output.width
    let sampleCount = min(windowCount, Self.windowsPerPicture)
    var rows: [Float] = []
    rows.reserveCapacity(sampleCount * inputCount)
    for index in 0..<sampleCount {
      // Multiples of the golden section lie far from each other however many there are; no column or row is preferred.
      let hash = UInt32(truncatingIfNeeded: picture * Self.windowsPerPicture + index) &* 2_654_435_769
      let window = sampleCount == windowCount ? index : Int((UInt64(hash) * UInt64(windowCount)) >> 32)
      let (row, column) = window.quotientAndRemainder(dividingBy: output.width)
      for line in 0..<kernel.height {
        for place in 0..<kernel.width {
          let y = row * stride.height - padding.height + line * dilation.height
          let x = column * stride.width - padding.width + place * dilation.width
          guard (0..<extent.height).contains(y), (0..<extent.width).contains(x) else {
            rows.append(contentsOf: repeatElement(0, count: channels))
            continue
          }
          let start = (y * extent.width + x) * channels
          rows.append(contentsOf: values[start..<start + channels])
        }
      }
    }
    return rows
  }
}
