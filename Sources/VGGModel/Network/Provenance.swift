/// Where a model came from and what was decided on the way; no clock, host or user, so that equal inputs give equal files.
public struct Provenance: Equatable, Sendable {
  /// The source file's name, without folders.
  public var sourceName: String
  /// The source file's length in bytes.
  public var sourceByteCount: Int
  /// The SHA-256 of the source file, 32 bytes; empty where it is not known.
  public var sourceSHA256: [UInt8]
  /// The family of the source's format, such as `keras`.
  public var format: String
  /// The generation of the format that was found, such as `keras-2-weights`.
  public var generation: String
  /// Every decision that was taken on evidence.
  public var decisions: [Decision]
  /// Every tensor of the source that is not in the model.
  public var dropped: [DroppedTensor]
  /// The passes that made this model from the imported one, in order, such as `quantize int8`.
  public var passes: [String]

  /// Something that was decided on evidence.
  public struct Decision: Equatable, Sendable {
    /// What was decided, such as `kernel-flip`.
    public var subject: String
    /// The decision.
    public var choice: String
    /// What it rests on.
    public var evidence: String

    /// Creates a decision.
    public init(_ subject: String, _ choice: String, because evidence: String) {
      self.subject = subject
      self.choice = choice
      self.evidence = evidence
    }
  }

  /// A tensor of the source that is not in the model.
  public struct DroppedTensor: Equatable, Sendable {
    /// Its name in the source.
    public var name: String
    /// Why it is not needed.
    public var reason: String

    /// Creates an entry.
    public init(_ name: String, because reason: String) {
      self.name = name
      self.reason = reason
    }
  }

  /// Creates the provenance of an imported model.
  public init(
    sourceName: String, sourceByteCount: Int, sourceSHA256: [UInt8] = [], format: String, generation: String,
    decisions: [Decision] = [], dropped: [DroppedTensor] = [], passes: [String] = []
  ) {
    self.sourceName = sourceName
    self.sourceByteCount = sourceByteCount
    self.sourceSHA256 = sourceSHA256
    self.format = format
    self.generation = generation
    self.decisions = decisions
    self.dropped = dropped
    self.passes = passes
  }
}
