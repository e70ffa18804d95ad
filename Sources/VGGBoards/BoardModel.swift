internal import CVGGRuntime
internal import VGGBytes
internal import VGGEngine
internal import VGGExport
internal import VGGModel
internal import VGGTensors

/// A model as the runtime is told of it: layers, plan, tables, and the image of the weights.
struct BoardModel {
  /// The layers, in order.
  private(set) var layers: [BoardLayer]
  /// The plans to choose from, the smallest arena first.
  let front: [BoardPlan]
  /// The plan.
  let plan: BoardPlan
  /// What the runtime is told of the layers.
  private(set) var records: [ModelSource.Layer] = []
  /// The image's bytes, but for its header.
  private var body = FileContent()
  private let digest: BoardOptions.Digest
  private let rounding: IntegerArithmetic.Rounding

  /// Lays out a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - options: What is decided.
  ///   - path: The name of the package, for errors.
  /// - Throws: `unsupported` where it is no model of integers, or a board's runtime cannot compute it, or there is no plan for it.
  init(_ model: Model, _ options: BoardOptions, path: String) throws(FileError) {
    func refusal(_ code: String, _ problem: String, _ advice: String? = nil) -> FileError {
      FileError(.unsupported, code: "export.\(code)", file: path, problem, advice: advice)
    }
    guard let arithmetic = model.integerArithmetic else {
      throw refusal(
        "board.integers", "boards compute in integers, but the model does not",
        "'vggconv quantize MODEL --to int8 --activations int8 --rounding tflm --calibrate DATA -o OUT' makes one that does"
      )
    }
    guard let extent = model.network.inputExtent else {
      throw refusal("board.input", "the size of the pictures must be known, but the model has none")
    }
    do throws(ShapeError) {
      layers = try BoardLayer.layers(of: model.network, for: extent)
    } catch { throw refusal("board.layer", "\(error)") }
    do throws(EngineError) { try model.requireSumsThatFit() } catch { throw FileError(error, file: path) }
    (digest, rounding) = (options.digest, arithmetic.rounding)
    var counts: [WeightCounts?] = []
    for (index, layer) in layers.enumerated() {
      guard layer.hasWeights, let integers = IntegerLayer(index, of: model) else {
        counts.append(nil)
        continue
      }
      let count = try WeightCounts(integers.weightCodes, outputs: layer.output.channels)
      counts.append(count)
      layers[index] = layer.encoded(
        isSparse: model.tensor(model.network.layers[index].weightName)?.storage == .sparse, count,
        expands: options.expandsWeights)
    }
    let least = layers.map(\.leastWindowByteCount).max() ?? 0
    let window = options.windowByteCount
    guard window == 0 || window >= least else {
      throw refusal(
        "board.window", "a window of \(window) bytes is too small", "give --window at least \(least)")
    }
    front = BoardPlan.front(of: layers, windowByteCount: window)
    let limit = options.arenaLimit ?? (window > 0 ? Int.max : nil)
    guard let plan = BoardPlan.choice(of: front, within: limit) else {
      throw refusal(
        "board.arena", "it does not fit \(limit ?? 0) bytes of RAM",
        "give --ram at least \(front.first?.arenaByteCount ?? 0), or see 'vggconv fit'")
    }
    guard plan.arenaByteCount <= Int(Int32.max) else {
      throw refusal("board.arena", "it needs more than 2 GB of RAM")
    }
    guard layers.imageByteCount <= Int(Int32.max) else {
      throw refusal("board.image", "its weights take more than 2 GB")
    }
    self.plan = plan
    for (index, count) in counts.enumerated() { try add(index, of: model, arithmetic, count) }
    precondition(imageByteCount == layers.imageByteCount, "the image is as long as was counted")
  }

  /// Adds what the runtime is told of a layer, and its part of the image.
  private mutating func add(
    _ index: Int, of model: Model, _ arithmetic: IntegerArithmetic, _ counts: WeightCounts?
  ) throws(FileError) {
    let layer = layers[index]
    let (input, output) = (arithmetic.input(ofLayer: index), arithmetic.outputs[index])
    var record = layer.record
    (record.input_zero_point, record.output_zero_point) = (input.zeroPoint, output.zeroPoint)
    if let counts, let integers = IntegerLayer(index, of: model) {
      let clips = model.network.layers[index].activation == .relu
      (record.low, record.high) = (clips ? output.zeroPoint : -128, 127)
      body.pad(toMultipleOf: Int(VGGRT_ALIGNMENT))
      record.channels_offset = UInt32(imageByteCount)
      body.append(channels(integers, counts, inputZeroPoint: input.zeroPoint))
      body.pad(toMultipleOf: Int(VGGRT_ALIGNMENT))
      record.weights_offset = UInt32(imageByteCount)
      let arrangement = model.network.arrangement(ofLayer: index, in: .channelsLast)
      let codes = arrangement?.arrange(integers.weightCodes) ?? integers.weightCodes
      body.append(.codes(ImageRows(layer, codes, nonzeroCounts: counts.nonzeros)))
    }
    let table = try ModelSource.Table(
      model.network.layers[index], from: input, to: output, arithmetic.rounding)
    records.append(ModelSource.Layer(name: layer.name, record: record, table: table))
  }

