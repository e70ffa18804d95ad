public import VGGBytes

extension Picture {
  /// Whether a file is a picture of a kind that is read: PNG, JPEG, binary PPM or PGM.
  public static func hasSignature(_ file: ByteRegion) -> Bool {
    let signatures = [[0x89] + Array("PNG".utf8), [0xFF, 0xD8, 0xFF], Array("P6".utf8), Array("P5".utf8)]
    return signatures.contains { file.hasBytes($0) }
  }

  /// What a picture of a kind that is not read is, such as `a WebP picture`; nil for other files.
  public static func nameOfOtherKind(_ file: ByteRegion) -> String? {
    func has(_ text: String, at offset: Int = 0) -> Bool { file.hasBytes(Array(text.utf8), at: offset) }
    if has("RIFF"), has("WEBP", at: 8) { return "a WebP picture" }
    if has("GIF87a") || has("GIF89a") { return "a GIF picture" }
    // BMP: the length of the file follows, then zeros, the place of the pixels, and the length of the second head.
    if has("BM"), file.integer(at: 6, as: UInt32.self) == 0,
      (12...128).contains(file.integer(at: 14, as: UInt32.self) ?? 0)
    {
      return "a BMP picture"
    }
    if [[0x49, 0x49, 0x2A, 0], [0x4D, 0x4D, 0, 0x2A], [0x49, 0x49, 0x2B, 0], [0x4D, 0x4D, 0, 0x2B]].contains(
      where: { file.hasBytes($0) })
    {
      return "a TIFF picture"
    }
    if has("ftyp", at: 4) { return isobmff(file) }
    if file.hasBytes([0, 0, 0, 12] + Array("jP  ".utf8)) || file.hasBytes([0xFF, 0x4F, 0xFF, 0x51]) {
      return "a JPEG 2000 picture"
    }
    if file.hasBytes([0, 0, 0, 12] + Array("JXL ".utf8)) || file.hasBytes([0xFF, 0x0A]) {
      return "a JPEG XL picture"
    }
    if has("8BPS") { return "a Photoshop picture" }
    if has("%PDF-") { return "a PDF document" }
    if file.hasBytes([0, 0, 1, 0]), (1...64).contains(file.integer(at: 4, as: UInt16.self) ?? 0),
      file.byte(at: 9) == 0
    {
      return "an icon (.ico)"
    }
    return netpbm(file)
  }

  /// HEIC and AVIF are containers of one kind; the first or one of the compatible brands tells them apart.
  private static func isobmff(_ file: ByteRegion) -> String? {
    let length = Int(file.integer(at: 0, as: UInt32.self)?.byteSwapped ?? 0)
    let brands = stride(from: 8, to: min(length, 256), by: 4).filter { $0 != 12 }.compactMap { offset in
      file.slice(at: offset, count: 4)?.withBytes { String(decoding: $0, as: UTF8.self) }
    }
    if brands.contains(where: ["avif", "avis"].contains) { return "an AVIF picture" }
    if brands.contains(where: ["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"].contains) {
      return "a HEIC picture"
    }
    return brands.isEmpty ? nil : "a video or another file of its kind (\(brands[0]))"
  }

  /// The kinds of PPM other than the two that are read.
  private static func netpbm(_ file: ByteRegion) -> String? {
    guard file.byte(at: 0) == UInt8(ascii: "P"), let kind = file.byte(at: 1), let next = file.byte(at: 2),
      next == 0x20 || (0x09...0x0D).contains(next) || next == UInt8(ascii: "#")
    else { return nil }
    switch kind {
    case UInt8(ascii: "1"), UInt8(ascii: "2"), UInt8(ascii: "3"): return "a PPM picture as text"
    case UInt8(ascii: "4"): return "a PBM picture"
    case UInt8(ascii: "7"): return "a PAM picture"
    default: return nil
    }
  }
}
