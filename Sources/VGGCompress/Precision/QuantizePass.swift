internal import CVGGKernels
internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// Stores the weights in another precision, rounded to nearest, ties to even; a sparse tensor stays sparse.
struct QuantizePass: ModelPass {
  private let precision: Precision
  /// The layers whose weights stay as they are, in the network's order.
  private let kept: [String]

  var declaration: Pass { .quantize(to: precision, keeping: kept) }

  /// Creates a pass for a model.
  ///
  /// - Throws: `unsupported` with the code `quantize.layer` where a layer to keep is none of the network's that have weights.
  init(to precision: Precision, keeping names: [String], in model: Model) throws(FileError) {
    let known = model.network.layers.filter { !$0.tensorRequirements.isEmpty }.map(\.name)
    if let unknown = names.first(where: { !known.contains($0) }) {
      throw FileError(
        .unsupported, code: "quantize.layer", file: model.provenance.sourceName,
        "has no layer of that name to keep", seen: unknown, allowed: known.joined(separator: ", "))
    }
    self.precision = precision
    kept = known.filter(names.contains)
  }

  func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    let keptWeights = Set(kept.map { "\($0)/weight" })
    return try model.mappingTensors { (tensor) throws(FileError) in
      guard tensor.role == .weight, !keptWeights.contains(tensor.name) else { return tensor }
      switch precision {
      case .fp32: return tensor.replacing(.real(tensor.values, as: .float32))
      case .fp16:
        return tensor.replacing(.real(RoundedValues(base: tensor.values, type: .float16), as: .float16))
      case .bf16:
        return tensor.replacing(.real(RoundedValues(base: tensor.values, type: .bfloat16), as: .bfloat16))
      case .int8:
        let scales = try tensor.values.int8Scales(outputs: tensor.shape[tensor.shape.count - 1])
        if let channel = scales.firstIndex(where: { !$0.isFinite }) {
          throw FileError(
            .malformed, code: "quantize.nonfinite", file: model.provenance.sourceName,
            "has values that int8 cannot hold", place: "tensor \(tensor.name), output channel \(channel)",
            seen: scales[channel].isNaN ? "nan" : "inf", allowed: "finite numbers",
            advice: "--keep \(tensor.name.prefix { $0 != "/" }) leaves the layer as it is")
        }
        let quantization = Quantization(scales: scales)
        return tensor.replacing(
          .codes(
            QuantizedCodes(base: tensor.values, quantization: quantization, rowLength: scales.count),
            quantization))
      }
    }
  }
}

extension TensorValues {
  /// The scale of each output channel: its largest magnitude over 127, or 1 where all its values are zero; not finite where
  /// a value is not.
  fileprivate func int8Scales(outputs: Int) throws(FileError) -> [Float] {
    let isa = vgk_best_isa()
    let tiles = tiles(rowLength: outputs)
    let partial = try Workers.current.map(tiles.count) { index throws(FileError) in
      let tile = tiles[index]
      var maxima = [Float](repeating: 0, count: tile.columns.count)
      try forEachBlock(of: tile, rowLength: outputs) { block, values throws(FileError) in
        guard let start = values.baseAddress else { return }
        vgk_absmax_columns_f32(isa, start, block.rowCount, block.columns.count, &maxima)
      }
      return maxima
    }
    var maxima = [Float](repeating: 0, count: outputs)
    for (tile, part) in zip(tiles, partial) {
      for (channel, maximum) in zip(tile.columns, part) {
        // By their bits, so that NaN stays.
        maxima[channel] = Float(bitPattern: max(maxima[channel].bitPattern, maximum.bitPattern))
      }
    }
    return maxima.map { maximum in
      let scale = maximum / 127
      // A scale that underflows could not bring the largest value back.
      return scale < .leastNormalMagnitude ? 1 : scale
    }
  }
}

/// Values rounded to a narrower type.
private struct RoundedValues: PointwiseValues {
  let base: any TensorValues
  let type: RealType

  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    guard let values = run.baseAddress else { return }
    let isa = vgk_best_isa()
    var narrowing = VGKNarrowing()
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 4096) { bits in
      guard let bits = bits.baseAddress else { return }
      for start in stride(from: 0, to: run.count, by: 4096) {
        let length = min(4096, run.count - start)
        switch type {
        case .float32: break
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

/// The codes that are nearest to some values.
private struct QuantizedCodes: TensorCodes {
  let base: any TensorValues
  let quantization: Quantization
  /// The number of output channels.
  let rowLength: Int

  var count: Int { base.count }
  var isTransposed: Bool { base.isTransposed }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 16) {
      let part = start..<min(range.upperBound, start + 1 << 16)
      let place = part.lowerBound - range.lowerBound
      try base.withValues(part) { values throws(FileError) in
        quantization.quantize(
          values, firstIndex: part.lowerBound, rowLength: rowLength,
          into: UnsafeMutableBufferPointer(rebasing: destination[place..<place + part.count]))
      }
    }
  }

  func read(
    _ tile: Tile, rowLength: Int, into destination: UnsafeMutablePointer<Int8>, rowStride: Int
  ) throws(FileError) {
    try base.forEachBlock(of: tile, rowLength: rowLength) { block, values throws(FileError) in
      quantization.quantize(
        values, of: block, in: tile, rowLength: rowLength, into: destination, rowStride: rowStride)
    }
  }
}
