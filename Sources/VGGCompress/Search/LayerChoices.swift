internal import VGGBytes
internal import VGGModel
internal import VGGTensors

/// How a layer may be stored, and what each way costs where all other layers stay as they are.
struct LayerChoices {
  /// One way to store it.
  struct Option {
    /// The precision; nil: as it is.
    let precision: Precision?
    let tensor: Tensor
    /// The bytes of the whole file.
    let fileBytes: Int
    /// The distance of the output.
    let distance: Double

    /// Whether it may be chosen.
    var isUsable: Bool { distance.isFinite }
  }

  let name: String
  let weightName: String
  /// Whether it is to stay as it is.
  private let isKept: Bool
  /// The precisions that need fewer bits than it has, in falling order.
  let possible: [Precision]
  /// As it is, then the precisions in the order of `possible`, as far as they were added.
  private(set) var options: [Option]

  /// Begins with the layer as it is.
  ///
  /// - Parameters:
  ///   - layer: The layer.
  ///   - model: Its model.
  ///   - settings: Which layers are kept, and whether convolutions may have four bits.
  ///   - size: What the model takes.
  init(_ layer: Layer, of model: Model, by settings: QuantizationSettings, size: StoredSize) {
    (name, weightName) = (layer.name, layer.weightName)
    isKept = settings.keptLayers.contains(layer.name)
    guard let tensor = model.tensor(layer.weightName) else {
      preconditionFailure("a model has the tensors of its layers")
    }
    let bits = tensor.elementType.bitCount
    possible =
      isKept
      ? []
      : Precision.searched.filter {
        $0.bitCount < bits && ($0 != .int4 || layer.isDense || settings.includesConvolutions)
      }
    options = [Option(precision: nil, tensor: tensor, fileBytes: size.byteCount, distance: 0)]
  }

  /// Measures the layer with another precision.
  mutating func add(
    _ precision: Precision, _ tensor: Tensor, in model: Model, _ measures: PrecisionSearch.Measures
  ) throws(FileError) {
    let changed = model.mappingTensors { $0.name == weightName ? tensor : $0 }
    var distance = try measures.distance(changed)
    // A weight that became infinite need not show in the outputs for a few pictures.
    if case .real = tensor.content, distance.isFinite,
      try TensorDistortion(from: options[0].tensor, to: tensor).overflowCount > 0
    {
      distance = .infinity
    }
    options.append(
      Option(
        precision: precision, tensor: tensor, fileBytes: try measures.size(changed).byteCount,
        distance: distance))
  }

  /// The steps from the layer as it is to its smallest form: each the one that costs the least distance for each byte, so that
  /// costs never fall.
  var steps: [(target: Int, cost: Double)] {
    var (current, steps): (Int, [(target: Int, cost: Double)]) = (0, [])
    while true {
      let present = options[current]
      func cost(_ option: Option) -> Double {
        (option.distance - present.distance) / Double(present.fileBytes - option.fileBytes)
      }
      let smaller = options.indices.filter {
        $0 > current && options[$0].isUsable && options[$0].fileBytes < present.fileBytes
      }
      let next = smaller.min {
        (cost(options[$0]), options[$0].fileBytes) < (cost(options[$1]), options[$1].fileBytes)
      }
      guard let next else { return steps }
      steps.append((next, max(cost(options[next]), steps.last?.cost ?? -.infinity)))
      current = next
    }
  }

  /// The index of the smallest usable option that has no fewer bits than a precision.
  func last(notBelow precision: Precision) -> Int {
    options.lastIndex { option in
      option.isUsable && (option.precision.map { $0.bitCount >= precision.bitCount } ?? true)
    } ?? 0
  }

  /// What is told of an option that was chosen.
  ///
  /// - Parameters:
  ///   - index: The option.
  ///   - byteCount: The stored bytes of the weight.
  func planned(_ index: Int, byteCount: Int) -> PrecisionPlan.Layer {
    let chosen = options[index]
    let smaller = options[(index + 1)...].filter { $0.fileBytes < chosen.fileBytes }
    let reason: PrecisionPlan.Reason
    if isKept {
      reason = .kept
    } else if let next = smaller.first(where: \.isUsable), let precision = next.precision {
      reason = .next(
        precision, distance: next.distance, savedBytes: chosen.fileBytes - next.fileBytes)
    } else if let precision = smaller.first?.precision {
      reason = .unsuitable(precision)
    } else {
      reason = .smallest
    }
    return PrecisionPlan.Layer(
      name: name, precision: chosen.precision, elementType: chosen.tensor.elementType,
      byteCount: byteCount, distance: chosen.distance, reason: reason)
  }
}

extension Precision {
  /// What a search chooses among, in the order of their bits.
  static let searched: [Precision] = [.fp16, .int8, .int4]

  /// The bits of a weight.
  var bitCount: Int {
    switch self {
    case .fp32: 32
    case .fp16, .bf16: 16
    case .int8: 8
    case .int4: 4
    }
  }
}
