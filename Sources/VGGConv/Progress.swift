/// Is told what takes long, and how far it has come; ``OpenedModel`` and others take one.
public protocol ProgressMonitor: Sendable {
  /// Work begins that takes some number of bytes or steps, see ``WorkPhase``.
  func begin(_ phase: WorkPhase, total: Int) -> any ProgressMeter
}

/// Counts what is done of one phase.
public protocol ProgressMeter: Sendable {
  /// So much was done since the last call; called from any thread.
  func advance(by amount: Int)
  /// The work is done, or was given up.
  func finish()
}

/// What takes long, and what is counted of it.
public enum WorkPhase: String, CaseIterable, Sendable {
  /// A native file is compared with its digests; bytes.
  case checking
  /// A native file is written; bytes as float32.
  case writing
  /// A precision is chosen for each layer; models that are measured.
  case choosing
  /// A model is compared with its source; steps.
  case verifying
  /// Mistakes are planted in a model; mistakes.
  case planting
  /// A model is run on labelled pictures; pictures.
  case evaluating
  /// Tensors are written for other tools; bytes.
  case exporting
  /// A file is compared with those that were published; bytes.
  case reading
  /// A model is run to see how fast it is; passes.
  case measuring
}
