public import VGGBytes
public import VGGTensors

/// A picture of 8 bits a channel: red, green, blue, row by row from the top.
public struct Picture: Equatable, Sendable {
  /// The number of columns.
  public let width: Int
  /// The number of rows.
  public let height: Int
  /// Three bytes for each pixel.
  public let pixels: [UInt8]
  /// How the file had it turned, which is undone in the pixels.
  public private(set) var storedOrientation = PictureOrientation.upright

  /// The number of rows and columns.
  public var extent: Extent { Extent(height: height, width: width) }

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
  /// Grey becomes equal red, green and blue. Transparency is left out, as Pillow's conversion to RGB does it, on which
  /// Keras' loaders rest: the colours are those that are stored, not mixed with any background. A picture whose EXIF data
  /// say that the camera was turned is turned upright, as viewers show it.
  ///
  /// - Throws: `malformed` where the file is damaged; `unsupported` for other files and for sides above `longestSide`.
  public init(_ file: MappedFile) throws(FileError) {
    try self.init(file.bytes, file: file.path)
  }

  /// Reads a picture from memory; `file` is its path, for errors.
  public init(_ bytes: ByteRegion, file: String) throws(FileError) {
    if bytes.hasBytes([0x89] + Array("PNG".utf8)) {
      self = try .png(bytes, file).turnedUpright(from: PictureOrientation(ofPNG: bytes))
    } else if bytes.hasBytes([0xFF, 0xD8, 0xFF]) {
      self = try .jpeg(bytes, file).turnedUpright(from: PictureOrientation(ofJPEG: bytes))
    } else if bytes.hasBytes(Array("P5".utf8)) || bytes.hasBytes(Array("P6".utf8)) {
      self = try .portableAnymap(bytes, file)
    } else {
      let name = Picture.nameOfOtherKind(bytes)
      throw FileError(
        .unsupported, code: "picture.kind", file: file,
        name.map { "is \($0), which is not read" } ?? "is not a picture",
        allowed: "PNG, JPEG, binary PPM and PGM", advice: name == nil ? nil : "convert it to PNG or JPEG")
    }
  }

  /// The picture as it was taken, of one that is stored turned or mirrored.
  private func turnedUpright(from stored: PictureOrientation) -> Picture {
    guard stored != .upright else { return self }
    let swaps = stored.swapsSides
    let (newWidth, newHeight) = swaps ? (height, width) : (width, height)
    let turned = [UInt8](capacity: pixels.count) { turned in
      for row in 0..<newHeight {
        for column in 0..<newWidth {
          let source = stored.position(row: row, column: column, width: width, height: height)
          for channel in 0..<3 {
            turned.append(pixels[(source.row * width + source.column) * 3 + channel])
          }
        }
      }
    }
    var picture = Picture(width: newWidth, height: newHeight, pixels: turned)
    picture.storedOrientation = stored
    return picture
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
