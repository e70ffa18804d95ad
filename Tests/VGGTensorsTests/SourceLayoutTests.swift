import TestSupport
import Testing
import VGGBytes
import VGGTensors

/// Layouts against plain index arithmetic that is written down a second time here.
@Suite struct SourceLayoutTests {
  /// Kernels as [H, W, I, O].
  static let kernelShapes = [[1, 1, 1, 1], [3, 3, 3, 8], [3, 3, 5, 17], [1, 1, 16, 33], [2, 3, 4, 40]]

  /// A source tensor whose value at each place of the source's order is given.
  private func source(
    _ values: [Float], shape: [Int], layout: SourceLayout, gap: Int = 0
  ) -> SourceTensor {
    var bytes: [UInt8] = []
    for value in values {
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
      bytes += Array(repeating: 0xFF, count: gap)
    }
    return SourceTensor(
      name: "t", shape: shape, format: .float32, bytes: ByteRegion(copying: bytes), elementStride: 4 + gap,
      layout: layout)
  }

  @Test(arguments: kernelShapes, [false, true])
  func oihwKernelsComeOutAsHWIO(_ shape: [Int], rotated: Bool) throws {
    let (height, width, inputs, outputs) = (shape[0], shape[1], shape[2], shape[3])
    var tensor = source(
      (0..<shape.reduce(1, *)).map(Float.init), shape: [outputs, inputs, height, width], layout: .oihw)
    tensor.isRotated = rotated
    #expect(tensor.canonicalShape == shape)
    let values = try tensor.canonicalValues.array()
    for h in 0..<height {
      for w in 0..<width {
        for i in 0..<inputs {
          for o in 0..<outputs {
            let (row, column) = rotated ? (height - 1 - h, width - 1 - w) : (h, w)
            let expected = Float(((o * inputs + i) * height + row) * width + column)
            #expect(values[((h * width + w) * inputs + i) * outputs + o] == expected)
          }
        }
      }
    }
  }

  @Test(arguments: kernelShapes)
  func ohwiKernelsComeOutAsHWIO(_ shape: [Int]) throws {
    let (height, width, inputs, outputs) = (shape[0], shape[1], shape[2], shape[3])
    let tensor = source(
      (0..<shape.reduce(1, *)).map(Float.init), shape: [outputs, height, width, inputs], layout: .ohwi)
    #expect(tensor.canonicalShape == shape)
    let values = try tensor.canonicalValues.array()
    for row in 0..<height * width * inputs {
      for o in 0..<outputs {
        #expect(values[row * outputs + o] == Float(o * height * width * inputs + row))
      }
    }
  }

  @Test(arguments: [(3, 2, 2, 5), (64, 7, 7, 40), (5, 1, 3, 16), (1, 4, 4, 1)])
  func flattenedMapsAreReordered(_ channels: Int, _ height: Int, _ width: Int, _ outputs: Int) throws {
    let inputs = channels * height * width
    let extent = Extent(height: height, width: width)
    let caffe = source(
      (0..<inputs * outputs).map(Float.init), shape: [outputs, inputs],
      layout: .outInFromCHW(channels: channels, extent: extent))
    let keras = source(
      (0..<inputs * outputs).map(Float.init), shape: [inputs, outputs],
      layout: .inOutFromCHW(channels: channels, extent: extent))
    let (fromCaffe, fromKeras) = (try caffe.canonicalValues.array(), try keras.canonicalValues.array())
    for c in 0..<channels {
      for h in 0..<height {
        for w in 0..<width {
          let (chw, hwc) = ((c * height + h) * width + w, (h * width + w) * channels + c)
          for o in 0..<outputs {
            #expect(fromCaffe[hwc * outputs + o] == Float(o * inputs + chw))
            #expect(fromKeras[hwc * outputs + o] == Float(chw * outputs + o))
          }
        }
      }
    }
  }

