internal import CCrypto
public import VGGBytes

/// A SHA-256: the identity of some bytes.
public struct Digest: Hashable, Sendable {
  /// The number of bytes of a digest.
  public static let byteCount = 32

  /// The digest's 32 bytes.
  public let bytes: [UInt8]

  /// Creates a digest from its bytes, nil where there are not 32.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Digest.byteCount else { return nil }
    self.bytes = bytes
  }

  /// The SHA-256 of bytes in memory.
  init(of message: UnsafeRawBufferPointer) {
    bytes = [UInt8](unsafeUninitializedCapacity: Digest.byteCount) { digest, count in
      let success = EVP_Digest(
        message.baseAddress, message.count, digest.baseAddress, nil, EVP_sha256(), nil)
      precondition(success == 1, "libcrypto has no SHA-256")
      count = Digest.byteCount
    }
  }

  /// The SHA-256 of a message that comes in parts.
  ///
  /// - Parameter body: Hands over the parts in order.
  init(ofParts body: (_ add: (UnsafeRawBufferPointer) -> Void) -> Void) {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var success = EVP_DigestInit_ex(context, EVP_sha256(), nil)
    body { part in success &= EVP_DigestUpdate(context, part.baseAddress, part.count) }
    bytes = [UInt8](unsafeUninitializedCapacity: Digest.byteCount) { digest, count in
      success &= EVP_DigestFinal_ex(context, digest.baseAddress, nil)
      precondition(success == 1, "libcrypto has no SHA-256")
      count = Digest.byteCount
    }
  }

  /// The SHA-256 of an array.
  init(of message: [UInt8]) {
    self = message.withUnsafeBytes { Digest(of: $0) }
  }
}

extension Digest: CustomStringConvertible {
  /// 64 hexadecimal digits, as `sha256sum` prints them.
  public var description: String { hexadecimalDigits(of: bytes) }
}

/// The SHA-256 of a file or a part of it, as `sha256sum` computes it: on one processor, for it cannot be split.
public func sha256(of region: ByteRegion) -> Digest {
  region.withBytes { Digest(of: $0) }
}

/// The digest of a long run of bytes, which can be computed on several threads and locates damage: the SHA-256 of each
/// block of 4 MiB, and of these digests one after the other. A run that fits one block has its plain SHA-256.
enum BlockDigest {
  /// The length of a block in bytes.
  static let blockLength = 1 << 22

  /// The number of blocks of a run of bytes; at least one.
  static func blockCount(_ byteCount: Int) -> Int {
    max(1, byteCount / blockLength + (byteCount % blockLength == 0 ? 0 : 1))
  }

  /// The bytes of a block.
  static func block(_ index: Int, of byteCount: Int) -> Range<Int> {
    index * blockLength..<min(byteCount, (index + 1) * blockLength)
  }

  /// The digests of all blocks, computed on all processors.
  static func blocks(of bytes: UnsafeMutableRawBufferPointer) -> [Digest] {
    nonisolated(unsafe) let bytes = UnsafeRawBufferPointer(bytes)
    return Workers.current.map(blockCount(bytes.count)) { index in
      Digest(of: UnsafeRawBufferPointer(rebasing: bytes[block(index, of: bytes.count)]))
    }
  }

  /// The digest of the whole run.
  ///
  /// - Precondition: There is at least one block.
  static func combine(_ blocks: [Digest]) -> Digest {
    blocks.count == 1 ? blocks[0] : Digest(of: blocks.flatMap(\.bytes))
  }
}

/// One identity for the weights of a model, whichever file they came from and however they are stored.
///
/// The SHA-256 of all tensors in the order of the layers: name in UTF-8, a zero byte, rank (u32), axes (u64), all
/// little-endian, and the digest of the values.
func weightsDigest(_ tensors: [(name: String, shape: [Int], values: Digest)]) -> Digest {
  var message: [UInt8] = []
  for tensor in tensors {
    message += Array(tensor.name.utf8) + [0]
    message.appendLittleEndian(UInt32(tensor.shape.count))
    for axis in tensor.shape { message.appendLittleEndian(UInt64(axis)) }
    message += tensor.values.bytes
  }
  return Digest(of: message)
}

extension [UInt8] {
  /// Appends an integer, its least significant byte first.
  mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
