internal import VGGBytes

/// Which pictures a pass has looked at: enough to tell whether others are the same, for the file does not hold them.
public struct CalibrationData: Equatable, Sendable {
  /// The number of bytes of a digest.
  public static let digestByteCount = 32

  /// The number of pictures.
  public var pictureCount: Int
  /// The SHA-256 of all their preprocessed values, picture after picture, as little-endian float32 in the order row, column,
  /// channel.
  public var sha256: [UInt8]

  /// Describes pictures.
  public init(pictureCount: Int, sha256: [UInt8]) {
    (self.pictureCount, self.sha256) = (pictureCount, sha256)
  }
}

extension CalibrationData: CustomStringConvertible {
  /// `100 pictures, SHA-256 1a2b3c4d5e6f7081`, which is enough of the digest for people.
  public var description: String {
    "\(pictureCount) picture\(pictureCount == 1 ? "" : "s"), SHA-256 \(hexadecimalDigits(of: sha256.prefix(8)))"
  }
}
