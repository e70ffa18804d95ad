internal import VGGBytes

/// The fixed beginning of a native file; `schemas/FORMAT.md`, section 2.
struct Header {
  /// The length in bytes; the data area begins behind it.
  static let byteCount = 128
  /// The part that the digest covers together with the manifest.
  static let digestedByteCount = 64
  /// The major version that this program reads and writes.
  static let majorVersion: UInt16 = 1
  /// Reads as another number where the bytes of integers are swapped.
  static let byteOrderMark: UInt32 = 0x0102_0304
  /// The feature of a pooling over the whole map.
  static let globalPooling: UInt64 = 1 << 0
  /// The feature of a network that is only the beginning of one of the six.
  static let prefix: UInt64 = 1 << 1
  /// The feature of a head that ends in something other than a softmax.
  static let otherHead: UInt64 = 1 << 2
  /// The feature of a `pool6` with a window of its own.
  static let sixthPooling: UInt64 = 1 << 3
  /// The feature of codes of four bits.
  static let int4: UInt64 = 1 << 4
  /// The feature of codes with zero points, or with another number of scales than one for each output channel.
  static let groups: UInt64 = 1 << 5
  /// The feature of a model that computes in integers.
  static let integers: UInt64 = 1 << 6
  /// The features that this program knows, bit by bit.
  static let knownFeatures = globalPooling | prefix | otherHead | sixthPooling | int4 | groups | integers
  /// The longest manifest: 30 times that of a paper-sized network in int8.
  static let longestManifest = 1 << 24

  /// The version of the file.
  let formatVersion: (major: Int, minor: Int)
  /// What a reader must know, bit by bit.
  let requiredFeatures: UInt64
  /// Where the manifest stands.
  let manifest: Range<Int>
  /// The SHA-256 of the header's first half and the manifest.
  let digest: Digest

  /// Describes a file whose manifest stands behind its data area.
  init(manifestOffset: Int, manifest bytes: [UInt8], minorVersion: Int, requiredFeatures: UInt64) {
    self.requiredFeatures = requiredFeatures
    formatVersion = (Int(Header.majorVersion), minorVersion)
    manifest = manifestOffset..<manifestOffset + bytes.count
    digest = Digest(of: Header.digested(manifest, minorVersion, requiredFeatures) + bytes)
  }

  /// The bytes of the header.
  var bytes: [UInt8] {
    Header.digested(manifest, formatVersion.minor, requiredFeatures) + digest.bytes
      + Array(repeating: 0, count: 32)
  }

  private static func digested(
    _ manifest: Range<Int>, _ minorVersion: Int, _ requiredFeatures: UInt64
  ) -> [UInt8] {
    var bytes = NativeSignature.bytes
    bytes.appendLittleEndian(majorVersion)
    bytes.appendLittleEndian(UInt16(clamping: minorVersion))
    bytes.appendLittleEndian(byteOrderMark)
    bytes.appendLittleEndian(requiredFeatures)
    bytes.appendLittleEndian(UInt64(manifest.upperBound))  // length of the file
    bytes.appendLittleEndian(UInt64(manifest.lowerBound))
    bytes.appendLittleEndian(UInt64(manifest.count))
    return bytes + Array(repeating: 0, count: digestedByteCount - bytes.count)
  }
}