  /// The numbers of a layer's output channels: `vggrt_channel`.
  private func channels(
    _ integers: IntegerLayer, _ counts: WeightCounts, inputZeroPoint: Int8
  ) -> FileContent {
    let (factors, biases) = (integers.factors, integers.biases)
    var content = FileContent()
    for (channel, sum) in counts.sums.enumerated() {
      content.append((biases?[channel] ?? 0) &- Int32(inputZeroPoint) &* sum)
      switch factors {
      case .litert(let factors):
        content.append(factors[channel].bitPattern)
        content.append(Int32(0))
      case .tflm(let factors):
        content.append(factors[channel].multiplier)
        content.append(factors[channel].shift)
      }
    }
    return content
  }

  /// The bytes of the image.
  var imageByteCount: Int { MemoryLayout<vggrt_image_header>.size + body.byteCount }

  /// The image.
  ///
  /// - Parameter planCRC32: The digest of the plan that it belongs to.
  func image(planCRC32: UInt32) -> FileContent {
    var content = FileContent()
    content.append(Array("VGRT".utf8))
    for number in [VGGRT_IMAGE_VERSION, UInt32(imageByteCount), planCRC32] { content.append(number) }
    content.append(body)
    return content
  }

  /// The numbers of the model, without its digests.
  var numbers: vggrt_model {
    var numbers = vggrt_model()
    numbers.layer_count = UInt8(records.count)
    numbers.group_count = UInt8(plan.groups.count)
    numbers.rounding = UInt8((rounding == .litert ? VGGRT_LITERT : VGGRT_TFLM).rawValue)
    numbers.has_sha256 = digest == .sha256 ? 1 : 0
    numbers.arena_size = UInt32(plan.arenaByteCount)
    numbers.window_size = UInt32(plan.windowByteCount)
    numbers.weights_length = UInt32(imageByteCount)
    return numbers
  }

  /// The maps of the plan.
  var maps: [vggrt_map] { plan.maps.map { vggrt_map(offset: UInt32($0.offset), rows: UInt16($0.rows)) } }

  /// The groups of the plan.
  var groups: [vggrt_group] {
    plan.groups.map {
      vggrt_group(
        first: UInt8($0.layers.lowerBound), count: UInt8($0.layers.count), strip: UInt16($0.stripRows),
        scratch_offset: UInt32($0.scratchOffset), window_offset: UInt32($0.windowOffset))
    }
  }
}

extension BoardLayer {
  /// The layer with the encoding that suits its weights.
  fileprivate func encoded(isSparse: Bool, _ counts: WeightCounts, expands: Bool) -> BoardLayer {
    if kind == .dense, isSparse {
      let sparse = encodedSparsely(byteCount: counts.nonzeros.reduce(0) { $0 + sparseRowByteCount($1) })
      return sparse.weightByteCount < weightByteCount ? sparse : self
    }
    return expands && canExpand ? encoded(as: .winograd) : self
  }
}

extension Layer {
  /// What is applied to its sums.
  fileprivate var activation: Activation {
    switch operation {
    case .convolution(let convolution): convolution.activation
    case .dense(let dense): dense.activation
    case .pooling, .normalization, .softmax, .sigmoid: .none
    }
  }
}

extension ModelSource.Table {
  /// The table of a layer; nil: it has none.
  fileprivate init?(
    _ layer: Layer, from input: ActivationQuantization, to output: ActivationQuantization,
    _ rounding: IntegerArithmetic.Rounding
  ) throws(FileError) {
    switch layer.operation {
    case .convolution, .pooling, .dense: return nil
    case .softmax:
      switch SoftmaxTable(scale: input.scale, rounding) {
      case .litert(let exponentials): self = .exponentials(exponentials)
      case .tflm(let exponentials): self = .integerExponentials(exponentials)
      }
    case .sigmoid:
      // What the host's engine makes of each code.
      let integers = IntegerLayer(rounding: rounding, input: input, output: output)
      let codes = (-128...127).map { input.value(of: Int8($0)) }
      do throws(EngineError) {
        let engine = try LayerEngine(WeightedLayer(layer, integers: integers))
        let shape = FeatureShape(extent: Extent(height: 1, width: codes.count), channels: 1)
        let result = try engine.evaluate(on: FeatureMap(count: 1, shape: shape, values: codes))
        self = .lookup(output.codes(of: result.values))
      } catch { throw FileError(error, file: layer.name) }
    case .normalization(let normalization):
      let numbers = NormalizationFactor(normalization, from: input, to: output)
      self = .normalization(
        vggrt_normalization(
          k: numbers.k, unit: numbers.unit, scale_ratio: numbers.scaleRatio,
          quarters: UInt8(normalization.quarters ?? 0), reach: UInt8(normalization.size / 2)))
    }
  }
}
