public import VGGArchive
public import VGGModel
public import VGGTensors

/// A model as another program's files: what they hold, and what they cannot say.
///
/// An exporter describes files and writes nothing, so how a file is written, that it appears whole or not at all, and how
/// much memory that takes, is decided once for all formats.
public struct Export: Sendable {
  /// The files. The first one has the name that was asked for.
  public var files: [ExportedFile]
  /// What of the model is not in them, or not as it was.
  public var losses: [ExportLoss]

  /// Creates a description.
  public init(files: [ExportedFile], losses: [ExportLoss] = []) {
    (self.files, self.losses) = (files, losses)
  }
}

/// A file of an export.
public struct ExportedFile: Sendable {
  /// What stands for the extension of the first file's name, such as `.prototxt`; nil: it is that file.
  public var suffix: String?
  /// What the file holds.
  public var content: Content

  /// What a file holds.
  public enum Content: Sendable {
    /// Bytes and numbers, one after the other.
    case plain(FileContent)
    /// A zip archive of stored members.
    case archive([ArchiveMember])

    /// The number of bytes to write, but for an archive's own tables.
    public var byteCount: Int {
      switch self {
      case .plain(let content): content.byteCount
      case .archive(let members): members.reduce(0) { $0 + $1.content.byteCount }
      }
    }
  }

  /// Describes a file.
  public init(suffix: String? = nil, content: Content) {
    (self.suffix, self.content) = (suffix, content)
  }

  /// Describes a file of bytes and numbers.
  public init(suffix: String? = nil, _ content: FileContent) {
    self.init(suffix: suffix, content: .plain(content))
  }
}

/// Something of a model that a file of another format does not say, or says in another way.
///
/// None of it is dropped in silence: commands print all of them.
public enum ExportLoss: Hashable, Sendable {
  /// What is done to pictures before the first layer.
  case preprocessing
  /// The names of the classes.
  case labels
  /// Where the model came from, and the passes that made it.
  case provenance
  /// What was decided about the source, and what the passes measured.
  case decisions
  /// How products of integers are rounded: the program that runs the file decides.
  case rounding(IntegerArithmetic.Rounding)
  /// How layers compute: tensors are all that there is.
  case layers
  /// Codes are written as the values that they stand for, float32.
  case dequantized
  /// What computed in integers computes in float32.
  case integerArithmetic
  /// Numbers of a narrower type are written as float32, with the same values.
  case widened(RealType)
  /// What sparse tensors leave out is written: zeros.
  case densified
  /// Something that only one format has, as a clause.
  case other(String)
}

extension ExportLoss {
  /// What is lost, as a sentence about the file.
  public var text: String {
    switch self {
    case .preprocessing: "does not say how pictures are prepared"
    case .labels: "does not hold the names of the classes"
    case .provenance: "does not say where the model came from"
    case .decisions: "names the source and the passes, but not what was decided and measured on the way"
    case .rounding(let rounding):
      "does not say how integers are rounded; the model follows \(rounding.rawValue)"
    case .layers:
      "does not say how the layers compute: poolings, activations and the input's size are not in it"
    case .dequantized: "holds the values that codes stand for, as float32"
    case .integerArithmetic: "computes in float32 where the model computes in integers"
    case .widened(let type): "holds \(type.rawValue) as float32, with the same values"
    case .densified: "holds the zeros that sparse tensors leave out"
    case .other(let text): text
    }
  }
}
