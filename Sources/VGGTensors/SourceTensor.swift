public import VGGBytes

/// The order of the axes of a tensor in a source file.
///
/// O and I are output and input channels; `rows` of a dense weight are its inputs.
public enum SourceLayout: Equatable, Sendable {
  /// A bias.
  case vector
  /// A convolution kernel as TensorFlow and Keras store it; the native layout.
  case hwio
  /// A convolution kernel as Caffe, Theano and PyTorch store it.
  case oihw
  /// A convolution kernel as TensorFlow Lite stores it.
  case ohwi
  /// A dense weight as Keras stores it; the native layout.
  case inOut
  /// A dense weight as Caffe stores it.
  case outIn
  /// A dense weight [in, out] whose inputs are a feature map flattened as channel, row, column.
  case inOutFromCHW(channels: Int, extent: Extent)
  /// A dense weight [out, in] whose inputs are a feature map flattened as channel, row, column.
  case outInFromCHW(channels: Int, extent: Extent)
}

/// A tensor as it stands in a source file: a name, a shape, and where its numbers are.
public struct SourceTensor: Sendable {
  /// The tensor's path or name in the source.
  public var name: String
  /// The shape in the source's own order of axes.
  public var shape: [Int]
  /// How one number is stored.
  public var format: NumberFormat
  /// The bytes, first number first.
  public var bytes: ByteRegion
  /// The distance of neighbouring numbers in bytes; more than a number's size where something stands between them.
  public var elementStride: Int
  /// The order of the axes.
  public var layout: SourceLayout
  /// The offset of the first number in the file, where the numbers stand there as they are.
  public var fileOffset: Int?
  /// Whether the kernel is stored rotated by 180 degrees, as Theano's true convolution needs it.
  public var isRotated = false
  /// Whether the order of the input channels is reversed in the source (RGB for BGR).
  public var hasReversedInputChannels = false

  /// How each stored number is scaled to give the value; nil: it is the value.
  ///
  /// So a normalisation that is folded into a convolution, and a source that is quantised itself, need no copy.
  public var scaling: Scaling?

  /// Factors or divisors for the channels. The result is rounded once, from double to float32.
  public enum Scaling: Equatable, Sendable {
    /// The stored number times the channel's factor.
    case multiplied(by: [Double])
    /// The stored number divided by the channel's divisor, as Keras's quantised layers have it.
    case divided(by: [Double])
    /// The stored number times the factors of its input and its output channel. Rows of the native order take the
    /// factors of the inputs in turn, so a flattened map has those of its channels again and again.
    case multipliedOnBothSides(inputs: [Double], outputs: [Double])

    /// The value that a stored number stands for in a row and channel of the native order.
    @inline(__always) func value(_ number: Float, row: Int, channel: Int) -> Float {
      switch self {
      case .multiplied(let factors): Float(Double(number) * factors[channel])
      case .divided(let divisors): Float(Double(number) / divisors[channel])
      case .multipliedOnBothSides(let inputs, let outputs):
        Float(Double(number) * inputs[row % inputs.count] * outputs[channel])
      }
    }
  }

  /// Creates a tensor whose bytes hold exactly its numbers.
  ///
  /// - Precondition: `bytes` holds the product of `shape` numbers at the stride.
  public init(
    name: String, shape: [Int], format: NumberFormat, bytes: ByteRegion, elementStride: Int? = nil,
    layout: SourceLayout, fileOffset: Int? = nil
  ) {
    self.name = name
    self.shape = shape
    self.format = format
    self.bytes = bytes
    self.elementStride = elementStride ?? format.byteCount
    self.layout = layout
    self.fileOffset = fileOffset
    let count = shape.reduce(1, *)
    precondition(count == 0 || (count - 1) * self.elementStride + format.byteCount <= bytes.count)
  }

  /// The tensor's shape in the native layout: [H, W, I, O], [in, out] or [out].
  public var canonicalShape: [Int] {
    switch layout {
    case .vector, .hwio, .inOut, .inOutFromCHW: shape
    case .oihw: [shape[2], shape[3], shape[1], shape[0]]
    case .ohwi: [shape[1], shape[2], shape[3], shape[0]]
    case .outIn, .outInFromCHW: [shape[1], shape[0]]
    }
  }

  /// The value that a stored number stands for.
  ///
  /// - Parameters:
  ///   - address: Where the number stands.
  ///   - row: Its row in the native order, of which each has a number for each output channel.
  ///   - outputChannel: The output channel that it belongs to.
  package func value(at address: UnsafeRawPointer, row: Int, outputChannel: Int) -> Float {
    let number = format.load(address)
    return scaling?.value(number, row: row, channel: outputChannel) ?? number
  }

  /// The values in the native order.
  public var canonicalValues: any TensorValues {
    let strided = StridedValues(self)
    if strided.isContiguousFloat32, let values = MemoryValues(bytes) { return values }
    return strided
  }
}

extension SourceTensor {
  /// The first value that is no finite number: its index in the source's order, and the value.
  ///
  /// The bytes are walked in the source's own order, on several threads.
  public func firstNonFiniteValue() -> (index: Int, value: Float)? {
    let count = shape.reduce(1, *)
    let pieceLength = 1 << 22
    let pieceCount = (count + pieceLength - 1) / pieceLength
    let found = Workers.current.map(pieceCount) { piece in
      firstNonFiniteValue(in: piece * pieceLength..<min(count, (piece + 1) * pieceLength))
    }
    return found.lazy.compactMap { $0 }.first
  }

  private func firstNonFiniteValue(in range: Range<Int>) -> (index: Int, value: Float)? {
    bytes.withBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      var start = range.lowerBound
      if format == .float32, elementStride == 4 {
        // In runs without a branch or a trap for each value, so that the compiler can vectorise them.
        while start < range.upperBound {
          let end = min(start + 4096, range.upperBound)
          // Adding one to an exponent of nothing but ones reaches the sign's bit.
          var sums: UInt32 = 0
          for index in start..<end {
            let bits = UInt32(littleEndian: (base + index &* 4).loadUnaligned(as: UInt32.self))
            sums |= (bits & 0x7F80_0000) &+ 0x0080_0000
          }
          if sums & 0x8000_0000 != 0 { break }
          start = end
        }
      }
      for index in start..<range.upperBound {
        let value = format.load(base + index * elementStride)
        if !value.isFinite { return (index, value) }
      }
      return nil
    }
  }
}
