internal import CJPEG
internal import VGGBytes

extension Picture {
  /// Decodes a JPEG through TurboJPEG, with the accurate transform that other loaders use by default.
  static func jpeg(_ bytes: ByteRegion, _ file: String) throws(FileError) -> Picture {
    guard let decoder = tjInitDecompress() else {
      throw FileError(.fault, code: "jpeg.decoder", file: file, "cannot be decoded: no decoder could be made")
    }
    defer { tjDestroy(decoder) }
    func failure() -> FileError {
      FileError(
        .malformed, code: "jpeg.decode", file: file,
        "is a damaged or unsupported JPEG picture: \(tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "")",
        advice: "convert it to PNG, or fetch it again")
    }
    return try bytes.withBytes { bytes throws(FileError) in
      guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { throw failure() }
      var (width, height, subsampling, colours): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
      guard
        tjDecompressHeader3(
          decoder, start, UInt(bytes.count), &width, &height, &subsampling, &colours) == 0
      else { throw failure() }
      guard ![TJCS_CMYK, TJCS_YCCK].map({ Int32($0.rawValue) }).contains(colours) else {
        throw FileError(
          .unsupported, code: "jpeg.cmyk", file: file, "is a JPEG picture in CMYK, the colours of printing",
          advice: "convert it to RGB")
      }
      try checkSize(width: Int(width), height: Int(height), file)
      let byteCount = Int(width) * Int(height) * 3
      // Warnings are damage: half a picture must not pass for a whole one. Hundreds of scans are an attack.
      let flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS
      var isComplete = false
      let pixels = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
        isComplete =
          tjDecompress2(
            decoder, start, UInt(bytes.count), buffer.baseAddress, width, 0, height, Int32(TJPF_RGB.rawValue),
            flags) == 0
        count = isComplete ? byteCount : 0
      }
      guard isComplete else { throw failure() }
      return Picture(width: Int(width), height: Int(height), pixels: pixels)
    }
  }
}
