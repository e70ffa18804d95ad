internal import VGGBytes
public import VGGEngine
public import VGGModel
internal import VGGTensors

/// A mistake that is planted in a model on purpose, to see whether the verification finds it.
public struct SeededFault: Sendable {
  /// What kind of mistake it is, for people and for counting.
  public var kind: Kind
  /// The layer that it is planted in.
  public var layer: String
  /// What is done to the layer.
  public var change: LayerChange

  /// The kinds of mistakes.
  public enum Kind: String, CaseIterable, Sendable {
    case kernelFlip = "kernel flip"
    case transposedKernel = "rows and columns swapped"
    case channelOrder = "BGR for RGB"
    case flattenOrder = "flatten order"
    case poolingRounding = "pooling rounding"
    case normalizationK = "LRN k"
    case normalizationAlpha = "LRN alpha"
    case missingBias = "missing bias"
    case shiftedBias = "shifted bias"
    case exchangedLayers = "exchanged layers"
    case permutedClasses = "permuted classes"
    case swappedChannels = "swapped channels"
    case flippedBit = "flipped bit"
    case zeroedRow = "zeroed row"
    case truncatedTensor = "truncated tensor"
    case wrongScale = "wrong scale of a channel"
    case wrongScales = "wrong scales of all channels"
    case exchangedScales = "exchanged scales"
    case wrongGroupScale = "wrong scale of a group"
    case groupOrder = "groups in another order"
    case wrongZeroPoint = "wrong zero point"
    case missingZeroPoints = "zero points taken for 0"
    case exchangedNibbles = "nibbles exchanged"
    case saturated = "saturated codes"
    case zeroedWeight = "kept weight zeroed"
    case wrongPruning = "larger weight pruned"
    case wrongZeroRow = "rows exchanged"

    /// Whether one change of a whole layer undoes it, so that a diagnosis is expected.
    public var hasDiagnosis: Bool {
      switch self {
      case .kernelFlip, .transposedKernel, .channelOrder, .flattenOrder, .poolingRounding, .normalizationK,
        .normalizationAlpha, .missingBias, .shiftedBias, .exchangedLayers, .permutedClasses:
        true
      case .swappedChannels, .flippedBit, .zeroedRow, .truncatedTensor, .wrongScale, .wrongScales,
        .exchangedScales, .wrongGroupScale, .groupOrder, .wrongZeroPoint, .missingZeroPoints,
        .exchangedNibbles,
        .saturated, .zeroedWeight, .wrongPruning, .wrongZeroRow:
        false
      }
    }
  }

  /// All mistakes of all kinds that a network offers a place for.
  ///
  /// - Parameters:
  ///   - network: Where the mistakes are planted.
  ///   - seed: Decides which values, rows, channels and bits are concerned.
  public static func all(for network: Network, seed: UInt64) -> [SeededFault] {
    var random = SplitMix64(state: seed)
    func index(below count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
    var faults: [SeededFault] = []
    func plant(_ kind: Kind, _ layer: Layer, _ change: LayerChange) {
      faults.append(SeededFault(kind: kind, layer: layer.name, change: change))
    }
    let classLayer = network.layers.last { if case .dense = $0.operation { true } else { false } }
    for (position, layer) in network.layers.enumerated() {
      switch layer.operation {
      case .pooling(let pooling):
        plant(.poolingRounding, layer, .rounding(pooling.rounding == .floor ? .ceiling : .floor))
      case .normalization(let constants):
        var wrong = constants
        wrong.k = constants.k == 1 ? 2 : 1
        plant(.normalizationK, layer, .normalization(wrong))
        wrong = constants
        wrong.scale *= Double(constants.size)
        plant(.normalizationAlpha, layer, .normalization(wrong))
      case .softmax, .sigmoid: continue
      case .convolution, .dense:
        plant(.kernelFlip, layer, .rotatedKernels)
        plant(.transposedKernel, layer, .transposedKernels)
        if position == 0 { plant(.channelOrder, layer, .reversedInputChannels) }
        if let channels = network.flattenedChannels(in: layer) {
          plant(.flattenOrder, layer, .flattenedByChannel(channels: channels))
        }
        plant(.missingBias, layer, .missingBias)
        plant(.shiftedBias, layer, .shiftedBias(by: 1))
        let shapes = layer.tensorRequirements.map(\.shape)
        if let other = network.layers[(position + 1)...].first(where: {
          $0.tensorRequirements.map(\.shape) == shapes
        }) {
          plant(.exchangedLayers, layer, .exchanged(with: other.name))
        }
        let outputs = shapes[0][shapes[0].count - 1]
        var order = Array(0..<outputs)
        if layer == classLayer {
          for place in order.indices.dropFirst() { order.swapAt(place, index(below: place + 1)) }
          plant(.permutedClasses, layer, .permutedOutputs(order))
        }
        order = Array(0..<outputs)
        if outputs > 1 {
          let first = index(below: outputs - 1)
          order.swapAt(first, first + 1)
          plant(.swappedChannels, layer, .permutedOutputs(order))
        }
        for needed in layer.tensorRequirements {
          plant(
            .flippedBit, layer,
            .flippedBit(needed.role, index: index(below: needed.shape.reduce(1, *)), bit: index(below: 32)))
        }
        let count = shapes[0].reduce(1, *)
        plant(.zeroedRow, layer, .zeroedRow(index(below: count / outputs)))
        plant(.truncatedTensor, layer, .truncated(from: count / 3 + index(below: count / 2)))
        let factors: [Float] = [400, 0.02, 1.01, -1]
        let channel = index(below: outputs)
        plant(.wrongScale, layer, .scaled(channel: channel, by: factors[index(below: 4)]))
        plant(.wrongScales, layer, .scaled(channel: nil, by: factors[index(below: 4)]))
        plant(.exchangedScales, layer, .exchangedScales(channel, (channel + 1) % outputs))
        plant(.wrongGroupScale, layer, .scaledGroup(index(below: count), by: factors[index(below: 4)]))
        plant(.groupOrder, layer, .transposedGroups)
        plant(.wrongZeroPoint, layer, .shiftedZeroPoint(index(below: count)))
        plant(.missingZeroPoints, layer, .missingZeroPoints)
        plant(.exchangedNibbles, layer, .exchangedNibbles)
        plant(.saturated, layer, .saturated)
        plant(.zeroedWeight, layer, .zeroedWeight(from: index(below: count)))
        plant(.wrongPruning, layer, .exchangedZero(from: index(below: max(1, count - (1 << 16)))))
        plant(.wrongZeroRow, layer, .exchangedRows(0, 1 + index(below: count / outputs - 1)))
      }
    }
    return faults
  }
}

/// What the verification said of a mistake that was planted.
public struct FaultTrial: Sendable {
  /// The mistake.
  public var fault: SeededFault
  /// Whether the model was found to be different.
  public var wasCaught: Bool
  /// The first bad layer that was named.
  public var namedLayer: String?
  /// What was said to explain it.
  public var diagnosis: Diagnosis?

