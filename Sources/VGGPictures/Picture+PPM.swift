internal import VGGBytes

extension Picture {
  /// Decodes a binary PPM (P6) or PGM (P5) picture of 8 bits.
  static func portableAnymap(_ bytes: ByteRegion, _ file: String) throws(FileError) -> Picture {
    let channels = bytes.byte(at: 1) == UInt8(ascii: "6") ? 3 : 1
    var position = 2
    func failure(_ problem: String, seen: String? = nil, allowed: String? = nil) -> FileError {
      FileError(
        .malformed, code: "ppm.decode", file: file, problem, offset: position, seen: seen, allowed: allowed)
    }
    /// The next number of the header, after white space and comments.
    func number() throws(FileError) -> Int {
      var isInComment = false
      while let byte = bytes.byte(at: position), isInComment || isSpace(byte) || byte == UInt8(ascii: "#") {
        isInComment = byte == UInt8(ascii: "#") || (isInComment && byte != UInt8(ascii: "\n"))
        position += 1
      }
      var value = 0
      let start = position
      while let byte = bytes.byte(at: position), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"),
        value < 100_000
      {
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
        position += 1
      }
      guard position > start else { throw failure("has a damaged header") }
      return value
    }
    let (width, height, maximum) = (try number(), try number(), try number())
    try checkSize(width: width, height: height, file)
    guard maximum == 255 else {
      throw failure("has an unsupported depth", seen: "a largest value of \(maximum)", allowed: "255")
    }
    guard bytes.byte(at: position).map(isSpace) == true else { throw failure("has a damaged header") }
    position += 1
    guard let data = bytes.slice(at: position, count: width * height * channels) else {
      throw failure(
        "ends within the picture", seen: "\(bytes.count - position) bytes",
        allowed: "\(width * height * channels)")
    }
    return data.withBytes { data in
      Picture(
        width: width, height: height,
        pixels: channels == 3 ? Array(data) : data.flatMap { repeatElement($0, count: 3) })
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
