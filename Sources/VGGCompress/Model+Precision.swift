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
            .malformed, code: "quantize.nonfinite", file: provenance.sourceName,
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

  func transform(_ run: UnsafeMutableBufferPointer<Float>) {
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