  /// Whether the layer that the mistake was planted in was named.
  public var namesLayer: Bool { namedLayer == fault.layer }

  /// Plants a mistake in a model and verifies it, with a budget as ``Verification`` has.
  ///
  /// - Returns: Nil where the mistake changes nothing: a flipped kernel of 1x1, or a bit that the encoding does not hold.
  public init?(
    _ fault: SeededFault, in model: Model, source: Model, inputs: [FeatureMap],
    options: EngineOptions = EngineOptions(), budget: Int = Verification.standardBudget
  ) throws(VerificationError) {
    guard let layer = model.network.layers.first(where: { $0.name == fault.layer }) else { return nil }
    let changed: Model?
    do throws(FileError) {
      let change = model.hasCodesByChoice ? fault.change.beyondChoices : fault.change
      changed = try change.applied(to: layer, of: model)
      guard let changed, try changed.differs(from: model) else { return nil }
    } catch {
      throw .file(error)
    }
    guard let changed else { return nil }
    let verification = try Verification(
      of: changed, against: source, inputs: inputs, options: options, budget: budget)
    self.fault = fault
    wasCaught = verification.verdict == .different
    namedLayer = verification.culprit
    diagnosis = verification.diagnosis
  }
}

extension LayerChange {
  /// The same where pictures decided between two neighbouring codes: the lowest bit of a code may be such a choice, of which nobody can
  /// say that it is a mistake, so another one is flipped.
  fileprivate var beyondChoices: LayerChange {
    if case .flippedBit(let role, let index, let bit) = self {
      .flippedBit(role, index: index, bit: bit | 1)
    } else {
      self
    }
  }
}

extension Model {
  /// Whether pictures decided about codes.
  fileprivate var hasCodesByChoice: Bool {
    provenance.passes.contains {
      if case .quantize(let settings) = $0 { settings.codeRounding != .nearest } else { false }
    }
  }

  /// Whether any value, or what any layer computes for the network's own input, differs.
  func differs(from other: Model) throws(FileError) -> Bool {
    if preprocessing != other.preprocessing { return true }
    if differences(from: other).contains(where: { !$0.isHarmless }) { return true }
    for tensor in tensors {
      guard let theirs = other.tensor(tensor.name) else { return true }
      let isDifferent = try tensor.values.reducePieces(rowLength: 1, into: false) {
        (start, values) throws(FileError) -> Bool in
        try theirs.values.withValues(start..<start + values.count) { (expected) throws(FileError) in
          zip(values, expected).contains { $0.bitPattern != $1.bitPattern }
        }
      } combine: {
        $0 = $0 || $1
      }
      if isDifferent { return true }
    }
    return false
  }
}
