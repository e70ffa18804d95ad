public import VGGBytes
public import VGGModel
internal import VGGTensors

/// Takes off each output what the rounding of its weights adds to it on average (Nagel et al. 2019, arXiv 1906.04721, section 4.2, with
/// means that were measured).
///
/// With an input `x`, rounding adds `sum (w' - w) x` to an output, whose mean is `sum (w' - w) E[x]`. `E[x]` is the mean of the input's
/// channel over all pixels and pictures of the calibration; what padding changes at borders does not count. The mean is
/// taken off the bias in double precision; its terms are added in one order, whatever the source and the number of threads.
public struct BiasCorrection: ModelPass, Equatable, Sendable {
  /// The means by which biases are corrected.
  public let means: InputMeans
  /// What is taken off the bias of each of their layers, for each output.
  public let corrections: [String: [Double]]

  /// The pass with its means.
  public var declaration: Pass { .correctBiases(means) }

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
    guard calibration.network == original.network else { throw Self.otherNetwork(rounded) }
    // Each layer reads what the one in front of it puts out, whose place is that of the layer itself: the input comes first.
    let layers = zip(original.network.layers, calibration.layers).compactMap { layer, input in
      original.tensor(layer.biasName).map { _ in InputMeans.Layer(layer.name, means: input.channelMeans) }
    }
    let passCount = rounded.provenance.passes.count - original.provenance.passes.count
    try self.init(InputMeans(layers, roundingPassCount: passCount), of: rounded, from: original)
  }

  /// Finds the corrections for a model by means that are known; of layers whose weights are the same, nothing is kept.
  init(_ means: InputMeans, of rounded: Model, from original: Model) throws(FileError) {
    guard rounded.network == original.network, means.problem(in: original.network) == nil else {
      throw Self.otherNetwork(rounded)
    }
    var corrections: [String: [Double]] = [:]
    for layer in means.layers {
      guard let before = original.tensor("\(layer.name)/weight"),
        let after = rounded.tensor("\(layer.name)/weight")
      else { continue }
      let sums = try Self.meanErrors(from: before, to: after, inputMeans: layer.means)
      if sums.contains(where: { $0 != 0 }) { corrections[layer.name] = sums }
    }
    self.corrections = corrections
    self.means = InputMeans(
      means.layers.filter { corrections[$0.name] != nil }, roundingPassCount: means.roundingPassCount)
  }

  private static func otherNetwork(_ model: Model) -> FileError {
    FileError(
      .unsupported, code: "bias.network", file: model.provenance.sourceName,
      "has another network than the model that its biases are corrected by")
  }

  /// The model with corrected biases, which are stored as float32.
  ///
  /// - Throws: `unsupported` where biases are codes already, or no weight was rounded.
  public func apply(to model: Model, in context: PassContext) throws(FileError) -> Model {
    guard !corrections.isEmpty else {
      throw FileError(
        .unsupported, code: "bias.exact", file: model.provenance.sourceName,
        "has no biases to correct: rounding changes none of its outputs on average")
    }
    return model.mappingTensors { tensor in
      guard tensor.role == .bias,
        let correction = corrections[String(tensor.name.prefix { $0 != "/" })]
      else { return tensor }
      return tensor.replacing(
        .real(CorrectedBias(base: tensor.values, correction: correction), as: .float32))
    }
  }

  /// The mean of what each output gains from other weights: the terms of an output are added row by row.
  private static func meanErrors(
    from before: Tensor, to after: Tensor, inputMeans: [Double]
  ) throws(FileError) -> [Double] {
    let rowLength = before.shape[before.shape.count - 1]
    let rowCount = before.count / rowLength
    let (old, new) = (before.values, after.values)
    // Whole columns, which any source is quick to read; no more than a few megabytes of them.
    let columnsAtOnce = max(1, min(64, (1 << 19) / rowCount))
    let bands = stride(from: 0, to: rowLength, by: columnsAtOnce).map {
      $0..<min(rowLength, $0 + columnsAtOnce)
    }
    return try Workers.current.map(bands.count) { (index) throws(FileError) in
      let (band, width) = (bands[index], bands[index].count)
      let tile = Tile(rows: 0..<rowCount, columns: band)
      let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2 * tile.count)
      defer { memory.deallocate() }
      var sums = [Double](repeating: 0, count: width)
      guard let values = memory.baseAddress else { return sums }
      let changed = values + tile.count
      try old.read(tile, rowLength: rowLength, into: values, rowStride: width)
      try new.read(tile, rowLength: rowLength, into: changed, rowStride: width)
      for row in 0..<rowCount {
        let mean = inputMeans[row % inputMeans.count]
        for column in 0..<width {
          let place = row * width + column
          sums[column] += (Double(changed[place]) - Double(values[place])) * mean
        }
      }
      return sums
    }.flatMap(\.self)
  }
}

extension Model {
  /// The correction of this model's biases for what rounding has done to its weights since the context's `unrounded`.
  ///
  /// - Parameters:
  ///   - means: The means of the layers' inputs; nil: those that the unrounded model gives for the pictures of the context.
  ///   - context: What the pass may use.
  func biasCorrection(by means: InputMeans?, in context: PassContext) throws(FileError) -> BiasCorrection {
    guard integerArithmetic == nil else {
      throw FileError(
        .unsupported, code: "bias.integers", file: provenance.sourceName,
        "computes in integers: its biases cannot be corrected any more",
        advice: "correct them on the way, together with --to")
    }
    guard let unrounded = context.unrounded else {
      throw FileError(
        .unsupported, code: "bias.unrounded", file: provenance.sourceName,
        "cannot have its biases corrected: its weights are not rounded on the way",
        advice: "round them together with it")
    }
    if let means { return try BiasCorrection(means, of: self, from: unrounded) }
    let calibration = try Calibration(of: unrounded, on: context.calibration, engine: context.engine)
    calibration.warnings.forEach(context.warn)
    return try BiasCorrection(of: self, from: unrounded, by: calibration)
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
