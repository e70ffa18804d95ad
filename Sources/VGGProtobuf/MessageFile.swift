public import VGGBytes

/// A file of serialised messages, and how errors name it.
public struct MessageFile: Sendable {
  /// The path as it was given.
  public let path: String
  /// The contents.
  public let bytes: ByteRegion
  /// The format's word, with which the codes of errors begin.
  public let format: String
  /// Whether offsets into `bytes` are offsets into the file: not where text was turned into messages.
  public let hasOffsets: Bool

  /// Names bytes.
  public init(path: String, bytes: ByteRegion, format: String, hasOffsets: Bool = true) {
    (self.path, self.bytes, self.format, self.hasOffsets) = (path, bytes, format, hasOffsets)
  }
}
