internal import VGGBytes

/// How the pixels of a file are turned against the picture: the numbers of the EXIF tag 0x0112.
public enum PictureOrientation: Int, CaseIterable, Sendable {
  case upright = 1
  case mirrored
  case upsideDown
  case flipped
  case transposed
  /// To be turned clockwise by 90 degrees, as phones write it that are held upright.
  case turnedLeft
  case transverse
  case turnedRight

  /// Whether the rows of the file are columns of the picture.
  var swapsSides: Bool { rawValue >= 5 }

  /// Where in the file, of a width and height, the pixel at a place of the picture stands.
  func position(row: Int, column: Int, width: Int, height: Int) -> (row: Int, column: Int) {
    switch self {
    case .upright: (row, column)
    case .mirrored: (row, width - 1 - column)
    case .upsideDown: (height - 1 - row, width - 1 - column)
    case .flipped: (height - 1 - row, column)
    case .transposed: (column, row)
    case .turnedLeft: (height - 1 - column, row)
    case .transverse: (height - 1 - column, width - 1 - row)
    case .turnedRight: (column, width - 1 - row)
    }
  }
}

// One number of one table is all that is needed of EXIF, so it is read here: less than a library would take to call.
// Damaged EXIF data say nothing; they are no reason to refuse a picture.

extension PictureOrientation {
  /// What the first EXIF segment of a JPEG file says.
  init(ofJPEG file: ByteRegion) {
    self = .upright
    var offset = 2
    // Segments are a marker and a length, which counts itself; the picture's data begin behind marker DA.
    while file.byte(at: offset) == 0xFF, let marker = file.byte(at: offset + 1), marker != 0xDA {
      // Fill bytes, and markers without a length.
      if marker == 0xFF || marker == 0x01 || (0xD0...0xD9).contains(marker) {
        offset += marker == 0xFF ? 1 : 2
        continue
      }
      guard let length = file.bigEndian(at: offset + 2, as: UInt16.self), length >= 2 else { return }
      if marker == 0xE1, file.hasBytes(Array("Exif\0".utf8), at: offset + 4) {
        let tables = file.slice(at: offset + 10, count: Int(length) - 8)
        self = tables.flatMap { PictureOrientation(ofEXIF: $0) } ?? .upright
        return
      }
      offset += 2 + Int(length)
    }
  }

  /// What the chunk `eXIf` of a PNG file says.
  init(ofPNG file: ByteRegion) {
    self = .upright
    var offset = 8
    // Chunks are a length, four letters, as many bytes, and a checksum.
    while let length = file.bigEndian(at: offset, as: UInt32.self) {
      if file.hasBytes(Array("eXIf".utf8), at: offset + 4) {
        let tables = file.slice(at: offset + 8, count: Int(length))
        self = tables.flatMap { PictureOrientation(ofEXIF: $0) } ?? .upright
        return
      }
      offset += 12 + Int(length)
    }
  }

  /// What the first table of EXIF data says: a TIFF file whose byte order its first letters tell.
  private init?(ofEXIF data: ByteRegion) {
    // Some writers of PNG keep the head that JPEG has in front of the tables.
    let head = data.hasBytes(Array("Exif\0\0".utf8)) ? 6 : 0
    guard let tables = data.slice(at: head, count: data.count - head) else { return nil }
    let isLittleEndian = tables.hasBytes(Array("II*\0".utf8))
    guard isLittleEndian || tables.hasBytes(Array("MM\0*".utf8)) else { return nil }
    func number<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) -> Value? {
      isLittleEndian ? tables.integer(at: offset, as: type) : tables.bigEndian(at: offset, as: type)
    }
    guard let start = number(at: 4, as: UInt32.self), let count = number(at: Int(start), as: UInt16.self)
    else { return nil }
    // Entries of 12 bytes: tag, type, count, and the value: a number of 16 bits (type 3), by some writers of 32 (type 4).
    for index in 0..<Int(count) {
      let entry = Int(start) + 2 + 12 * index
      guard number(at: entry, as: UInt16.self) == 0x0112 else { continue }
      switch number(at: entry + 2, as: UInt16.self) {
      case 3: self.init(rawValue: number(at: entry + 8, as: UInt16.self).map(Int.init) ?? 0)
      case 4: self.init(rawValue: number(at: entry + 8, as: UInt32.self).map(Int.init) ?? 0)
      default: return nil
      }
      return
    }
    return nil
  }
}

extension ByteRegion {
  fileprivate func bigEndian<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) -> Value? {
    integer(at: offset, as: type)?.byteSwapped
  }
}