extension Header {
  /// Reads and checks a header and the digest of the manifest: this detects truncation and damage of both.
  init(reading file: ByteRegion, path: String) throws(FileError) {
    func failure(
      _ code: String, _ problem: String, kind: FileError.Kind = .malformed, offset: Int, _ field: String,
      seen: String, allowed: String, advice: String? = nil
    ) -> FileError {
      FileError(
        kind, code: "vggw.header.\(code)", file: path, problem, offset: offset, place: "header, \(field)",
        seen: seen, allowed: allowed, advice: advice)
    }
    try Header.checkMagic(file, path: path)
    func field<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) throws(FileError) -> Value {
      guard file.count >= Header.byteCount, let value = file.integer(at: offset, as: type) else {
        throw failure(
          "truncated", "ends within its header", offset: file.count, "length", seen: "\(file.count) bytes",
          allowed: "at least \(Header.byteCount)", advice: "fetch or write it again")
      }
      return value
    }
    let major = try field(8, UInt16.self)
    guard major == Header.majorVersion else {
      throw failure(
        "version", "has a format version that this program does not know", kind: .unsupported, offset: 8,
        "major version", seen: "\(major)", allowed: "\(Header.majorVersion)",
        advice: major > Header.majorVersion ? "use a newer vggconv" : nil)
    }
    let mark = try field(12, UInt32.self)
    guard mark == Header.byteOrderMark else {
      throw failure(
        "byte-order", "has a wrong byte-order mark", offset: 12, "byte-order mark",
        seen: hexadecimal(mark), allowed: hexadecimal(Header.byteOrderMark))
    }
    requiredFeatures = try field(16, UInt64.self)
    let unknown = requiredFeatures & ~Header.knownFeatures
    guard unknown == 0 else {
      let bits = (0..<64).filter { unknown >> $0 & 1 == 1 }.map(String.init).joined(separator: ", ")
      throw failure(
        "features", "needs a feature that this program does not know", kind: .unsupported, offset: 16,
        "required features", seen: "bits \(bits)", allowed: "0 to 6", advice: "use a newer vggconv")
    }
    let length = try field(24, UInt64.self)
    guard length == UInt64(file.count) else {
      throw failure(
        "length", length > UInt64(file.count) ? "is truncated" : "has bytes behind its end", offset: 24,
        "length of the file", seen: "\(file.count) bytes", allowed: "\(length)",
        advice: "fetch or write it again")
    }
    let start = try field(32, UInt64.self)
    let count = try field(40, UInt64.self)
    let sizes = UInt64(1)...UInt64(Header.longestManifest)
    guard sizes.contains(count) else {
      throw failure(
        "manifest", "has a manifest of an impossible length", offset: 40, "length of the manifest",
        seen: "\(count)", allowed: "\(sizes.lowerBound) to \(sizes.upperBound)")
    }
    guard count <= length, start == length - count, start >= Header.byteCount else {
      throw failure(
        "manifest", "has a manifest that does not end where the file ends", offset: 32,
        "offset of the manifest", seen: "\(start)",
        allowed: "\(length) - \(count), at least \(Header.byteCount)")
    }
    for offset in Array(48..<64) + Array(96..<128) where file.byte(at: offset) != 0 {
      throw failure(
        "reserved", "has a reserved byte that is not zero", offset: offset, "reserved",
        seen: hexadecimal(file.byte(at: offset) ?? 0), allowed: "0x0")
    }
    formatVersion = (Int(major), Int(try field(10, UInt16.self)))
    manifest = Int(start)..<Int(length)
    let digested = [(0, Header.digestedByteCount), (manifest.lowerBound, manifest.count)].compactMap {
      file.slice(at: $0.0, count: $0.1)?.withBytes { Array($0) }
    }
    digest = Digest(of: digested.reduce(into: []) { $0 += $1 })
    guard file.hasBytes(digest.bytes, at: 64) else {
      throw failure(
        "digest", "has a damaged header or manifest", offset: 64, "digest", seen: digest.description,
        allowed: "the digest that the header holds", advice: "fetch or write it again")
    }
  }

  private static func checkMagic(_ file: ByteRegion, path: String) throws(FileError) {
    let magic = NativeSignature.bytes
    guard !file.hasBytes(magic) else { return }
    let seen = file.slice(at: 0, count: min(file.count, magic.count))?.withBytes { Array($0) } ?? []
    // What a transfer as text does to line ends moves or changes all that follows: such a file cannot be mended.
    let isDamaged = NativeSignature.isDamaged(in: file)
    throw FileError(
      .malformed, code: "vggw.header.magic", file: path,
      isDamaged
        ? "looks like a vggconv model whose first bytes are damaged" : "is not a vggconv model", offset: 0,
      place: "header, signature", seen: seen.map { hexadecimal($0) }.joined(separator: " "),
      allowed: magic.map { hexadecimal($0) }.joined(separator: " "),
      advice: isDamaged
        ? "fetch or write it again; if it was transferred as text, transfer it as binary" : nil)
  }
}

/// `0x1f`.
private func hexadecimal(_ value: some FixedWidthInteger) -> String { "0x" + String(value, radix: 16) }
