public import VGGBytes

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
  /// Every tensor of the source that is not in the model as it is, but was worked into one that is.
  public var folded: [FoldedTensor] = []
  /// The other files that the model was made of, such as a prototxt or the shards of an index.
  public var companions: [SourceFile] = []
  /// The passes that made this model from the imported one, in order.
  public var passes: [Pass]

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

  /// A tensor of the source that was worked into a tensor of the model, such as the mean of a batch normalisation.
  public struct FoldedTensor: Equatable, Sendable {
    /// Its name in the source.
    public var name: String
    /// The canonical name of the layer that it is part of now.
    public var layer: String
    /// The digest of its values as a native file has it for its own tensors; empty until the model is written.
    public var valuesDigest: [UInt8]

    /// Creates an entry.
    public init(_ name: String, into layer: String, valuesDigest: [UInt8] = []) {
      self.name = name
      self.layer = layer
      self.valuesDigest = valuesDigest
    }
  }

  /// A file that a model was made of.
  public struct SourceFile: Equatable, Sendable {
    /// The file's name, without folders.
    public var name: String
    /// Its length in bytes.
    public var byteCount: Int
    /// Its SHA-256, 32 bytes; empty until the model is written.
    public var sha256: [UInt8]

    /// Creates an entry.
    public init(_ name: String, byteCount: Int, sha256: [UInt8] = []) {
      self.name = name
      self.byteCount = byteCount
      self.sha256 = sha256
    }

    /// Describes a mapped file.
    public init(_ file: MappedFile) {
      self.init(file.name, byteCount: file.bytes.count)
    }
  }

  /// Creates the provenance of an imported model.
  public init(
    sourceName: String, sourceByteCount: Int, sourceSHA256: [UInt8] = [], format: String, generation: String,
    decisions: [Decision] = [], dropped: [DroppedTensor] = [], passes: [Pass] = []
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
