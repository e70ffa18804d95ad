import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGEngine
import VGGInterchange
import VGGModel
import VGGTensors

@testable import VGGConv

/// Pictures that people give, in all their forms, and what is wrong with some.
@Suite struct PictureSetTests {
  private static func digits() throws -> OpenedModel { try OpenedModel(fixture("keras/vgg_d_digits.h5")) }

  /// Copies pictures from the fixtures: `a/one.png` from `digit_3.png`.
  private static func copy(_ pictures: [(String, String)], to folder: String) throws {
    for (place, name) in pictures {
      let target = URL(filePath: "\(folder)/\(place)")
      try FileManager.default.createDirectory(
        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: URL(filePath: fixture("pictures/\(name)")), to: target)
    }
  }

  private static func values(_ batches: PictureBatches) throws -> [Float] {
    try (0..<batches.count).flatMap { try batches.batch($0).values }
  }

  private static func npy(_ folder: String, _ arrays: [NamedArray]) throws -> String {
    try NumPyArchive.write(arrays, to: "\(folder)/data.npz", overwrite: true)
    return "\(folder)/data.npz"
  }

  private static func images(_ shape: [Int], _ values: [Float]? = nil) -> NamedArray {
    NamedArray(name: "images", shape: shape, values: values ?? Self.values(shape))
  }

  /// Values without a pattern of the pictures' size.
  private static func values(_ shape: [Int]) -> [Float] {
    (0..<shape.reduce(1, *)).map { Float($0 % 251) - 100 }
  }

  // MARK: Folders

