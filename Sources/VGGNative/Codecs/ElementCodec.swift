internal import CVGGKernels
internal import CVGGRules
internal import VGGTensors

/// How the values of one type of element become bits and values again; one type each, so that loops are specialised.
private protocol ElementCodec {
  associatedtype Pattern: FixedWidthInteger & UnsignedInteger
  /// The bits of a value. Where no bits stand for it exactly, any bits of another value.
  static func pattern(_ value: Float) -> Pattern
  /// The value of bits; exact.
  static func value(_ pattern: Pattern) -> Float
}

private enum Float32Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float) -> UInt32 { value.bitPattern }
  @inline(__always) static func value(_ pattern: UInt32) -> Float {
    Float(bitPattern: pattern)
  }
}

private enum BFloat16Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float) -> UInt16 {
    vgr_bf16_of_exact(value.bitPattern)
  }
  @inline(__always) static func value(_ pattern: UInt16) -> Float {
    Float(bitPattern: vgr_f32_from_bf16(pattern))
  }
}

private enum Float16Codec: ElementCodec {
  @inline(__always) static func pattern(_ value: Float) -> UInt16 {
    vgr_f16_of_exact(value.bitPattern)
  }
  @inline(__always) static func value(_ pattern: UInt16) -> Float {
    Float(bitPattern: vgr_f32_from_f16(pattern))
  }
}

extension RealType {
  /// Encodes values without loss.
  ///
  /// - Parameters:
  ///   - values: Some of a tensor's values.
  ///   - output: Room for as many elements, aligned for one.
  /// - Returns: The index within `values` of the first value that this type cannot represent exactly, or nil.
  func encode(_ values: UnsafeBufferPointer<Float>, into output: UnsafeMutableRawPointer) -> Int? {
    switch self {
    case .float32: VGGNative.encode(values, Float32Codec.self, into: output)
    case .float16: VGGNative.encode(values, Float16Codec.self, into: output)
    case .bfloat16: VGGNative.encode(values, BFloat16Codec.self, into: output)
    }
  }

  /// Decodes as many elements as there is room for values; `input` is aligned for one.
  func decode(_ input: UnsafeRawPointer, into values: UnsafeMutableBufferPointer<Float>) {
    guard let output = values.baseAddress else { return }
    let isa = vgk_best_isa()
    switch self {
    case .float32:
      UnsafeMutableRawPointer(output).copyMemory(from: input, byteCount: values.count * 4)
    case .float16: vgk_f32_from_f16(isa, input.assumingMemoryBound(to: UInt16.self), output, values.count)
    case .bfloat16: vgk_f32_from_bf16(isa, input.assumingMemoryBound(to: UInt16.self), output, values.count)
    }
  }
}

private func encode<Codec: ElementCodec>(
  _ values: UnsafeBufferPointer<Float>, _ codec: Codec.Type, into output: UnsafeMutableRawPointer
) -> Int? {
  guard let input = values.baseAddress else { return nil }
  let patterns = output.assumingMemoryBound(to: Codec.Pattern.self)
  // Differences are collected without a branch, so that the loop can be vectorised; they are rare.
  var difference: UInt32 = 0
  for index in values.indices {
    let pattern = Codec.pattern(input[index])
    patterns[index] = pattern.littleEndian
    difference |= Codec.value(pattern).bitPattern ^ input[index].bitPattern
  }
  guard difference != 0 else { return nil }
  return values.indices.first { index in
    Codec.value(Codec.Pattern(littleEndian: patterns[index])).bitPattern != input[index].bitPattern
  }
}
