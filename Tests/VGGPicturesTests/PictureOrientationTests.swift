import TestSupport
import Testing
import VGGBytes
import VGGInterchange
import VGGModel
import VGGPictures
import VGGTensors

@Suite("Orientation of pictures")
struct PictureOrientationTests {
  @Test(
    "Turned pictures are turned upright as Pillow's exif_transpose does it",
    arguments: PictureOrientation.allCases, ["png", "jpg"])
  func turning(_ orientation: PictureOrientation, _ kind: String) throws {
    let name = "orientation_\(orientation.rawValue).\(kind)"
    let archive = try NumPyArchive(MappedFile(path: fixture("field/pictures/orientations.npz")))
    let expected = try #require(try archive.array(name))
    let picture = try Picture(MappedFile(path: fixture("field/pictures/\(name)")))
    #expect([picture.height, picture.width, 3] == expected.shape)
    #expect(picture.storedOrientation == orientation)
    let worst = zip(picture.pixels, try expected.integers()).map { abs(Int($0) - $1) }.max()
    #expect((worst ?? .max) <= (kind == "jpg" ? 1 : 0))
  }

  /// A PNG of 5 x 1 pixels with EXIF data.
  private func png(exif: [UInt8]) throws -> [UInt8] {
    var file = try bytes(of: fixture("field/pictures/orientation_1.png"))
    let start = try #require((0..<file.count).first { Array(file[$0...].prefix(4)) == Array("eXIf".utf8) })
    let length = Int(file[start - 1])
    var chunk = Array("eXIf".utf8) + exif
    chunk += withUnsafeBytes(of: checksum(chunk).bigEndian, Array.init)
    file.replaceSubrange(
      start - 4..<start + 4 + length + 4,
      with: withUnsafeBytes(of: UInt32(exif.count).bigEndian, Array.init) + chunk)
    return file
  }

  @Test(
    "Both byte orders are read, a head is skipped, and what is damaged says nothing",
    arguments: [
      ([0x4D, 0x4D, 0, 0x2A, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0], .turnedLeft),
      ([0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0], .turnedRight),
      ([0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 4, 0, 1, 0, 0, 0, 3, 0, 0, 0], .upsideDown),
      (
        [
          0x45, 0x78, 0x69, 0x66, 0, 0, 0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 2,
          0, 0, 0,
        ],
        .mirrored
      ),
      // Value 9, another type, a table behind the end, an entry cut off, another byte order.
      ([0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 9, 0, 0, 0], .upright),
      ([0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 2, 0, 1, 0, 0, 0, 6, 0, 0, 0], .upright),
      ([0x49, 0x49, 0x2A, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0x12, 1], .upright),
      ([0x49, 0x49, 0x2A, 0, 8, 0, 0, 0, 0xFF, 0xFF, 0x12, 1, 3, 0, 1, 0], .upright),
      ([0x4D, 0x49, 0x2A, 0, 8, 0, 0, 0], .upright), ([], .upright),
    ] as [([UInt8], PictureOrientation)])
  func tables(_ exif: [UInt8], _ expected: PictureOrientation) throws {
    let picture = try Picture(ByteRegion(copying: png(exif: exif)), file: "x")
    #expect(picture.storedOrientation == expected)
  }

  @Test("Damage gives a picture or an error", arguments: ["exif6.jpg", "exif6.png"])
  func damage(_ name: String) throws {
    forEachDamage(of: try bytes(of: fixture("field/pictures/\(name)")), seed: 8, mutations: 300) { damaged in
      guard let picture = try? Picture(ByteRegion(copying: damaged), file: "x") else { return }
      #expect(picture.pixels.count == picture.width * picture.height * 3)
    }
  }

  /// The CRC-32 of a chunk of a PNG.
  private func checksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
  }
}

@Suite("Fitting of pictures")
struct PictureFitTests {
  @Test(
    "A fit says what is done, width first",
    arguments: [
      (Preprocessing.Resize.shorterSide(256), 375, 500, 224, "resized 500x375 to 341x256, centre 224x224"),
      (.shorterSide(256), 500, 375, 224, "resized 375x500 to 256x341, centre 224x224"),
      (.stretch, 375, 500, 224, "resized 500x375 to 224x224"),
      (.shorterSide(256), 224, 224, 224, "not resized, 224x224"),
      (.shorterSide(256), 256, 300, 224, "not resized, 300x256, centre 224x224"),
      (.shorterSide(20), 10, 100, 30, "resized 100x10 to 300x30, centre 30x30"),
    ])
  func text(_ rule: Preprocessing.Resize, _ height: Int, _ width: Int, _ side: Int, _ expected: String) {
    let fit = rule.fit(Extent(height: height, width: width), to: Extent(side: side))
    #expect(fit.description == expected)
  }
}
