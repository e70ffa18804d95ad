import Foundation
import JSONKit
import TestSupport
import Testing

/// Pictures of all kinds as inputs of `run`, and what is done to them.
@Suite struct PictureCommandTests {
  private static let model = fixture("field/crlf-text/m.caffemodel")

  private func run(_ picture: String, _ options: String...) throws -> CommandProcess {
    try CommandProcess.run(["run", Self.model, picture] + options)
  }

  private func probabilities(_ picture: String, _ options: [String] = []) throws -> [Double] {
    let process = try CommandProcess.run(
      ["run", Self.model, fixture("field/pictures/\(picture)"), "--json", "--top", "9"] + options)
    try #require(process.status == 0, "\(process.errors)")
    let top = try JSONValue(parsing: Array(process.output.utf8))["results"]?.array?.first?["top"]?.array ?? []
    return top.sorted { ($0["class"]?.integer ?? 0) < ($1["class"]?.integer ?? 0) }
      .map { $0["probability"]?.number ?? -1 }
  }

  private func expected(_ key: String) throws -> [Double] {
    let json = try JSONValue(
      parsing: Array(Data(contentsOf: URL(filePath: fixture("field/pictures/expected.json")))))
    return try #require(json[key]?.array).compactMap(\.number)
  }

  /// What a network in NumPy makes of the pixels that Pillow reads. Transparency is left out: the colours count.
  @Test(
    arguments: [
      ("rgb.png", "rgb", 1e-4), ("rgb.ppm", "rgb", 1e-4), ("comment.ppm", "rgb", 1e-4),
      ("rgb16.png", "rgb", 1e-4),
      ("rgba_opaque.png", "rgb", 1e-4), ("rgba_half_transparent.png", "rgb", 1e-4),
      ("rgb_q95.jpg", "rgb", 0.01),
      ("progressive.jpg", "rgb", 0.01), ("gray.png", "gray", 1e-4), ("gray.jpg", "gray", 0.01),
      ("gray16.png", "gray of channel 0", 1e-4), ("la.png", "gray of channel 0", 1e-4),
      ("exif6.png", "rotated as exif 6 says (clockwise 90)", 1e-4),
      ("exif6.jpg", "rotated as exif 6 says (clockwise 90)", 0.1),
    ])
  func picturesAreWhatPillowReads(_ picture: String, _ key: String, _ tolerance: Double) throws {
    let (seen, right) = (try probabilities(picture), try expected(key))
    #expect(seen.count == right.count && !right.isEmpty)
    #expect(zip(seen, right).allSatisfy { ($0 - $1).magnitude <= tolerance }, "\(seen)")
  }

  @Test(
    arguments: [
      ("rgb.webp", "is a WebP picture"), ("rgb.bmp", "is a BMP picture"), ("rgb.gif", "is a GIF picture"),
      ("rgb.tiff", "is a TIFF picture"), ("heic.heic", "is a HEIC picture"),
      ("ascii.ppm", "is a PPM picture as text"),
    ])
  func otherPicturesAreNamed(_ picture: String, _ phrase: String) throws {
    let path = fixture("field/pictures/\(picture)")
    let process = try run(path)
    #expect(
      process.status == 65 && process.errors.contains("\(phrase), which is not read"), "\(process.errors)")
    #expect(process.errors.contains("convert it to PNG or JPEG"))
    let imported = try CommandProcess.run(["import", path, "-o", "/nowhere/x"])
    #expect(imported.status == 65 && imported.errors.contains("\(phrase), not a model"), "\(imported.errors)")
  }

  @Test(
    arguments: [
      ("cmyk.jpg", "is a JPEG picture in CMYK"), ("cut.jpg", "is a damaged or unsupported JPEG"),
      ("empty.jpg", "is empty"),
      ("make.py", "is neither a picture nor an array"), ("../bad/truncated.h5", "is neither a picture"),
    ])
  func whatIsNoPictureIsRefused(_ picture: String, _ phrase: String) throws {
    let path =
      picture.hasPrefix("..") ? fixture(String(picture.dropFirst(3))) : fixture("field/pictures/\(picture)")
    let process = try run(path)
    #expect(process.status == 65 && process.output.isEmpty && process.errorLines.count == 1)
    #expect(process.errors.contains(phrase), "\(process.errors)")
  }

  // MARK: Resizing

  /// A picture of another size than the network's 64 x 64: 29 x 19.
  private static let small = fixture("pictures/colours.png")

  @Test(
    arguments: [
      ([], "resized 29x19 to 112x74, centre 64x64"), (["--resize", "stretch"], "resized 29x19 to 64x64"),
      (["--resize", "shorter"], "resized 29x19 to 112x74, centre 64x64"),
      (["--resize", "shorter:64"], "resized 29x19 to 97x64, centre 64x64"),
      (["--whole", "64"], "resized 29x19 to 97x64"),
    ] as [([String], String)])
  func whatWasDoneIsSaid(_ options: [String], _ note: String) throws {
    let process = try CommandProcess.run(["run", Self.model, Self.small] + options)
    try #require(process.status == 0, "\(process.errors)")
    #expect(process.errors == "\(Self.small): \(note)\n")
    #expect(try CommandProcess.run(["run", Self.model, Self.small, "-q"] + options).errors.isEmpty)
  }

  @Test func whatWasDoneIsInTheJSON() throws {
    let process = try run(fixture("field/pictures/orientation_6.png"), "--json")
    let resize = try #require(
      JSONValue(parsing: Array(process.output.utf8))["results"]?.array?.first?["resize"])
    #expect(resize["orientation"]?.integer == 6)
    #expect(resize["from"]?.array?.compactMap(\.integer) == [20, 12])
    #expect(resize["to"]?.array?.compactMap(\.integer) == [123, 74])
    #expect(resize["centre"]?.array?.compactMap(\.integer) == [64, 64])
    let note = try run(fixture("field/pictures/orientation_6.png")).errors
    #expect(note.contains("turned upright (EXIF orientation 6), resized 12x20 to 74x123, centre 64x64"))
  }

  @Test func noneDemandsThatAPictureFits() throws {
    let refused = try run(Self.small, "--resize", "none")
    #expect(refused.status == 65 && refused.output.isEmpty)
    #expect(
      refused.errors.contains("(seen 29x19, allowed 64x64); --resize shorter or --resize stretch"),
      "\(refused.errors)")
    #expect(try run(fixture("field/pictures/rgb.png"), "--resize", "none").status == 0)
  }

  @Test(
    arguments: [
      (["--resize", "shorter:63"], 65, "allowed a side of at least 64"),
      (["--resize", "larger"], 64, "allowed: shorter, shorter:SIDE, stretch, none"),
      (["--resize", "shorter:0"], 64, "allowed: shorter"),
      (["--resize", "stretch:9"], 64, "allowed: shorter"),
      (["--resize", "stretch", "--whole", "99"], 64, "exclude each other"),
    ] as [([String], Int32, String)])
  func whatCannotBeDoneIsRefused(_ options: [String], _ status: Int32, _ phrase: String) throws {
    let process = try CommandProcess.run(["run", Self.model, Self.small] + options)
    #expect(process.status == status && process.errors.contains(phrase), "\(process.errors)")
  }

  /// The choice decides what the network sees: stretched and cut pictures give other scores, in `verify` too.
  @Test func theChoiceIsFollowed() throws {
    func logits(_ options: [String]) throws -> String {
      try CommandProcess.run(["run", Self.model, Self.small, "--json", "--top", "9"] + options).output
        .split(separator: "\n").filter { $0.contains("logit") }.joined()
    }
    let (shorter, stretched) = (try logits(["--resize", "shorter"]), try logits(["--resize", "stretch"]))
    #expect(try shorter == logits([]) && shorter != stretched && !stretched.isEmpty)
    let refused = try CommandProcess.run(
      ["verify", Self.model, Self.model, "--inputs", Self.small, "--resize", "none"])
    #expect(refused.status == 65 && refused.errors.contains("does not have the size that the model takes"))
  }
}

