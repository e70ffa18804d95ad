internal import VGGTensors

/// The place in the native order of each element of a source tensor, by the definition of each layout.
///
/// The importer reads tensors by strides (`StridedValues`); this is the second, independent statement of the same
/// permutations, in the opposite direction, so that a mistake in one of them is seen.
struct NativeIndex {
  private let layout: SourceLayout
  private let shape: [Int]
  private let isRotated: Bool
  private let hasReversedInputChannels: Bool

  init(of source: SourceTensor) {
    layout = source.layout
    shape = source.shape
    isRotated = source.isRotated
    hasReversedInputChannels = source.hasReversedInputChannels
  }

  /// Whether the first axis of the source is the last one of the model: neighbours there are neighbours here.
  var firstAxisIsModelsLast: Bool {
    switch layout {
    case .outIn, .oihw, .ohwi, .outInFromCHW: true
    case .vector, .inOut, .hwio, .inOutFromCHW: false
    }
  }

  /// Whether the order of the source is the model's.
  var isIdentity: Bool {
    switch layout {
    case .vector, .inOut: true
    case .hwio: !isRotated && !hasReversedInputChannels
    case .oihw, .ohwi, .outIn, .outInFromCHW, .inOutFromCHW: false
    }
  }

  /// The native index of the element at a position of the source's own order.
  func callAsFunction(_ position: Int) -> Int {
    switch layout {
    case .vector, .inOut:
      return position
    case .outIn:
      let (output, input) = position.quotientAndRemainder(dividingBy: shape[1])
      return input * shape[0] + output
    case .hwio:
      let (tap, output) = position.quotientAndRemainder(dividingBy: shape[3])
      let (pixel, input) = tap.quotientAndRemainder(dividingBy: shape[2])
      let (row, column) = pixel.quotientAndRemainder(dividingBy: shape[1])
      return kernelIndex(row, column, input, output, shape[0], shape[1], shape[2], shape[3])
    case .oihw:
      let (line, column) = position.quotientAndRemainder(dividingBy: shape[3])
      let (plane, row) = line.quotientAndRemainder(dividingBy: shape[2])
      let (output, input) = plane.quotientAndRemainder(dividingBy: shape[1])
      return kernelIndex(row, column, input, output, shape[2], shape[3], shape[1], shape[0])
    case .ohwi:
      let (pixels, input) = position.quotientAndRemainder(dividingBy: shape[3])
      let (line, column) = pixels.quotientAndRemainder(dividingBy: shape[2])
      let (output, row) = line.quotientAndRemainder(dividingBy: shape[1])
      return kernelIndex(row, column, input, output, shape[1], shape[2], shape[3], shape[0])
    case .inOutFromCHW(let channels, let extent):
      let (input, output) = position.quotientAndRemainder(dividingBy: shape[1])
      return flattenedIndex(input, channels, extent) * shape[1] + output
    case .outInFromCHW(let channels, let extent):
      let (output, input) = position.quotientAndRemainder(dividingBy: shape[1])
      return flattenedIndex(input, channels, extent) * shape[0] + output
    }
  }

  private func kernelIndex(
    _ row: Int, _ column: Int, _ input: Int, _ output: Int, _ height: Int, _ width: Int, _ inputs: Int,
    _ outputs: Int
  ) -> Int {
    let row = isRotated ? height - 1 - row : row
    let column = isRotated ? width - 1 - column : column
    let input = hasReversedInputChannels ? inputs - 1 - input : input
    return ((row * width + column) * inputs + input) * outputs + output
  }

  /// From the order channel, row, column to the order row, column, channel.
  private func flattenedIndex(_ index: Int, _ channels: Int, _ extent: Extent) -> Int {
    let (channel, pixel) = index.quotientAndRemainder(dividingBy: extent.height * extent.width)
    return pixel * channels + channel
  }
}
