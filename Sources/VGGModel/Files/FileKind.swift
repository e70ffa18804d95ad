/// What a file is by its content; names and extensions are never looked at.
public enum FileKind: Equatable, Sendable {
  /// The native format.
  case native
  /// HDF5: Keras weights or a Caffe snapshot. The superblock's offset is that of its signature.
  case hdf5(superblock: Int)
  /// A zip archive: `.keras`, `.npz`, or another one.
  case zip
  /// Text that begins with a brace: perhaps an index of Keras shards.
  case json
  /// One NumPy array.
  case npy
  /// A PNG, JPEG or PPM picture.
  case picture
  /// Nothing at all.
  case empty
  /// Something that is known, but is no source of VGG weights; what it is, and what to do about it.
  case mistaken(String, advice: String)
  /// Nothing with a signature: perhaps a Caffe model, which has none.
  case unknown

  /// Looks at the first bytes.
  public init(of file: ByteRegion) {
    func begins(_ text: String) -> Bool { file.hasBytes(Array(text.utf8)) }
    if file.count == 0 {
      self = .empty
    } else if file.hasBytes(FileKind.nativeMagic) {
      self = .native
    } else if let offset = FileKind.superblockOffset(in: file) {
      self = .hdf5(superblock: offset)
    } else if file.hasBytes([0x50, 0x4B, 0x03, 0x04]) || file.hasBytes([0x50, 0x4B, 0x05, 0x06]) {
      self = .zip
    } else if file.hasBytes([0x93] + Array("NUMPY".utf8)) {
      self = .npy
    } else if file.hasBytes([0x89] + Array("PNG".utf8)) || file.hasBytes([0xFF, 0xD8, 0xFF]) || begins("P6")
      || begins("P5")
    {
      self = .picture
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

  /// What people feed a converter by mistake.
  private static func mistake(_ file: ByteRegion) -> FileKind? {
    let head =
      file.slice(at: 0, count: min(file.count, 256))?.withBytes { String(decoding: $0, as: UTF8.self) } ?? ""
    let visible = head.drop { $0.isWhitespace || $0 == "\u{FEFF}" }.lowercased()
    if head.hasPrefix("version https://git-lfs") {
      return .mistaken("is a Git LFS pointer, not the file itself", advice: "fetch it with 'git lfs pull'")
    }
    if ["<!doctype", "<html", "<?xml"].contains(where: visible.hasPrefix) {
      return .mistaken("is a web page, not a weight file", advice: "download the file itself")
    }
    if file.hasBytes([0x1F, 0x8B]) {
      return .mistaken("is compressed with gzip", advice: "unpack it with 'gunzip' or 'tar xzf' first")
    }
    if file.hasBytes([0x80, 0x02]) || file.hasBytes([0x80, 0x03]) || file.hasBytes([0x80, 0x04]) {
      return .mistaken(
        "is a Python pickle, perhaps by PyTorch; reading one can run any code, so this is never done",
        advice: "save the weights as Keras .h5 or Caffe .caffemodel")
    }
    if head.hasPrefix("GGUF") {
      return .mistaken("is a GGUF model", advice: "convert from the Keras or Caffe file it was made of")
    }
    if head.hasPrefix("MATLAB 5.0") {
      return .mistaken("is a MATLAB file", advice: "convert from the Keras or Caffe file it was made of")
    }
    if file.hasBytes(Array("TFL3".utf8), at: 4) {
      return .mistaken("is a TensorFlow Lite model", advice: "convert from the Keras file it was made of")
    }
    if let length = file.integer(at: 0, as: UInt64.self), length < 100_000_000,
      file.byte(at: 8) == UInt8(ascii: "{")
    {
      return .mistaken("is a safetensors file", advice: "convert from the Keras or Caffe file it was made of")
    }
    return nil
  }

  private static func firstVisibleByte(of file: ByteRegion) -> UInt8? {
    let whitespace: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    return (0..<min(file.count, 4096)).lazy.compactMap(file.byte(at:)).first { !whitespace.contains($0) }
  }
}
