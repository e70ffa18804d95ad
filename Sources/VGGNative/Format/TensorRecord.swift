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
  /// What the manifest says of the scales and zero points of codes; nil where elements are no codes.
  public let parameters: CodeParameters?
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

  /// Whether the stored bytes are another thing than the values.
  var isEncoded: Bool { elementType != .real(.float32) || storage != .raw }

  /// Creates a record; the digest of the stored bytes follows from those of their blocks.
  init(
    name: String, role: Tensor.Role, shape: [Int], layout: Tensor.Layout,
    elementType: ElementType, storage: Storage, parameters: CodeParameters?, offset: Int,
    storedBytes: Int, blockDigests: [Digest], valuesDigest: Digest
  ) {
    self.name = name
    self.role = role
    self.shape = shape
    self.layout = layout
    self.elementType = elementType
    self.storage = storage
    self.parameters = parameters
    self.offset = offset
    self.storedBytes = storedBytes
    self.storedDigest = BlockDigest.combine(blockDigests)
    self.blockDigests = blockDigests
    self.valuesDigest = valuesDigest
  }
}

/// What a manifest says of the scales and zero points of a tensor of codes.
///
/// Those of groups along the input are too many for a manifest: they are the first of the tensor's stored bytes.
public struct CodeParameters: Equatable, Sendable {
  /// Which elements share a scale.
  public let grouping: Quantization.Grouping
  /// The number of scales.
  public let scaleCount: Int
  /// The number of zero points: none, or as many as there are scales.
  public let zeroPointCount: Int
  /// The scales; none where they stand in the data area.
  let scales: [Float]
  /// The zero points; none where they stand in the data area.
  let zeroPoints: [Int8]

  /// Describes a quantisation.
  init(_ quantization: Quantization) {
    grouping = quantization.grouping
    scaleCount = quantization.scaleCount
    zeroPointCount = quantization.zeroPointCount
    let isStored = CodeParameters.isStored(grouping)
    scales = isStored ? [] : quantization.scales
    zeroPoints = isStored ? [] : quantization.zeroPoints
  }

  /// Describes the units of biases.
  init(_ bias: BiasCodes) { self.init(Quantization(scales: bias.scales)) }

  /// Describes groups whose parameters stand in the data area.
  init(groupsOf length: Int, in shape: [Int], hasZeroPoints: Bool) {
    grouping = .inputGroups(length: length)
    scaleCount = grouping.count(in: shape)
    zeroPointCount = hasZeroPoints ? scaleCount : 0
    (scales, zeroPoints) = ([], [])
  }

  /// Whether there is a scale for each output channel and nothing else, as before version 1.4.
  var isPlain: Bool { grouping == .outputChannel && zeroPointCount == 0 }

  /// The number of stored bytes in front of the elements, a multiple of the alignment.
  ///
  /// It cannot overflow: a tensor has at most 2^60 elements.
  var storedByteCount: Int {
    guard CodeParameters.isStored(grouping) else { return 0 }
    return DataArea.aligned(scaleCount * MemoryLayout<Float>.size + zeroPointCount) ?? Int.max
  }

  private static func isStored(_ grouping: Quantization.Grouping) -> Bool {
    if case .inputGroups = grouping { true } else { false }
  }
}

extension Tensor {
  /// What a manifest says of the tensor's scales and zero points; nil where elements are no codes.
  var codeParameters: CodeParameters? {
    switch content {
    case .real: nil
    case .codes(_, let quantization): CodeParameters(quantization)
    case .bias(let bias): CodeParameters(bias)
    }
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
