public import VGGBytes

/// How a file of the native format is recognised.
public enum NativeSignature {
  /// The first bytes of a file; `schemas/FORMAT.md` says why these.
  public static let bytes: [UInt8] = [0x93, 0x56, 0x47, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Whether what follows the signature is a header of the native format, as two of three signs say: the byte-order mark,
  /// the length of the file, and the length as the sum of the manifest's offset and length. After a transfer as text
  /// all of it may be moved by a byte; then the letters of the signature and the byte-order mark tell.
  private static func isFollowedByHeader(_ file: ByteRegion) -> Bool {
    let mark: [UInt8] = [0x04, 0x03, 0x02, 0x01]
    if let length = file.integer(at: 24, as: UInt64.self), let start = file.integer(at: 32, as: UInt64.self),
      let count = file.integer(at: 40, as: UInt64.self)
    {
      let signs = [
        file.hasBytes(mark, at: 12), length == UInt64(file.count),
        start >= 128 && count > 0 && start.addingReportingOverflow(count).partialValue == length,
      ]
      if signs.count(where: \.self) >= 2 { return true }
    }
    return (0...3).contains { file.hasBytes(Array("VGG".utf8), at: $0) }
      && (8...20).contains { file.hasBytes(mark, at: $0) }
  }

  /// Whether a file is of the native format by all of its header but the signature.
  public static func isDamaged(in file: ByteRegion) -> Bool {
    !file.hasBytes(bytes) && isFollowedByHeader(file)
  }
}
