/// What a file is by its content; names and extensions are not looked at.
public enum FileKind: Equatable, Sendable {
  /// The native format.
  case native
  /// The native format, by all of its header but the signature, which is damaged.
  case damagedNative
  /// HDF5: Keras weights or a Caffe snapshot. The superblock's offset is that of its signature.
  case hdf5(superblock: Int)
  /// A zip archive: `.keras`, `.npz`, or another one.
  case zip
  /// Text that begins with a brace: perhaps an index of Keras shards.
  case json
  /// One NumPy array.
  case npy
  /// A PNG, JPEG, or binary PPM or PGM picture.
  case picture
  /// A picture of a kind that is not read: what it is, such as `a WebP picture`.
  case otherPicture(String)
  /// Nothing at all.
  case empty
  /// Something that is known, but is no source of VGG weights; what it is, and what to do about it.
  case mistaken(String, advice: String)
  /// Nothing with a signature: perhaps a Caffe model, which has none.
  case unknown

  /// Looks at the first bytes.
  public init(of file: ByteRegion) {
    func begins(_ text: String) -> Bool { file.hasBytes(Array(text.utf8)) }
    if FileKind.hasNativeHeader(file), !file.hasBytes(FileKind.nativeMagic) {
      self = .damagedNative
    } else if begins("MATLAB 7.3"), let mistake = FileKind.mistake(file) {
      self = mistake  // HDF5 behind a head of MATLAB's own
    } else if file.count == 0 {
      self = .empty
    } else if file.hasBytes(FileKind.nativeMagic) {
      self = .native
    } else if let offset = FileKind.superblockOffset(in: file) {
      self = .hdf5(superblock: offset)
    } else if file.hasBytes([0x50, 0x4B, 0x03, 0x04]) || file.hasBytes([0x50, 0x4B, 0x05, 0x06]) {
      self = .zip
    } else if let pickled = FileKind.pickledArray(file) {
      self = pickled
    } else if file.hasBytes([0x93] + Array("NUMPY".utf8)) {
      self = .npy
    } else if file.hasBytes([0x89] + Array("PNG".utf8)) || file.hasBytes([0xFF, 0xD8, 0xFF]) || begins("P6")
      || begins("P5")
    {
      self = .picture
    } else if let name = FileKind.otherPicture(file) {
      self = .otherPicture(name)
    } else if let mistake = FileKind.mistake(file) {
      self = mistake
    } else if FileKind.firstVisibleByte(of: file) == UInt8(ascii: "{") {
      self = .json
    } else {
      self = .unknown
    }
  }

  /// The first bytes of the native format; `schemas/FORMAT.md` says why these.
  public static let nativeMagic: [UInt8] = [0x93, 0x56, 0x47, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Whether what follows the signature is a header of the native format, as two of three signs say: the byte-order mark,
  /// the length of the file, and the length as the sum of the manifest's offset and length. After a transfer as text
  /// all of it may be moved by a byte; then the letters of the signature and the byte-order mark tell.
  private static func hasNativeHeader(_ file: ByteRegion) -> Bool {
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

  /// The HDF5 signature stands at the beginning or at 512, 1024, 2048 … behind a user block.
  private static func superblockOffset(in file: ByteRegion) -> Int? {
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
    var offset = 0
    while offset < file.count {
      if file.hasBytes(signature, at: offset) { return offset }
      offset = offset == 0 ? 512 : offset * 2
    }
    return nil
  }

  private static func firstVisibleByte(of file: ByteRegion) -> UInt8? {
    let whitespace: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    return (0..<min(file.count, 4096)).lazy.compactMap(file.byte(at:)).first { !whitespace.contains($0) }
  }
}
