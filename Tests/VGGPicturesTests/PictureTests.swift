import TestSupport
import Testing
import VGGBytes
import VGGInterchange
import VGGModel
import VGGPictures
import VGGTensors

@Suite("Pictures")
struct PictureTests {
  /// What Pillow makes of the fixtures; `fixtures/make_pictures.py` wrote it.
  private func expected(_ name: String) throws -> Picture {
    let archive = try NumPyArchive(try MappedFile(path: fixture("pictures/expected.npz")))
    let array = try #require(try archive.array(name))
    return Picture(
      width: array.shape[1], height: array.shape[0], pixels: try array.integers().map { UInt8($0) })
  }

  private func picture(_ name: String) throws -> Picture {
    try Picture(try MappedFile(path: fixture("pictures/\(name)")))
  }

  private func decode(_ bytes: [UInt8]) throws -> Picture {
    try Picture(ByteRegion(copying: bytes), file: "x")
  }

  private static let names = [
    "colours.png", "alpha.png", "grey_alpha.png", "palette.png", "grey.png", "bits.png", "grey16.png",
    "colours.jpg", "subsampled.jpg", "progressive.jpg", "grey.jpg", "colours.ppm", "grey.pgm",
  ]

  @Test("Every kind of picture is decoded as Pillow does", arguments: names)
  func decoding(name: String) throws {
    let (picture, expected) = (try picture(name), try expected(name))
    #expect(picture.width == 29)
    #expect(picture.height == 19)
    // Decoders of JPEG may differ by rounding.
    let allowed = name.hasSuffix(".jpg") ? 1 : 0
    let worst = zip(picture.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }.max()
    #expect(picture.pixels.count == expected.pixels.count)
    #expect((worst ?? .max) <= allowed)
  }

  @Test(
    "Resized pictures are Pillow's, to the bit",
    arguments: [
      (29, 19), (58, 38), (64, 64), (13, 7), (29, 5), (7, 19), (30, 18), (1, 1), (100, 3),
    ])
  func resizing(width: Int, height: Int) throws {
    let resized = try picture("colours.png").resized(to: Extent(height: height, width: width))
    #expect(try resized == expected("resized_\(width)x\(height)"))
  }

  @Test("A rule of a shorter side cuts out the middle of the scaled picture")
  func shorterSide() throws {
    let picture = try picture("colours.png")
    let rule = Preprocessing(channelOrder: .rgb, mean: [0, 0, 0], resize: .shorterSide(24))
    let values = rule.values(of: picture, extent: Extent(height: 21, width: 20))
    #expect(try values == expected("shorter_side_24_21x20").pixels.map { Float($0) })
    // Where the scaled picture would be smaller than the input, it is scaled to cover it.
    let large = rule.values(of: picture, extent: Extent(height: 38, width: 40))
    let covering = picture.resized(to: Extent(height: 38, width: 58)).centreCrop(
      to: Extent(height: 38, width: 40))
    #expect(large == covering.pixels.map { Float($0) })
  }

  @Test("A very long picture costs no more than what is cut out of it")
  func longPicture() {
    let line = Picture(
      width: Picture.longestSide, height: 1, pixels: Array(repeating: 9, count: Picture.longestSide * 3))
    let rule = Preprocessing(channelOrder: .rgb, mean: [0, 0, 0], resize: .shorterSide(1 << 40))
    let values = rule.values(of: line, extent: Extent(side: 8))
    #expect(values == Array(repeating: 9, count: 8 * 8 * 3))
  }