  @Test func allPicturesOfAFolderInTheOrderOfTheirBytes() throws {
    try withTemporaryFolder { folder in
      // Upper case comes first, and 10 before 9.
      try Self.copy(
        [("b.png", "digit_7.png"), ("Z.png", "digit_0.png"), ("10", "digit_3.png"), ("9.PNG", "grey.jpg")],
        to: folder)
      try Data().write(to: URL(filePath: "\(folder)/.hidden"))
      try Data("notes".utf8).write(to: URL(filePath: "\(folder)/notes.txt"))
      let opened = try Self.digits()
      let set = try PictureSet(folder, for: opened)
      #expect(set.count == 4 && set.remarks == [.filesLeftOut(1, first: "\(folder)/notes.txt")])
      var runner = ModelRunner(opened)
      let expected = try ["digit_3.png", "grey.jpg", "digit_0.png", "digit_7.png"].flatMap {
        try runner.read(fixture("pictures/\($0)")).batch.values
      }
      for batches in [set.batches, set.layerBatches] { #expect(try Self.values(batches) == expected) }
      #expect(try runner.run(fixture("pictures/digit_7.png")).best(1)[0][0].index == 7)
      let error = try #require(throws: FileError.self) { try Evaluation(of: opened, on: set) }
      #expect(error.code == "data.labels" && error.problem.contains("does not say what its pictures show"))
    }
  }

  @Test func linksAreNotFollowedOutOfTheFolder() throws {
    try withTemporaryFolder { parent in
      let folder = "\(parent)/in"
      try Self.copy([("in/a.png", "digit_7.png"), ("out/secret.png", "digit_3.png")], to: parent)
      let files = FileManager.default
      for (name, target) in [
        ("b.png", "../out/secret.png"), ("c.png", "\(parent)/out/secret.png"), ("d", "../out"), ("e", ".."),
        ("f.png", "nowhere"), ("g", "/dev/zero"),
      ] {
        try files.createSymbolicLink(atPath: "\(folder)/\(name)", withDestinationPath: target)
      }
      // Inside is inside, however it is said.
      try files.createSymbolicLink(atPath: "\(folder)/h.png", withDestinationPath: "../in/a.png")
      let set = try PictureSet(folder, for: Self.digits())
      #expect(set.count == 2 && set.remarks == [.linksLeftOut(6, first: "\(folder)/b.png")])
      // The folder itself may be a link.
      try files.createSymbolicLink(atPath: "\(parent)/link", withDestinationPath: "in")
      #expect(try PictureSet("\(parent)/link", for: Self.digits()).count == 2)
      try files.removeItem(atPath: "\(folder)/a.png")
      let error = try #require(throws: FileError.self) { try PictureSet(folder, for: Self.digits()) }
      #expect(error.code == "data.empty" && error.advice?.contains("links") == true)
    }
  }

  @Test func foldersWithoutPicturesAreRefused() throws {
    try withTemporaryFolder { folder in
      let opened = try Self.digits()
      func refusal() throws -> FileError {
        try #require(throws: FileError.self) { try PictureSet(folder, for: opened) }
      }
      #expect(try refusal().code == "data.empty" && refusal().problem == "is an empty folder")
      try Data("x".utf8).write(to: URL(filePath: "\(folder)/x.png"))
      #expect(try refusal().problem == "has no picture that can be read")
      try Data("GIF89a".utf8).write(to: URL(filePath: "\(folder)/y.gif"))
      #expect(try refusal().code == "picture.kind" && refusal().file == "\(folder)/y.gif")
      try FileManager.default.removeItem(atPath: "\(folder)/y.gif")
      try Self.copy([("a.png", "digit_7.png"), ("7/a.png", "digit_7.png")], to: folder)
      #expect(try refusal().code == "data.folder")
      try FileManager.default.removeItem(atPath: "\(folder)/a.png")
      #expect(try PictureSet(folder, for: opened).count == 1)
      try FileManager.default.createDirectory(
        atPath: "\(folder)/7/deep", withIntermediateDirectories: false)
      #expect(try refusal().problem == "has sub-folders in sub-folders")
    }
  }

  @Test func aDamagedPictureIsNamedWhenItsTurnComes() throws {
    try withTemporaryFolder { folder in
      try Self.copy([("a.png", "digit_7.png"), ("c.png", "digit_3.png")], to: folder)
      let whole = try Data(contentsOf: URL(filePath: fixture("pictures/digit_0.png")))
      try whole.prefix(whole.count / 2).write(to: URL(filePath: "\(folder)/b.png"))
      let set = try PictureSet(folder, for: Self.digits())
      #expect(set.count == 3)
      do {
        _ = try set.batches.batch(0)
        Issue.record("nothing was thrown")
      } catch EngineError.input(let error) {
        #expect(error.code == "png.decode" && error.file == "\(folder)/b.png")
      }
    }
  }

  // MARK: Classes

  private static func labels(
    _ folders: [String], classCount: Int = 10, names: [String] = []
  ) throws -> PictureLabels {
    try withTemporaryFolder { folder in
      try copy(folders.map { ("\($0)/a.png", "digit_7.png") }, to: folder)
      return try PictureSet(folder, for: digits()).labels(classCount: classCount, names: names)
    }
  }

  @Test(
    arguments: [
      // Names of the model, in any order; spaces may be underscores.
      (["dog", "cat"], ["cat", "dog"], 2, [0, 1], .names),
      (["hot_dog"], ["cat", "hot dog"], 2, [1], .names),
      (["1", "0"], ["1", "0"], 2, [1, 0], .names),
      // Numbers of classes, of which some may be missing.
      (["3", "07"], [], 10, [7, 3], .numbers), (["0", "1"], ["cat", "dog"], 2, [0, 1], .numbers),
      (["10", "9", "2"], [], 11, [10, 2, 9], .numbers),
      // The order, by number where names are numbers.
      (["b", "B", "a"], [], 3, [0, 1, 2], .order(["B", "a", "b"])),
      (["10", "9", "8"], [], 3, [2, 0, 1], .order(["8", "9", "10"])),
      (["n01440764", "n01443537"], ["tench", "goldfish"], 2, [0, 1], .order(["n01440764", "n01443537"])),
    ] as [([String], [String], Int, [Int], PictureLabels.Rule)])
  func classesOfFolders(
    _ folders: [String], _ names: [String], _ count: Int, _ classes: [Int], _ rule: PictureLabels.Rule
  ) throws {
    let labels = try Self.labels(folders, classCount: count, names: names)
    #expect(labels.classes == classes && labels.rule == rule)
  }

  @Test(
    arguments: [
      (["cat", "cow"], ["cat", "dog"], 2, "no class of the model", "cow"),
      (["crane"], ["crane", "crane"], 2, "several classes", "crane"),
      (["hot dog", "hot_dog"], ["hot dog", "cat"], 2, "two sub-folders for one class", "hot dog"),
      (["a", "b"], [], 3, "another number of sub-folders", "2"),
      (["5", "6"], [], 3, "another number of sub-folders", "2"),
      (["n01440764"], ["tench", "goldfish"], 2, "another number of sub-folders", "1"),
    ] as [([String], [String], Int, String, String)])
  func foldersThatAreNoClasses(
    _ folders: [String], _ names: [String], _ count: Int, _ problem: String, _ seen: String
  ) throws {
    let error = try #require(throws: FileError.self) {
      try Self.labels(folders, classCount: count, names: names)
    }
    #expect(error.code == "data.labels" && error.problem.contains(problem) && error.seen == seen, "\(error)")
  }

  // MARK: Arrays

