public import VGGBytes
public import VGGModel
internal import VGGTensors

/// Takes off each output what the rounding of its weights adds to it on average (Nagel et al. 2019, arXiv 1906.04721, section 4.2, with
/// means that were measured).
///
/// With an input `x`, rounding adds `sum (w' - w) x` to an output, whose mean is `sum (w' - w) E[x]`. `E[x]` is the mean of the input's
/// channel over all pixels and pictures of the calibration; what padding changes at borders does not count. The mean is
/// taken off the bias in double precision; the sums have the same order for every number of threads.
public struct BiasCorrection: Equatable, Sendable {
  /// What is taken off the biases of each layer whose weights were rounded, for each output.
  public let corrections: [String: [Double]]

  /// Finds the corrections for a model.
  ///
  /// - Parameters:
  ///   - rounded: The model with rounded weights.
  ///   - original: The same model before that.
  ///   - calibration: What the layers of the original put out.
  /// - Throws: `unsupported` where the three are not of one network; what reading the weights throws.
  public init(
    of rounded: Model, from original: Model, by calibration: Calibration
  ) throws(FileError) {
    guard rounded.network == original.network, calibration.network == original.network else {
      throw FileError(
        .unsupported, code: "bias.network", file: rounded.provenance.sourceName,
        "has another network than the model that its biases are corrected by")
    }
    var corrections: [String: [Double]] = [:]
    // Each layer reads what the one in front of it puts out, whose place is that of the layer itself: the input comes first.
    for (layer, input) in zip(original.network.layers, calibration.layers) {
      guard let before = original.tensor(layer.weightName), let after = rounded.tensor(layer.weightName),
        rounded.tensor(layer.biasName) != nil
      else { continue }
      let sums = try Self.meanErrors(from: before, to: after, inputMeans: input.channelMeans)
      if sums.contains(where: { $0 != 0 }) { corrections[layer.name] = sums }
    }
    self.corrections = corrections
  }

  /// The model with corrected biases, which are stored as float32.
  ///
  /// - Precondition: The model has the network that the corrections were found for.
  public func applied(to model: Model) -> Model {
    model.mappingTensors { tensor in
      guard tensor.role == .bias,
        let correction = corrections[String(tensor.name.prefix { $0 != "/" })]
      else { return tensor }
      return tensor.replacing(values: CorrectedBias(base: tensor.values, correction: correction))
    }
  }

  /// The mean of what each output gains from other weights.
  private static func meanErrors(
    from before: Tensor, to after: Tensor, inputMeans: [Double]
  ) throws(FileError) -> [Double] {
    let rowLength = before.shape[before.shape.count - 1]
    let (old, new) = (before.values, after.values)
    let tiles = old.tiles(rowLength: rowLength)
    let parts = try Workers.current.map(tiles.count) { (index) throws(FileError) in
      var sums = [Double](repeating: 0, count: rowLength)
      try old.forEachBlock(of: tiles[index], rowLength: rowLength) { block, values throws(FileError) in
        try block.forEachRun(rowLength: rowLength) { place, run throws(FileError) in
          try new.withValues(place..<place + run.count) { changed throws(FileError) in
            // A run may be several rows.
            var (row, column) = place.quotientAndRemainder(dividingBy: rowLength)
            for (offset, source) in run.enumerated() {
              let error = Double(changed[offset]) - Double(values[source])
              sums[column] += error * inputMeans[row % inputMeans.count]
              column += 1
              if column == rowLength { (row, column) = (row + 1, 0) }
            }
          }
        }
      }
      return sums
    }
    var total = [Double](repeating: 0, count: rowLength)
    for part in parts {
      for column in total.indices { total[column] += part[column] }
    }
    return total
  }
}

/// A bias less what rounding adds to the outputs.
private struct CorrectedBias: PointwiseValues {
  let base: any TensorValues
  let correction: [Double]

  func transform(_ run: UnsafeMutableBufferPointer<Float>, firstIndex: Int) {
    for index in run.indices { run[index] = Float(Double(run[index]) - correction[firstIndex + index]) }
  }
}