  @Test(arguments: [[3, 3, 5, 17], [1, 2, 3, 4]], [0, 1])
  func rangesAreTheSameAsTheWhole(_ shape: [Int], gap: Int) throws {
    let (height, width, inputs, outputs) = (shape[0], shape[1], shape[2], shape[3])
    let count = shape.reduce(1, *)
    let tensor = source(
      (0..<count).map(Float.init), shape: [outputs, inputs, height, width], layout: .oihw, gap: gap)
    let values = tensor.canonicalValues
    let whole = try values.array()
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<300 {
      let low = Int.random(in: 0...count, using: &generator)
      let range = low..<Int.random(in: low...count, using: &generator)
      let part = UnsafeMutableBufferPointer<Float>.allocate(capacity: range.count)
      defer { part.deallocate() }
      try values.read(range, into: part)
      #expect(Array(part) == Array(whole[range]), "\(range)")
    }
  }

  @Test func reversedInputChannelsAreSwapped() throws {
    var tensor = source((0..<2 * 3).map(Float.init), shape: [1, 1, 3, 2], layout: .hwio)
    tensor.hasReversedInputChannels = true
    #expect(try tensor.canonicalValues.array() == [4, 5, 2, 3, 0, 1])
  }

  @Test func outputChannelsAreMultiplied() throws {
    var tensor = source((0..<6).map(Float.init), shape: [2, 3, 1, 1], layout: .oihw)
    tensor.scaling = .multiplied(by: [10, 0.5])
    #expect(try tensor.canonicalValues.array() == [0, 1.5, 10, 2, 20, 2.5])
    let part = UnsafeMutableBufferPointer<Float>.allocate(capacity: 3)
    defer { part.deallocate() }
    try tensor.canonicalValues.read(1..<4, into: part)
    #expect(Array(part) == [1.5, 10, 2])
  }

  @Test func nativeOrderIsNotCopied() throws {
    let tensor = source((0..<24).map(Float.init), shape: [2, 3, 2, 2], layout: .hwio)
    let region = try #require(tensor.canonicalValues.inMemory)
    let isSame = region.withBytes { mine in tensor.bytes.withBytes { mine.baseAddress == $0.baseAddress } }
    #expect(isSame)
  }

  static let numbers: [(NumberFormat, [UInt8], Float)] = [
    (NumberFormat(.float64), [0x40, 0x09, 0x21, 0xFB, 0x54, 0x44, 0x2D, 0x18], 3.1415927),
    (NumberFormat(.float32), [0x3F, 0xC0, 0, 0], 1.5),
    (NumberFormat(.float16), [0x3E, 0x00], 1.5),
    (NumberFormat(.float16), [0x00, 0x01], 0x1p-24),
    (NumberFormat(.float16), [0x83, 0xFF], -1023 * 0x1p-24),
    (NumberFormat(.float16), [0x7C, 0x00], .infinity),
    (NumberFormat(.bfloat16), [0xBF, 0xC0], -1.5),
    (NumberFormat(.int8), [0x81], -127),
  ]

  @Test(arguments: numbers)
  func numbersOfEitherByteOrder(_ format: NumberFormat, _ bigEndian: [UInt8], _ expected: Float) throws {
    for isBigEndian in [false, true] {
      let tensor = SourceTensor(
        name: "t", shape: [1], format: NumberFormat(format.kind, isBigEndian: isBigEndian),
        bytes: ByteRegion(copying: isBigEndian ? bigEndian : bigEndian.reversed()), layout: .vector)
      #expect(try tensor.canonicalValues.array() == [expected])
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity], [0, 4095, 4096, 9999])
  func nonFiniteValuesAreFound(_ value: Float, at index: Int) {
    var values = Array(repeating: Float(1), count: 10_000)
    #expect(source(values, shape: [10_000], layout: .vector).firstNonFiniteValue() == nil)
    values[index] = value
    for gap in [0, 1] {
      let found = source(values, shape: [10_000], layout: .vector, gap: gap).firstNonFiniteValue()
      #expect(found?.index == index)
    }
  }
}