/// Names of classes on the command line and in the model.
@Suite struct LabelCommandTests {
  private static let source = fixture("field/crlf-text/m.caffemodel")
  private static let picture = fixture("field/pictures/rgb.png")

  private func list(_ name: String) -> String { fixture("field/crlf-text/labels_\(name).txt") }

  @Test(arguments: ["lf", "crlf", "cr", "bom", "noeol"]) func theRightNameStandsFirst(_ name: String) throws {
    let process = try CommandProcess.run(["run", Self.source, Self.picture, "--labels", list(name), "--json"])
    let top = try JSONValue(parsing: Array(process.output.utf8))["results"]?.array?.first?["top"]?.array
    #expect(top?.map { $0["label"]?.string } == ["bird", "cat", "dog", "fish", "frog"])
  }

  @Test(arguments: ["import", "run"]) func aListOfAnotherLengthIsRefused(_ command: String) throws {
    let rest = command == "run" ? [Self.picture] : ["-o", "/nowhere/x.vggw"]
    for (list, count) in [("1001", 6), ("few", 2)] {
      let process = try CommandProcess.run([command, Self.source] + rest + ["--labels", self.list(list)])
      #expect(process.status == 65 && process.output.isEmpty)
      #expect(process.errors.contains("names \(count) classes, but the model has 5"), "\(process.errors)")
    }
    let binary = try CommandProcess.run([command, Self.source] + rest + ["--labels", Self.picture])
    #expect(binary.status == 65 && binary.errors.contains("is a binary file, not text"))
  }

  @Test func namesAreKeptInTheModel() throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let imported = try CommandProcess.run(["import", Self.source, "-o", model, "--labels", list("crlf")])
      try #require(imported.status == 0, "\(imported.errors)")
      #expect(
        imported.errors.contains(
          "labels: 5 names of classes (stated on the command line, in labels_crlf.txt)"))
      let own = try CommandProcess.run(["run", model, Self.picture])
      #expect(own.output.contains("100.00 %  bird"))
      try "a\nb\nc\nd\u{1B}[31m\ne\n".replacing("\u{1B}", with: "\t").write(
        toFile: "\(folder)/other.txt", atomically: true, encoding: .utf8)
      let overridden = try CommandProcess.run(["run", model, Self.picture, "--labels", "\(folder)/other.txt"])
      #expect(overridden.output.contains("100.00 %  d\\t[31m"), "\(overridden.output)")
      // Passes keep the names; without dense layers there is nothing to name.
      let small = "\(folder)/small.vggw"
      #expect(try CommandProcess.run(["quantize", model, "--to", "fp16", "-o", small]).status == 0)
      #expect(try CommandProcess.run(["run", small, Self.picture]).output.contains("%  bird"))
      #expect(try CommandProcess.run(["prune", model, "--drop-fc", "-o", small, "-f"]).status == 0)
      let none = try CommandProcess.run(["run", small, Self.picture, "--labels", list("lf")])
      #expect(none.status == 65 && none.errors.contains("names classes, but the model has none"))
    }
  }
}
