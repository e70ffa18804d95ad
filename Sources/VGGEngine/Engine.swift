public import VGGModel

/// Runs a network over batches of pictures.
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

  /// Runs one layer of the network on an input of its own, such as what another engine gave the layer.
  func evaluate(_ layer: Layer, on input: FeatureMap) throws(EngineError) -> FeatureMap
}

extension Engine {
  /// Runs the whole network for its output alone.
  public func run(_ input: FeatureMap) throws(EngineError) -> EngineOutput {
    try run(input) { _, _ in }
  }
}

/// What a network puts out.
public enum EngineOutput: Sendable {
  /// With a top: the last dense layer's output for each picture, before and after the softmax.
  case classes(logits: FeatureMap, probabilities: FeatureMap)
  /// Without a top: the output of the last layer.
  case features(FeatureMap)
}

/// How an engine works; the results do not depend on it.
public struct EngineOptions: Equatable, Sendable {
  /// The number of threads, at least 1.
  public var threadCount: Int
  /// The instruction set of the kernels.
  public var instructionSet: InstructionSet

  /// Creates options; what is not given is what the machine offers.
  public init(
    threadCount: Int = EngineOptions.processorCount, instructionSet: InstructionSet = .best
  ) {
    self.threadCount = threadCount
    self.instructionSet = instructionSet
  }
}

/// Why an engine cannot be prepared or run.
public enum EngineError: Error, Sendable {
  /// An input does not fit; the extent that would, where there is a single one.
  case shape(ShapeError, fitting: Extent? = nil)
  /// A weight cannot be read.
  case weights(FileError)
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
    case .weights(let error): "\(error)"
    case .memory(let byteCount): "needs \(byteCount) bytes of memory, which cannot be had"
    case .unavailable(let instructionSet):
      "this machine has no \(instructionSet.rawValue); it has "
        + InstructionSet.allCases.filter(\.isAvailable).map(\.rawValue).joined(separator: ", ")
    case .tap(let error): "\(error)"
    }
  }
}
