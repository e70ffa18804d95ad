internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// The codes that declared values stand for, where these are multiples of a scale already.
private struct DeclaredCodeValues: TensorCodes {
  let values: any TensorValues
  /// The scale of each output channel.
  let scales: [Float]

  var count: Int { values.count }
  var isTransposed: Bool { values.isTransposed }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    try values.withValues(range) { values throws(FileError) in
      for index in values.indices {
        let scale = scales[(range.lowerBound + index) % scales.count]
        let steps = values[index] == 0 ? 0 : (values[index] / scale).rounded(.toNearestOrEven)
        destination[index] = Int8(max(-128, min(127, steps)))
      }
    }
  }
}

extension DeclaredTensor {
  /// The tensor that a model of integers must have, to compute with.
  var tensorOfCodes: Tensor {
    if let bias { return original.replacing(.bias(bias), storage: storage) }
    guard let quantization, quantization.zeroPointCount == 0 else { return tensor }
    let outputs = original.shape.last ?? 1
    let scales = quantization.scales
    let codes = DeclaredCodeValues(
      values: values, scales: scales.count == 1 ? Array(repeating: scales[0], count: outputs) : scales)
    return original.replacing(.codes(codes, quantization), storage: storage)
  }
}

extension IntegerArithmetic {
  /// How this differs from what another model computes with; nil where it does not.
  func difference(from other: IntegerArithmetic, of network: Network) -> String? {
    guard rounding == other.rounding else {
      return "sums are rounded as \(rounding.rawValue), but must be as \(other.rounding.rawValue)"
    }
    let pairs = zip(maps(of: network), other.maps(of: network))
    guard let (own, theirs) = pairs.first(where: { $0.codes != $1.codes }) else { return nil }
    return "the codes of \(own.name) have the scale \(own.codes.scale) and the zero point "
      + "\(own.codes.zeroPoint), but must have \(theirs.codes.scale) and \(theirs.codes.zeroPoint)"
  }
}
