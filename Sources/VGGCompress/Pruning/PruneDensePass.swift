internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Sets the smallest weights of each dense layer to zero and stores these layers sparse.
///
/// Weights of equal magnitude are kept or dropped together, so never more than the fraction is dropped. Zeros of either
/// sign become +0, which a sparse tensor does not store.
struct PruneDensePass: ModelPass {
  /// The part of each dense layer's weights to drop, from 0 to 1.
  let fraction: Double

  var declaration: Pass { .prune(fraction: fraction) }

  func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    guard (0...1).contains(fraction) else {
      throw FileError(
        .unsupported, code: "prune.fraction", file: model.provenance.sourceName,
        "cannot lose such a part of its weights", seen: "\(fraction)", allowed: "0 to 1")
    }
    let denseWeights = Set(model.network.layers.filter(\.isDense).map(\.weightName))
    return try model.mappingTensors { (tensor) throws(FileError) in
      guard denseWeights.contains(tensor.name) else { return tensor }
      let dropCount = Int((Double(tensor.count) * fraction).rounded(.down))
      let cut = try tensor.values.magnitude(ofAtMost: dropCount)
      switch tensor.content {
      case .real(let values, let type):
        return tensor.replacing(.real(PrunedValues(base: values, keptFrom: cut), as: type), storage: .sparse)
      case .codes(let codes, let quantization):
        let pruned = PrunedCodes(
          base: codes, quantization: quantization, rowLength: tensor.shape.last ?? 1, keptFrom: cut)
        return tensor.replacing(.codes(pruned, quantization), storage: .sparse)
      case .bias: preconditionFailure("a weight holds no codes of biases")
      }
    }
  }
}

/// Values of which the small ones are zero.
private struct PrunedValues: PointwiseValues {
  let base: any TensorValues
  /// The bit pattern of the smallest magnitude that is kept.
  let keptFrom: UInt32

  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    let keptFrom = max(keptFrom, 1)  // a zero is never kept, whatever its sign
    for index in run.indices where run[index].magnitudeBits < keptFrom { run[index] = 0 }
  }
}

/// Codes of which those stand for zero that stood for small values.
private struct PrunedCodes: TensorCodes {
  let base: any TensorCodes
  let quantization: Quantization
  /// The number of output channels.
  let rowLength: Int
  /// The bit pattern of the smallest magnitude that is kept.
  let keptFrom: UInt32

  var count: Int { base.count }
  var isTransposed: Bool { base.isTransposed }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    try base.read(range, into: destination)
    prune(destination, firstIndex: range.lowerBound)
  }

  func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Int8>, rowStride: Int
  ) throws(FileError) {
    try base.read(tile, rowLength: rowLength, into: destination, rowStride: rowStride)
    for (index, row) in tile.rows.enumerated() {
      prune(
        UnsafeMutableBufferPointer(start: destination + index * rowStride, count: tile.columns.count),
        firstIndex: row * rowLength + tile.columns.lowerBound)
    }
  }

  private func prune(_ codes: UnsafeMutableBufferPointer<Int8>, firstIndex: Int) {
    let keptFrom = max(keptFrom, 1)
    let hasZeroPoints = quantization.zeroPointCount > 0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: min(codes.count, 4096)) { values in
      for start in stride(from: 0, to: codes.count, by: 4096) {
        let part = start..<min(codes.count, start + 4096)
        quantization.dequantize(
          UnsafeBufferPointer(rebasing: codes[part]), firstIndex: firstIndex + start, rowLength: rowLength,
          into: values)
        for index in part where values[index - start].magnitudeBits < keptFrom {
          codes[index] =
            hasZeroPoints
            ? quantization.parameters(ofElement: firstIndex + index, rowLength: rowLength).zeroPoint : 0
        }
      }
    }
  }
}
