/// What is decided about a package for boards besides the model.
public struct BoardOptions: Equatable, Sendable {
  /// How the image of the weights becomes part of a program.
  public enum Embedding: String, CaseIterable, Sendable {
    /// As an array in C: every compiler takes it, slowly.
    case array
    /// By an assembler's `.incbin`.
    case incbin
    /// Not at all: it is put where it belongs by other means.
    case none
  }

  /// What the image is checked by.
  public enum Digest: String, CaseIterable, Sendable {
    case sha256
    case crc32
  }

  /// How the image becomes part of a program.
  public var embedding = Embedding.incbin
  /// What the image is checked by.
  public var digest = Digest.sha256
  /// The bytes that weights are read to at a time; 0: they lie in memory.
  public var windowByteCount = 0
  /// The bytes that the arena may have; nil: as few as possible where weights lie in memory, and where they are read as few
  /// readings as possible.
  public var arenaLimit: Int?
  /// Whether weights of 3x3 convolutions are in a form that is computed with faster, and takes 32 bytes for nine.
  public var expandsWeights = false

  /// Decides nothing.
  public init() {}
}
