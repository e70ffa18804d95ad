internal import CVGGKernels
internal import CVGGRules
internal import VGGTensors

/// How the values of one type of element become bits and values again; one type each, so that loops are specialised.
private protocol ElementCodec {
  associatedtype Pattern: FixedWidthInteger & UnsignedInteger
  /// The bits of a value. Where no bits stand for it exactly, any bits of another value.
  static func pattern(_ value: Float, _ scale: Float) -> Pattern
  /// The value of bits; exact.
  static func value(_ pattern: Pattern, _ scale: Float) -> Float
}

private enum Float32Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float, _ scale: Float) -> UInt32 { value.bitPattern }
  @inline(__always) static func value(_ pattern: UInt32, _ scale: Float) -> Float {
    Float(bitPattern: pattern)
  }
}

private enum BFloat16Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float, _ scale: Float) -> UInt16 {
    vgr_bf16_of_exact(value.bitPattern)
  }
  @inline(__always) static func value(_ pattern: UInt16, _ scale: Float) -> Float {
    Float(bitPattern: vgr_f32_from_bf16(pattern))
  }
}

private enum Float16Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float, _ scale: Float) -> UInt16 {
    vgr_f16_of_exact(value.bitPattern)
  }
  @inline(__always) static func value(_ pattern: UInt16, _ scale: Float) -> Float {
    Float(bitPattern: vgr_f32_from_f16(pattern))
  }
}

private enum Int8Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float, _ scale: Float) -> UInt8 {
    UInt8(truncatingIfNeeded: vgr_code_of_exact(value, scale))
  }
  @inline(__always) static func value(_ pattern: UInt8, _ scale: Float) -> Float {
    vgr_f32_from_code(Int32(Int8(bitPattern: pattern)), scale)
  }
}

extension Encoding.Element {
  /// Encodes values without loss.
  ///
  /// - Parameters:
  ///   - values: Some of a tensor's values.
  ///   - firstIndex: The index of the first of them in the tensor: it tells the channel.
  ///   - output: Room for as many elements, aligned for one.
  /// - Returns: The index within `values` of the first value that this type cannot represent exactly, or nil.
  func encode(
    _ values: UnsafeBufferPointer<Float>, firstIndex: Int, into output: UnsafeMutableRawPointer
  ) -> Int? {
    switch self {
    case .float32: VGGNative.encode(values, [1], firstIndex, Float32Codec.self, into: output)
    case .float16: VGGNative.encode(values, [1], firstIndex, Float16Codec.self, into: output)
    case .bfloat16: VGGNative.encode(values, [1], firstIndex, BFloat16Codec.self, into: output)
    case .int8(let scales): VGGNative.encode(values, scales, firstIndex, Int8Codec.self, into: output)
    }
  }

  /// Decodes elements.
  ///
  /// - Parameters:
  ///   - input: As many elements as there is room for values, aligned for one.
  ///   - firstIndex: The index of the first of them in the tensor: it tells the channel.
  ///   - values: Where to put the values.
  func decode(
    _ input: UnsafeRawPointer, firstIndex: Int, into values: UnsafeMutableBufferPointer<Float>
  ) {
    guard let output = values.baseAddress else { return }
    let isa = vgk_best_isa()
    switch self {
    case .float32:
      UnsafeMutableRawPointer(output).copyMemory(from: input, byteCount: values.count * 4)
    case .float16: vgk_f32_from_f16(isa, input.assumingMemoryBound(to: UInt16.self), output, values.count)
    case .bfloat16: vgk_f32_from_bf16(isa, input.assumingMemoryBound(to: UInt16.self), output, values.count)
    case .int8(let scales):
      forEachBlock(values.count, scales: scales.count, firstIndex) { block, rowCount, channel in
        scales.withUnsafeBufferPointer { scales in
          guard let scales = scales.baseAddress else { return }
          vgk_dequantize_columns_s8(
            isa, (input + block.lowerBound).assumingMemoryBound(to: Int8.self), rowCount,
            block.count / rowCount, scales + channel,
            output + block.lowerBound)
        }
      }
    }
  }
}

/// Splits values into whole rows and the parts of rows in front of and behind them.
private func forEachBlock(
  _ count: Int, scales: Int, _ firstIndex: Int,
  _ body: (_ block: Range<Int>, _ rowCount: Int, _ firstChannel: Int) -> Void
) {
  let channel = firstIndex % scales
  let head = channel == 0 ? 0 : min(count, scales - channel)
  let rowCount = (count - head) / scales
  let tail = head + rowCount * scales
  if head > 0 { body(0..<head, 1, channel) }
  if rowCount > 0 { body(head..<tail, rowCount, 0) }
  if tail < count { body(tail..<count, 1, 0) }
}

/// Calls a function for each run of values whose scales are neighbours, or equal: the whole where there is one scale.
@inline(__always)
private func forEachRow(_ count: Int, scales: Int, _ firstIndex: Int, _ body: (Range<Int>, Int) -> Void) {
  var start = 0
  while start < count {
    let channel = scales == 1 ? 0 : (firstIndex + start) % scales
    let end = scales == 1 ? count : min(count, start + scales - channel)
    body(start..<end, channel)
    start = end
  }
}

private func encode<Codec: ElementCodec>(
  _ values: UnsafeBufferPointer<Float>, _ scales: [Float], _ firstIndex: Int, _ codec: Codec.Type,
  into output: UnsafeMutableRawPointer
) -> Int? {
  guard let input = values.baseAddress else { return nil }
  let patterns = output.assumingMemoryBound(to: Codec.Pattern.self)
  var firstWrong: Int?
  scales.withUnsafeBufferPointer { scales in
    forEachRow(values.count, scales: scales.count, firstIndex) { row, channel in
      let isUniform = scales.count == 1
      let uniform = scales[0]
      // Differences are collected without a branch, so that the loop can be vectorised; they are rare.
      var difference: UInt32 = 0
      for index in row {
        let scale = isUniform ? uniform : scales[channel + index - row.lowerBound]
        let pattern = Codec.pattern(input[index], scale)
        patterns[index] = pattern.littleEndian
        difference |= Codec.value(pattern, scale).bitPattern ^ input[index].bitPattern
      }
      if difference != 0, firstWrong == nil {
        firstWrong = row.first { index in
          let scale = isUniform ? uniform : scales[channel + index - row.lowerBound]
          return Codec.value(Codec.Pattern(littleEndian: patterns[index]), scale).bitPattern
            != input[index].bitPattern
        }
      }
    }
  }
  return firstWrong
}
