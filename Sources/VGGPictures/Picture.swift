public import VGGModel

/// A picture of 8 bits a channel: red, green, blue, row by row from the top.
public struct Picture: Equatable, Sendable {
  /// The number of columns.
  public let width: Int
  /// The number of rows.
  public let height: Int
  /// Three bytes for each pixel.
  public let pixels: [UInt8]

  /// The longest side that is read.
  public static let longestSide = 16384

  /// Creates a picture.
  ///
  /// - Precondition: There are three bytes for each pixel.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Reads a PNG, JPEG or binary PPM or PGM picture; its content says which.
  ///
  /// Pixels are what the loaders of Keras and Caffe make of the file: transparency and the orientation of the camera are
  /// ignored, grey becomes equal red, green and blue.
  ///
  /// - Throws: `malformed` where the file is damaged; `unsupported` for other files and for sides above `longestSide`.
  public init(_ file: MappedFile) throws(FileError) {
    try self.init(file.bytes, file: file.path)
  }

  /// Reads a picture from memory; `file` is its path, for errors.
  public init(_ bytes: ByteRegion, file: String) throws(FileError) {
    if bytes.hasBytes([0x89] + Array("PNG".utf8)) {
      self = try .png(bytes, file)
    } else if bytes.hasBytes([0xFF, 0xD8, 0xFF]) {
      self = try .jpeg(bytes, file)
    } else if bytes.hasBytes(Array("P5".utf8)) || bytes.hasBytes(Array("P6".utf8)) {
      self = try .portableAnymap(bytes, file)
    } else {
      throw FileError(
        .unsupported, code: "picture.kind", file: file, "is no picture that can be read",
        allowed: "PNG, JPEG, binary PPM and PGM")
    }
  }

  /// Refuses sizes before anything of that size is allocated.
  static func checkSize(width: Int, height: Int, _ file: String) throws(FileError) {
    guard (1...longestSide).contains(width), (1...longestSide).contains(height) else {
      throw FileError(
        .unsupported, code: "picture.size", file: file, "is a picture of an unsupported size",
        seen: "\(width) x \(height)", allowed: "sides of 1 to \(longestSide)")
    }
  }
}