  @Test func labelledArraysGiveWhatFoldersGive() throws {
    let opened = try Self.digits()
    let set = try PictureSet(fixture("digits_test.npz"), for: opened)
    #expect(set.count == 360 && set.remarks.isEmpty)
    let labels = try set.labels(classCount: 10, names: [])
    #expect(labels.classes.count == 360 && labels.rule == .array)
    // The first batches read what the whole array says.
    let archive = try NumPyArchive(MappedFile(path: fixture("digits_test.npz")))
    let pixels = try #require(try archive.array("images_64x64")).values()
    let preprocessing = try #require(opened.model.preprocessing)
    let second = try set.batches.batch(1)
    #expect(second.count == 24)
    let values = second.values
    for index in stride(from: 0, to: values.count, by: 1009) {
      let pixel = pixels[(24 * 64 * 64 * 3 + index) / 3]
      #expect(
        values[index]
          == Float((Double(pixel) - preprocessing.mean[index % 3]) * preprocessing.scale[index % 3]))
    }
  }

  @Test func preprocessedArraysAreTakenAsTheyAre() throws {
    try withTemporaryFolder { folder in
      let images = Self.images([30, 64, 64, 3])
      let set = try PictureSet(Self.npy(folder, [images]), for: Self.digits())
      #expect(set.count == 30 && set.batches.count == 2)
      #expect(try Self.values(set.batches) == Self.values([30, 64, 64, 3]))
      let error = try #require(throws: FileError.self) { try set.labels(classCount: 10, names: []) }
      #expect(error.code == "data.arrays")
    }
  }

  @Test(
    arguments: [
      ([2, 63, 64, 3], "data.extent"), ([2, 64, 64, 4], "data.channels"), ([64, 64], "data.shape"),
      ([0, 64, 64, 3], "data.shape"), ([2, 0, 64, 3], "data.shape"), ([1, 1, 64, 64, 3], "data.shape"),
    ])
  func arraysThatDoNotFit(_ shape: [Int], _ code: String) throws {
    try withTemporaryFolder { folder in
      let path = try Self.npy(folder, [Self.images(shape)])
      let error = try #require(throws: FileError.self) { try PictureSet(path, for: Self.digits()) }
      #expect(error.code == code && error.file == path, "\(error)")
    }
  }

  @Test(arguments: [Float.nan, .infinity]) func arraysOfNoNumbers(_ value: Float) throws {
    try withTemporaryFolder { folder in
      var values = [Float](repeating: 1, count: 26 * 64 * 64 * 3)
      values[25 * 64 * 64 * 3 + 5] = value
      let set = try PictureSet(Self.npy(folder, [Self.images([26, 64, 64, 3], values)]), for: Self.digits())
      _ = try set.batches.batch(0)
      do {
        _ = try set.batches.batch(1)
        Issue.record("nothing was thrown")
      } catch EngineError.input(let error) {
        #expect(error.code == "data.nonfinite" && error.place == "picture 25")
      }
    }
  }

  @Test func otherFilesAreRefused() throws {
    let opened = try Self.digits()
    let kind = try #require(throws: FileError.self) {
      try PictureSet(fixture("pictures/digit_7.png"), for: opened)
    }
    #expect(kind.code == "data.kind")
    let missing = try #require(throws: FileError.self) { try PictureSet("/nowhere", for: opened) }
    #expect(missing.kind == .missing)
    try withTemporaryFolder { folder in
      let other = NamedArray(name: "x", shape: [1], values: [1])
      let error = try #require(throws: FileError.self) {
        try PictureSet(Self.npy(folder, [other]), for: opened)
      }
      #expect(error.code == "data.arrays" && error.seen == "x")
    }
  }

  @Test func derivedPicturesAreThoseOfTheVerifier() throws {
    let opened = try Self.digits()
    let set = try PictureSet(derivedFor: opened)
    #expect(set.count == 3 && set.remarks == [.derived])
    let judged = try JudgementInputs(for: opened, JudgingOptions(), file: "x")
    #expect(try Self.values(set.layerBatches) == judged.pictures[0].values)
  }

  @Test func columnsFirstIsReadInParts() throws {
    try #require(pythonInterpreter != nil)
    try withTemporaryFolder { folder in
      let program = """
        import numpy as np
        a = np.arange(50 * 64 * 64 * 3, dtype='<f4').reshape(50, 64, 64, 3)
        np.savez_compressed('f.npz', images=np.asfortranarray(a))
        """
      let process = try CommandProcess.run(
        try #require(pythonInterpreter), ["-c", program], in: folder,
        environment: ProcessInfo.processInfo.environment)
      #expect(process.status == 0)
      let values = try Self.values(PictureSet("\(folder)/f.npz", for: Self.digits()).batches)
      #expect(values == (0..<50 * 64 * 64 * 3).map(Float.init))
    }
  }
}
