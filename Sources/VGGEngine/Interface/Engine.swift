public import VGGBytes
public import VGGModel
public import VGGTensors

/// Runs a network over batches of pictures.
///
/// On pictures larger than the network's own, the dense layers slide over the features as convolutions do (the paper's
/// dense evaluation, section 3.2): logits and probabilities are maps of scores then, see
/// ``EngineOutput/spatialAverage()``.
///
/// An engine is prepared once from a model and holds no state of a run, so several threads may use one.
public protocol Engine: Sendable {
  /// The network that is run.
  var network: Network { get }

  /// Runs the whole network.
  ///
  /// - Parameters:
  ///   - input: Preprocessed pictures of any number and of an extent that fits the network.
  ///   - tap: Gets each canonical layer's output as soon as it is there, in order: convolution and dense outputs
  ///     after their ReLU; the last dense layer's are the logits. A map that the tap keeps stays as it is; one that
  ///     it does not keep costs no memory, for the next layers reuse it.
  /// - Throws: `shape` where the input does not fit, `weights` where a weight cannot be read, `memory` where there
  ///   is too little, or `tap` with what the tap threw.
  func run(_ input: FeatureMap, tap: (Layer, FeatureMap) throws -> Void) throws(EngineError) -> EngineOutput

  /// Runs the whole network for its output alone, which is faster than with a tap.
  ///
  /// - Parameters:
  ///   - input: A batch of preprocessed pictures.
  ///   - layerDone: Called when a layer is done, for measuring; of a batch that is run in parts, for each part.
  func run(_ input: FeatureMap, layerDone: (Layer) -> Void) throws(EngineError) -> EngineOutput

  /// Runs one layer of the network on an input of its own, such as what another engine gave the layer; a layer of no
  /// network has a ``LayerEngine``.
  func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap

  /// How the sums of a layer of the network are rounded.
  func rounding(of layer: Layer) -> SumRounding
}

extension Engine {
  /// Runs the whole network for its output alone.
  public func run(_ input: FeatureMap) throws(EngineError) -> EngineOutput {
    try run(input, layerDone: { _ in })
  }

  /// Runs the whole network with a tap that keeps nothing.
  public func run(_ input: FeatureMap, layerDone: (Layer) -> Void) throws(EngineError) -> EngineOutput {
    try run(input, tap: { layer, _ in layerDone(layer) })
  }
}

/// What a network puts out.
public enum EngineOutput: Sendable {
  /// Behind a softmax: the last dense layer's output for each picture, and the probabilities of classes of which one is right.
  case classes(logits: FeatureMap, probabilities: FeatureMap)
  /// Behind a sigmoid: the last dense layer's output for each picture, and a probability for each label by itself.
  case labels(logits: FeatureMap, probabilities: FeatureMap)
  /// The values that the last dense layer gives.
  case values(FeatureMap)
  /// Without dense layers, or behind the ReLU of the last one: the output of the last layer.
  case features(FeatureMap)

  /// The output of a network from those of its last two layers.
  init(last: FeatureMap, beforeLast: FeatureMap, head: HeadActivation?) {
    self =
      switch head {
      case .softmax: .classes(logits: beforeLast, probabilities: last)
      case .sigmoid: .labels(logits: beforeLast, probabilities: last)
      case .linear: .values(last)
      case .relu, nil: .features(last)
      }
  }

  /// One score for each picture and class: the mean of the map of logits, and the probabilities of these means.
  ///
  /// For pictures of the network's own extent this is the output itself; features are left as they are.
  public func spatialAverage() throws(EngineError) -> EngineOutput {
    let pixel = Extent(side: 1)
    switch self {
    case .classes(let logits, _) where logits.shape.extent != pixel:
      let means = try logits.spatialMean()
      return .classes(logits: means, probabilities: try means.softmax())
    case .labels(let logits, _) where logits.shape.extent != pixel:
      let means = try logits.spatialMean()
      return .labels(logits: means, probabilities: try means.sigmoid())
    case .values(let values) where values.shape.extent != pixel: return .values(try values.spatialMean())
    case .classes, .labels, .values, .features: return self
    }
  }
}

/// Which engine computes.
public enum EngineKind: String, CaseIterable, Sendable {
  /// ``FastEngine``
  case fast
  /// ``ReferenceEngine``
  case reference
}

/// How a network is run.
public struct EngineOptions: Equatable, Sendable {
  /// Which engine computes.
  public var kind: EngineKind
  /// The number of threads, at least 1.
  public var threadCount: Int
  /// The instruction set of the kernels.
  public var instructionSet: InstructionSet
  /// Whether the fast engine does without weights in a form of its own, which costs half its speed or more.
  public var savesMemory: Bool
  /// The extent of pictures that the fast engine is prepared for, nil: the network's own. Others run as well, but smaller
  /// ones not as fast as they could.
  public var extent: Extent?

  /// Creates options; what is not given is what the machine and `Workers.current` offer.
  public init(
    kind: EngineKind = .fast, threadCount: Int = Workers.current.count,
    instructionSet: InstructionSet = .best, savesMemory: Bool = false, extent: Extent? = nil
  ) {
    self.kind = kind
    self.threadCount = threadCount
    self.instructionSet = instructionSet
    self.savesMemory = savesMemory
    self.extent = extent
  }

  /// Prepares the engine that the options ask for.
  public func engine(for model: Model) throws(EngineError) -> any Engine {
    switch kind {
    case .fast: try FastEngine(model, options: self)
    case .reference: try ReferenceEngine(model, options: self)
    }
  }
}

/// Why an engine cannot be prepared or run.
public enum EngineError: Error, Sendable {
  /// An input does not fit; the extent that would, where there is a single one.
  case shape(ShapeError, fitting: Extent? = nil)
  /// A weight cannot be read.
  case weights(FileError)
  /// A picture cannot be read.
  case input(FileError)
  /// So many bytes cannot be had.
  case memory(byteCount: Int)
  /// The machine lacks the instruction set.
  case unavailable(InstructionSet)
  /// The tap threw this.
  case tap(any Error)
}

extension EngineError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .shape(let error, nil): "\(error)"
    case .shape(let error, let extent?): "\(error); an input of \(extent) fits"
    case .weights(let error), .input(let error): "\(error)"
    case .memory(let byteCount): "needs \(byteCount) bytes of memory, which this process cannot have"
    case .unavailable(let instructionSet):
      "this machine has no \(instructionSet.rawValue); it has "
        + InstructionSet.allCases.filter(\.isAvailable).map(\.rawValue).joined(separator: ", ")
    case .tap(let error): "\(error)"
    }
  }
}
