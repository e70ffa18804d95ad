internal import VGGBytes
public import VGGModel

/// A weight file that somebody published: how it is recognised, and what it holds.
///
/// Only what is known for certain is stated; all else is nil.
public struct PublishedFile: Equatable, Sendable {
  /// The form of a published file.
  public enum Format: String, CaseIterable, Sendable {
    case keras
    case caffe
    case pytorch
    case onnx
    case matlab
    /// A gzipped tar archive with a model in it.
    case archive

    /// What files of the form can begin with.
    var signatures: [[UInt8]] {
      switch self {
      case .keras: [[0x89, 0x48, 0x44, 0x46]]
      case .caffe: [[0x0A], [0x12], [0xA2, 0x06]]
      case .pytorch: [[0x80, 0x02], [0x50, 0x4B, 0x03, 0x04]]
      case .onnx: [[0x08]]
      case .matlab: [Array("MATLAB 5.0".utf8)]
      case .archive: [[0x1F, 0x8B]]
      }
    }
  }

  /// The name under which it was published.
  public var name: String
  /// Who published it.
  public var publisher: String
  /// Its form.
  public var format: Format
  /// The generation of the format, as the importers name it, where it is known.
  public var generation: String?
  /// The length in bytes, where it is known.
  public var byteCount: Int?
  /// The digests that are known.
  public var digests: [FileDigest]
  /// Which network it is.
  public var architecture: Architecture
  /// Whether the network has a batch normalisation behind each convolution.
  public var hasBatchNormalization = false
  /// The number of classes, nil without the dense layers.
  public var classCount: Int?
  /// What is done to pictures, where it is known.
  public var preprocessing: Preprocessing?
  /// The licence, where it is known.
  public var licence: String?
  /// Where it was published and is mirrored: the file, or the page that leads to it.
  public var addresses: [String]

  /// Creates an entry of a table.
  public init(
    _ name: String, by publisher: String, format: Format, generation: String? = nil, byteCount: Int? = nil,
    digests: [FileDigest] = [], architecture: Architecture, hasBatchNormalization: Bool = false,
    classCount: Int?, preprocessing: Preprocessing? = nil, licence: String? = nil, addresses: [String]
  ) {
    self.name = name
    self.publisher = publisher
    self.format = format
    self.generation = generation
    self.byteCount = byteCount
    self.digests = digests
    self.architecture = architecture
    self.hasBatchNormalization = hasBatchNormalization
    self.classCount = classCount
    self.preprocessing = preprocessing
    self.licence = licence
    self.addresses = addresses
  }

  /// Whether an importer reads files of this form.
  public var isReadByImport: Bool { format == .keras || format == .caffe }

  /// The strongest digest that is known: the one to compare.
  public var digest: FileDigest? {
    digests.max { ($0.isWhole ? 1 : 0, $0.algorithm) < ($1.isWhole ? 1 : 0, $1.algorithm) }
  }

  /// Whether a file can be this one, judged by its length, or by its first bytes where no length is known.
  func isPossible(_ bytes: ByteRegion) -> Bool {
    if let byteCount { return byteCount == bytes.count }
    return format.signatures.contains { bytes.hasBytes($0) }
  }
}
