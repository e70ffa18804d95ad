internal import CVGGKernels
public import VGGBytes
public import VGGModel
internal import VGGTensors

extension Model {
  /// The model with the weights stored in another precision, rounded to nearest, ties to even.
  ///
  /// A sparse tensor stays sparse.
  ///
  /// - Parameter kept: The names of layers whose weights stay as they are.
  public func converted(to precision: Precision, keeping kept: [String] = []) throws(FileError) -> Model {
    let keptWeights = Set(kept.map { "\($0)/weight" })
    return try mappingTensors(pass: .quantize(to: precision, keeping: kept)) { (tensor) throws(FileError) in
      guard tensor.role == .weight, !keptWeights.contains(tensor.name) else { return tensor }
      let element: Encoding.Element
      let values: any TensorValues
      switch precision {
      case .fp32:
        (element, values) = (.float32, tensor.values)
      case .fp16:
        (element, values) = (.float16, RoundedValues(base: tensor.values, type: .float16))
      case .bf16:
        (element, values) = (.bfloat16, RoundedValues(base: tensor.values, type: .bfloat16))
      case .int8:
        let scales = try tensor.values.int8Scales(outputs: tensor.shape[tensor.shape.count - 1])
        if let channel = scales.firstIndex(where: { !$0.isFinite }) {
          throw FileError(
            .malformed, code: "quantize.nonfinite", file: provenance.sourceName,
            "has values that int8 cannot hold", place: "tensor \(tensor.name), output channel \(channel)",
            seen: scales[channel].isNaN ? "nan" : "inf", allowed: "finite numbers",
            advice: "--keep \(tensor.name.prefix { $0 != "/" }) leaves the layer as it is")
        }
        (element, values) = (.int8(scales: scales), QuantizedValues(base: tensor.values, scales: scales))
      }
      return tensor.replacing(values: values, encoding: Encoding(element, isSparse: tensor.encoding.isSparse))
    }
  }
}

extension Model {
  /// The layers that another precision would harm most, in their order: those whose weights would have less than some
  /// ratio of signal to error, or a value out of range.
  ///
  /// - Parameter decibels: The least ratio that is good enough.
  public func layersHarmed(by precision: Precision, below decibels: Double) throws(FileError) -> [String] {
    let converted = try converted(to: precision)
    var harmed: [String] = []
    for layer in network.layers {
      guard let before = tensor(layer.weightName), let after = converted.tensor(layer.weightName) else {
        continue
      }
      let change = try TensorChange(from: before, to: after)
      if change.overflowCount > 0 || change.signalToNoise < decibels { harmed.append(layer.name) }
    }
    return harmed
  }
}

extension TensorValues {
  /// The scale of each output channel: its largest magnitude over 127, or 1 where all its values are zero; not finite where
  /// a value is not.
  fileprivate func int8Scales(outputs: Int) throws(FileError) -> [Float] {
    let isa = vgk_best_isa()
    let maxima = try reducePieces(rowLength: outputs, into: [Float](repeating: 0, count: outputs)) {
      (_, values) throws(FileError) -> [Float] in
      var maxima = [Float](repeating: 0, count: outputs)
      if let start = values.baseAddress {
        vgk_absmax_columns_f32(isa, start, values.count / outputs, outputs, &maxima)
      }
      return maxima
    } combine: { total, part in
      for channel in total.indices {
        // By their bits, so that NaN stays.
        total[channel] = Float(bitPattern: max(total[channel].bitPattern, part[channel].bitPattern))
      }
    }
    return maxima.map { maximum in
      let scale = maximum / 127
      // A scale that underflows could not bring the largest value back.
      return scale < .leastNormalMagnitude ? 1 : scale
    }
  }
}

/// Values rounded to a narrower floating-point type.
private struct RoundedValues: TensorValues {
  enum NarrowType {
    case float16
    case bfloat16
  }

  let base: any TensorValues
  let type: NarrowType

  var count: Int { base.count }
  var prefersLongRanges: Bool { base.prefersLongRanges }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try base.read(range, into: destination)
    guard let values = destination.baseAddress else { return }
    let isa = vgk_best_isa()
    var narrowing = VGKNarrowing()
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 4096) { bits in
      guard let bits = bits.baseAddress else { return }
      for start in stride(from: 0, to: range.count, by: 4096) {
        let length = min(4096, range.count - start)
        switch type {
        case .float16:
          vgk_f16_from_f32(isa, values + start, bits, length, &narrowing)
          vgk_f32_from_f16(isa, bits, values + start, length)
        case .bfloat16:
          vgk_bf16_from_f32(isa, values + start, bits, length, &narrowing)
          vgk_f32_from_bf16(isa, bits, values + start, length)
        }
      }
    }
  }
}

/// Values rounded to multiples of their output channel's scale, at most 127 of them.
private struct QuantizedValues: TensorValues {
  let base: any TensorValues
  let scales: [Float]

  var count: Int { base.count }
  var prefersLongRanges: Bool { base.prefersLongRanges }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
    try base.read(range, into: destination)
    guard let values = destination.baseAddress else { return }
    let isa = vgk_best_isa()
    let outputs = scales.count
    // The kernels work on whole rows; a range may begin and end anywhere in one.
    scales.withUnsafeBufferPointer { scales in
      guard let scales = scales.baseAddress else { return }
      withUnsafeTemporaryAllocation(of: Int8.self, capacity: outputs) { bytes in
        guard let bytes = bytes.baseAddress else { return }
        var position = range.lowerBound
        while position < range.upperBound {
          let channel = position % outputs
          let length = min(outputs - channel, range.upperBound - position)
          let part = values + (position - range.lowerBound)
          vgk_quantize_columns_s8(isa, part, 1, length, scales + channel, bytes)
          vgk_dequantize_columns_s8(isa, bytes, 1, length, scales + channel, part)
          position += length
        }
      }
    }
  }
}