  @Test(
    "Channels are ordered, lessened and scaled as the rule says; a picture of the right size stays as it is")
  func preprocessing() throws {
    let picture = Picture(width: 2, height: 1, pixels: [10, 20, 30, 40, 50, 60])
    let extent = Extent(height: 1, width: 2)
    func values(_ order: Preprocessing.ChannelOrder, _ mean: [Double], _ scale: [Double]? = nil) -> [Float] {
      Preprocessing(channelOrder: order, mean: mean, scale: scale, resize: .shorterSide(256))
        .values(of: picture, extent: extent)
    }
    #expect(values(.rgb, [1, 2, 3]) == [9, 18, 27, 39, 48, 57])
    #expect(values(.bgr, [1, 2, 3]) == [29, 18, 7, 59, 48, 37])
    #expect(values(.bgr, [0, 0, 0], [0.5, 1, 2]) == [15, 20, 20, 30, 50, 80])
    #expect(values(.gray, [1]) == [17, 47])
    let colours = try self.picture("colours.png")
    let archive = try NumPyArchive(try MappedFile(path: fixture("pictures/expected.npz")))
    let luma = try #require(try archive.array("luma"))
    let grey = Preprocessing(channelOrder: .gray, mean: [0], resize: .stretch)
    #expect(try grey.values(of: colours, extent: Extent(height: 19, width: 29)) == luma.values())
    let stretched = Preprocessing(channelOrder: .rgb, mean: [0, 0, 0], resize: .stretch)
      .values(of: colours, extent: Extent(height: 7, width: 13))
    #expect(try stretched == expected("resized_13x7").pixels.map { Float($0) })
  }

  @Test("The digits are those of the labelled data", arguments: [0, 3, 7])
  func digits(label: Int) throws {
    let archive = try NumPyArchive(try MappedFile(path: fixture("digits_test.npz")))
    let labels = try #require(try archive.array("labels")).integers()
    let images = try #require(try archive.array("images_64x64")).integers()
    let index = try #require(labels.firstIndex(of: label))
    let picture = try picture("digit_\(label).png")
    let grey = images[index * 4096..<(index + 1) * 4096].flatMap { repeatElement(UInt8($0), count: 3) }
    #expect(picture.pixels == grey)
  }

  @Test(
    "Other files and sizes are refused",
    arguments: [
      ("", "picture.kind"), ("GIF89a", "picture.kind"), ("P6 0 1 255\n", "picture.size"),
      ("P6 16385 1 255\n", "picture.size"), ("P6 99999999999999999999 1 255\n", "picture.size"),
      ("P6 1 1 65535\n123456", "ppm.decode"), ("P6 2 1 255\n12345", "ppm.decode"),
      ("P6 1 1 255", "ppm.decode"),
      ("P6 1 -1 255\n123", "ppm.decode"), ("P5", "ppm.decode"), ("P5 # 1 1 255", "ppm.decode"),
    ])
  func refusals(text: String, code: String) {
    let error = #expect(throws: FileError.self) { try decode(Array(text.utf8)) }
    #expect(error?.code == code)
  }

  @Test("Comments in a PPM's header are skipped")
  func comments() throws {
    let text = "P5# made by hand\n 2 # columns\n#rows\n1\n255\n"
    #expect(try decode(Array(text.utf8) + [7, 0x23]).pixels == [7, 7, 7, 0x23, 0x23, 0x23])
  }

  @Test("A PNG of enormous sides is refused before memory is taken")
  func enormous() throws {
    // A header of 2^31 - 1 columns, with its checksum.
    var png = try bytes(of: fixture("pictures/colours.png"))
    png.replaceSubrange(16..<24, with: [0, 1, 0, 0, 0, 1, 0, 0])
    let sum = checksum(png[12..<29])
    png.replaceSubrange(29..<33, with: withUnsafeBytes(of: sum.bigEndian) { Array($0) })
    let error = #expect(throws: FileError.self) { try decode(png) }
    #expect(error?.code == "picture.size")
    #expect(error?.seen == "65536 x 65536")
  }

  @Test("JPEGs for printing are refused in words")
  func cmyk() {
    let error = #expect(throws: FileError.self) { try picture("cmyk.jpg") }
    #expect(error?.code == "jpeg.cmyk")
  }

  @Test("Damage gives a picture or an error", arguments: names)
  func damage(name: String) throws {
    let sound = try bytes(of: fixture("pictures/\(name)"))
    forEachDamage(of: sound, seed: 6, mutations: 300) { damaged in
      guard let picture = try? decode(damaged) else { return }
      #expect(picture.pixels.count == picture.width * picture.height * 3)
    }
  }

  /// The CRC-32 of a chunk of a PNG.
  private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
  }
}
