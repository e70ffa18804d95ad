import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGModel

/// What the library refuses, and with what errors.
@Suite struct RefusalTests {
  private static let digits = fixture("keras/vgg_d_digits.h5")

  /// The error of a call that must fail.
  private func error<Result>(_ body: () throws(FileError) -> Result) throws -> FileError {
    var found: FileError?
    do throws(FileError) { _ = try body() } catch { found = error }
    return try #require(found)
  }

  @Test func whatIsNoModelIsToldByItsContent() throws {
    let picture = try error { () throws(FileError) in try OpenedModel(fixture("pictures/digit_7.png")) }
    #expect(picture.kind == .unsupported && picture.code == "import.kind")
    #expect(picture.problem == "is a picture, not a model")
    let missing = try error { () throws(FileError) in try OpenedModel("/nowhere/vgg16.h5") }
    #expect(missing.kind == .missing && missing.file == "/nowhere/vgg16.h5")
  }

  @Test func foldersAreToldByWhatIsInThem() throws {
    try withTemporaryFolder { folder in
      let empty = try error { () throws(FileError) in try OpenedModel(folder) }
      #expect(empty.code == "keras.folder" && empty.file == folder)
      #expect(empty.allowed == "config.json and model.weights.h5 in it")
      try Data().write(to: URL(filePath: "\(folder)/saved_model.pb"))
      let saved = try error { () throws(FileError) in try OpenedModel(folder) }
      #expect(saved.code == "import.folder" && saved.problem == "is a TensorFlow SavedModel")
    }
  }

  @Test func anOutputThatExistsIsKept() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.vggw"
      try Data("mine".utf8).write(to: URL(filePath: path))
      let source = try OpenedModel(Self.digits)
      let refusal = try error { () throws(FileError) in try source.convert(to: path) }
      #expect(refusal.kind == .cannotCreate && refusal.code == "output.exists")
      #expect(try Data(contentsOf: URL(filePath: path)) == Data("mine".utf8))
      #expect(try source.convert(to: path, overwrites: true).judgement?.isClose == true)
    }
  }

  @Test func aLayerToKeepMustExist() throws {
    try withTemporaryFolder { folder in
      let source = try OpenedModel(Self.digits)
      let passes: [Pass] = [.dropDense, .quantize(to: .int8, keeping: ["conv1_1", "fc8"])]
      let refusal = try error { () throws(FileError) in
        try source.convert(to: "\(folder)/model.vggw", applying: passes)
      }
      #expect(refusal.code == "quantize.layer" && refusal.seen == "fc8")
      #expect(refusal.allowed?.hasSuffix("conv5_3") == true)
      let unknown = try #require(throws: UnknownLayer.self) { try source.requireLayers(keptBy: passes) }
      #expect(unknown.name == refusal.seen && unknown.known.joined(separator: ", ") == refusal.allowed)
      try source.requireLayers(keptBy: [.quantize(to: .int8, keeping: ["fc8"]), .dropDense])
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }

  @Test(arguments: [PictureResizing.whole(0), .whole(-1), .shorter(1), .exact])
  func picturesAreNotBroughtToSizesThatCannotBe(_ resizing: PictureResizing) throws {
    let runner = ModelRunner(
      try OpenedModel(Self.digits), inputs: InputOptions(resizing: resizing))
    let refusal = try error { () throws(FileError) in try runner.read(fixture("pictures/colours.png")) }
    #expect(refusal.code == "input.extent")
  }

  @Test func nativeModelsAndSourcesAreToldApart() throws {
    let source = try OpenedModel(Self.digits)
    #expect(try error { () throws(FileError) in try source.requireNative() }.code == "model.source")
    try source.requireSource()
    let native = try OpenedModel(fixture("native/vgg_a_lrn_1.3.vggw"))
    #expect(try error { () throws(FileError) in try native.requireSource() }.code == "import.native")
    try native.requireNative()
  }

  @Test func damageIsFoundWhenAFileIsOpened() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/damaged.vggw"
      try OpenedModel(Self.digits).convert(to: path, judging: nil)
      var bytes = try Data(contentsOf: URL(filePath: path))
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: URL(filePath: path))
      let refusal = try error { () throws(FileError) in try OpenedModel(path) }
      #expect(refusal.kind == .malformed && refusal.offset != nil)
      #expect(try OpenedModel(path, options: OpenOptions(checksDigests: false)).native != nil)
    }
  }
}
