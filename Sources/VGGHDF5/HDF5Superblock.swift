public import VGGBytes

/// What can be known of an HDF5 file without parsing it.
public struct HDF5Superblock: Equatable, Sendable {
  /// Where the superblock stands: 0, or behind a user block of 512, 1024, 2048 … bytes.
  public let offset: Int
  /// The version of the superblock, 0 to 3 so far.
  public let version: Int
  /// The length that the file had when it was written; nil where the version is not known or the head is
  /// cut off. A shorter file is truncated.
  public let fileLength: Int?

  /// Looks for a superblock; nil where there is none.
  public init?(of file: ByteRegion) {
    guard let offset = HDF5Superblock.offset(in: file), let version = file.byte(at: offset + 8) else {
      return nil
    }
    self.offset = offset
    self.version = Int(version)
    fileLength = HDF5Superblock.fileLength(in: file, offset: offset, version: Int(version))
  }

  /// Where a file's superblock stands: at the beginning, or at 512, 1024, 2048 … behind a user block; nil where there is none.
  public static func offset(in file: ByteRegion) -> Int? {
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
    var offset = 0
    while offset < file.count {
      if file.hasBytes(signature, at: offset) { return offset }
      offset = offset == 0 ? 512 : offset * 2
    }
    return nil
  }

  // HDF5 File Format Specification, section II.A.
  private static func fileLength(in file: ByteRegion, offset: Int, version: Int) -> Int? {
    let addressSizeField: Int
    let baseField: Int
    switch version {
    case 0: (addressSizeField, baseField) = (13, 24)
    case 1: (addressSizeField, baseField) = (13, 28)
    case 2, 3: (addressSizeField, baseField) = (9, 12)
    default: return nil
    }
    let addressSize = Int(file.byte(at: offset + addressSizeField) ?? 0)
    func address(_ index: Int) -> Int? {
      let start = offset + baseField + index * addressSize
      switch addressSize {
      case 2: return file.integer(at: start, as: UInt16.self).map(Int.init)
      case 4: return file.integer(at: start, as: UInt32.self).map(Int.init)
      case 8: return file.integer(at: start, as: UInt64.self).flatMap(Int.init(exactly:))
      default: return nil
      }
    }
    // The base address, that of an extension or of free space, the end of the file. The end counts from the
    // file's beginning; where a user block was put in front later, the base address is still the old one.
    guard let base = address(0), let end = address(2) else { return nil }
    let (length, overflows) = end.addingReportingOverflow(offset - base)
    return overflows ? nil : length
  }
}
