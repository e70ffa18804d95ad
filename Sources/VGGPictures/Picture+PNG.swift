internal import CPNG
internal import VGGBytes

extension Picture {
  /// Decodes a PNG of any kind through libpng's simplified interface, which needs no `setjmp`.
  static func png(_ bytes: ByteRegion, _ file: String) throws(FileError) -> Picture {
    var image = png_image()
    image.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    func failure() -> FileError {
      let message = withUnsafeBytes(of: image.message) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      return FileError(
        .malformed, code: "png.decode", file: file, "is a damaged PNG picture: \(message)",
        advice: "fetch or make the file again")
    }
    // The bytes must stay where they are until the end of the reading.
    return try bytes.withBytes { bytes throws(FileError) in
      guard let start = bytes.baseAddress, png_image_begin_read_from_memory(&image, start, bytes.count) != 0
      else {
        throw failure()
      }
      let (width, height) = (Int(image.width), Int(image.height))
      try checkSize(width: width, height: height, file)
      // 16 bits a channel mean the same colours as 8, only finer, as every other loader takes them.
      image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
      // Transparency is read, and left out afterwards: mixing it with a background would change the colours.
      let channels = image.format & png_uint_32(PNG_FORMAT_FLAG_ALPHA) == 0 ? 3 : 4
      image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR | (channels == 4 ? PNG_FORMAT_FLAG_ALPHA : 0))
      var isComplete = false
      let samples = [UInt8](unsafeUninitializedCapacity: width * height * channels) { buffer, count in
        isComplete = png_image_finish_read(&image, nil, buffer.baseAddress, 0, nil) != 0
        count = isComplete ? width * height * channels : 0
      }
      guard isComplete else { throw failure() }
      return Picture(width: width, height: height, pixels: channels == 3 ? samples : withoutAlpha(samples))
    }
  }

  private static func withoutAlpha(_ samples: [UInt8]) -> [UInt8] {
    let count = samples.count / 4
    return [UInt8](capacity: count * 3) { colours in
      for pixel in 0..<count {
        for channel in 0..<3 { colours.append(samples[pixel * 4 + channel]) }
      }
    }
  }
}
