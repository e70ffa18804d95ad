internal import VGGTensors

extension Tensor {
  /// A change of how codes are to be read; nil where it does not apply.
  func changingCodes(_ change: LayerChange) -> Tensor? {
    guard case .codes(let codes, var quantization) = content else { return nil }
    var changed: any TensorCodes = codes
    switch (change, quantization.grouping) {
    case (.scaledGroup(let index, let factor), .inputGroups):
      quantization.scales[index % quantization.scaleCount] *= factor
    case (.transposedGroups, .inputGroups):
      let outputs = shape.last ?? 1
      let groups = quantization.scaleCount / outputs
      func transposed<Parameter>(_ parameters: [Parameter]) -> [Parameter] {
        parameters.indices.map { parameters[$0 % groups * outputs + $0 / groups] }
      }
      quantization.scales = transposed(quantization.scales)
      quantization.zeroPoints = transposed(quantization.zeroPoints)
    case (.shiftedZeroPoint(let index), _) where quantization.zeroPointCount > 0:
      let group = index % quantization.zeroPointCount
      let codes = quantization.type.codes
      let zeroPoint = quantization.zeroPoints[group]
      quantization.zeroPoints[group] = zeroPoint == codes.upperBound ? zeroPoint - 1 : zeroPoint + 1
    case (.missingZeroPoints, _) where quantization.zeroPointCount > 0:
      quantization = Quantization(quantization.type, by: quantization.grouping, scales: quantization.scales)
    case (.exchangedNibbles, _) where quantization.type == .int4:
      let count = codes.count
      changed = RearrangedCodes(base: codes) { min($0 ^ 1, count - 1) }
    default: return nil
    }
    return replacing(.codes(changed, quantization))
  }
}
