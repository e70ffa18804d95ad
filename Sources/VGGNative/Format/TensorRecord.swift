public import VGGTensors

/// What a native file's manifest says of a tensor.
public struct TensorRecord: Equatable, Sendable {
  /// The canonical name, `conv1_1/weight`.
  public let name: String
  /// What the tensor does in its layer.
  public let role: Tensor.Role
  /// The lengths of the axes.
  public let shape: [Int]
  /// The order of the axes.
  public let layout: Tensor.Layout
  /// What one element is stored as.
  public let elementType: ElementType
  /// Which elements are stored.
  public let storage: Storage
  /// The scales of codes, one for each output channel; none where elements are no codes.
  public let scales: [Float]
  /// The offset of the first stored byte in the file.
  public let offset: Int
  /// The number of stored bytes.
  public let storedBytes: Int
  /// The digest of the stored bytes: their SHA-256, or over 4 MiB that of the digests of their blocks.
  public let storedDigest: Digest
  /// The SHA-256 of each block of 4 MiB of the stored bytes.
  public let blockDigests: [Digest]
  /// The digest of the values as little-endian float32, in blocks of 4 MiB as well.
  public let valuesDigest: Digest

  /// The number of values.
  public var count: Int { shape.reduce(1, *) }

  /// Creates a record; the digest of the stored bytes follows from those of their blocks.
  init(
    name: String, role: Tensor.Role, shape: [Int], layout: Tensor.Layout,
    elementType: ElementType, storage: Storage, scales: [Float], offset: Int,
    storedBytes: Int, blockDigests: [Digest], valuesDigest: Digest
  ) {
    self.name = name
    self.role = role
    self.shape = shape
    self.layout = layout
    self.elementType = elementType
    self.storage = storage
    self.scales = scales
    self.offset = offset
    self.storedBytes = storedBytes
    self.storedDigest = BlockDigest.combine(blockDigests)
    self.blockDigests = blockDigests
    self.valuesDigest = valuesDigest
  }
}

/// The data area: tensors in the order of their names' bytes, each aligned, nothing but zeros between them.
enum DataArea {
  /// Enough for any vector instruction set and a whole number of cache lines.
  static let alignment = 64

  /// The first aligned offset that is not below another one; nil on overflow.
  static func aligned(_ offset: Int) -> Int? {
    let (sum, overflow) = offset.addingReportingOverflow(alignment - 1)
    return overflow ? nil : sum & ~(alignment - 1)
  }

  /// Whether a name comes before another one in the file.
  static func isOrdered(_ name: String, before other: String) -> Bool {
    name.utf8.lexicographicallyPrecedes(other.utf8)
  }
}
