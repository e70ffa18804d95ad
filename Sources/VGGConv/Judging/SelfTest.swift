public import VGGBytes
internal import VGGModel
public import VGGVerify

/// Whether a verification finds mistakes: some were planted in a model, and the model was ruined, one by one.
public struct SelfTest: Sendable {
  /// What was said of each mistake that changed something.
  public private(set) var trials: [FaultTrial] = []
  /// What was said of each ruined model.
  public private(set) var ruins: [RuinTrial] = []
  /// The number of mistakes that change nothing in this model, such as a flipped kernel of 1x1.
  public private(set) var skippedCount = 0
  /// The seed of the mistakes.
  public let seed: UInt64

  /// Whether every mistake was found and its layer named, every ruined model refused, and there were any of both.
  public var passes: Bool {
    !trials.isEmpty && trials.allSatisfy { $0.wasCaught && $0.namesLayer } && !ruins.isEmpty
      && ruins.allSatisfy(\.wasRefused)
  }

  /// Plants all mistakes one by one.
  ///
  /// - Parameters:
  ///   - opened: The model that they are planted in.
  ///   - source: The source that it was made of.
  ///   - judging: What it is judged with.
  ///   - progress: Is told how far it has come.
  public init(
    of opened: OpenedModel, against source: OpenedModel, judging: JudgingOptions = JudgingOptions(),
    progress: (any ProgressMonitor)? = nil
  ) throws(FileError) {
    seed = judging.seed
    let model = opened.model
    let inputs = try JudgementInputs(for: source, judging, file: opened.path).pictures
    let faults = SeededFault.all(for: model.network, seed: seed)
    let ruined = try RuinedModel.all(of: source.model)
    let meter = progress?.begin(.planting, total: faults.count + ruined.count)
    defer { meter?.finish() }
    do throws(VerificationError) {
      for fault in faults {
        if let trial = try FaultTrial(
          fault, in: model, source: source.model, inputs: inputs, options: judging.engine)
        {
          trials.append(trial)
        }
        meter?.advance(by: 1)
      }
      for model in ruined {
        ruins.append(
          try RuinTrial(model, source: source.model, inputs: inputs, options: judging.engine))
        meter?.advance(by: 1)
      }
    } catch {
      throw FileError(error, file: opened.path)
    }
    skippedCount = faults.count - trials.count
  }
}
