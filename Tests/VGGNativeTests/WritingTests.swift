import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors
@testable import VGGNative

/// A file is complete or not there.
@Suite struct WritingTests {
  private func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test func nothingIsReplacedUnlessAskedFor() throws {
    let model = try TestModels.model(TestModels.network())
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.vggw"
      try "precious".write(toFile: path, atomically: false, encoding: .utf8)
      let error = #expect(throws: FileError.self) { try VGGWFile.write(model, to: path) }
      #expect(error?.kind == .cannotCreate && error?.advice == "--force replaces it")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
      try VGGWFile.write(model, to: path, overwrite: true)
      #expect(try VGGWFile.open(path: path).model.valueBits() == model.valueBits())
      let left = try names(in: folder)
      #expect(left == ["a.vggw"])
    }
  }

  /// The mapping of the old file stays what it was.
  @Test func aModelCanReplaceItsOwnFile() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.vggw"
      try VGGWFile.write(TestModels.model(TestModels.network()), to: path)
      let file = try VGGWFile.open(path: path)
      try VGGWFile.write(file.model, to: path, overwrite: true)
      try file.checkStoredBytes()
      #expect(try VGGWFile.open(path: path).weightsDigest == file.weightsDigest)
    }
  }

  @Test(arguments: ["missing/a.vggw", "", "folder"])
  func impossibleDestinationsAreNamed(_ name: String) throws {
    let model = try TestModels.model(TestModels.network())
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: "\(folder)/folder", withIntermediateDirectories: false)
      for overwrite in [false, true] {
        let error = #expect(throws: FileError.self) {
          try VGGWFile.write(model, to: "\(folder)/\(name)", overwrite: overwrite)
        }
        #expect(error?.kind == .cannotCreate)
      }
      let left = try names(in: folder)
      #expect(left == ["folder"])
    }
  }

  @Test func devicesAreNotReplaced() throws {
    let model = try TestModels.model(TestModels.network())
    let error = #expect(throws: FileError.self) {
      try VGGWFile.write(model, to: "/dev/null", overwrite: true)
    }
    #expect(error?.kind == .cannotCreate)
  }

  @Test func filesHaveTheUsualPermissions() throws {
    try withTemporaryFolder { folder in
      try VGGWFile.write(TestModels.model(TestModels.network()), to: "\(folder)/a.vggw")
      _ = FileManager.default.createFile(atPath: "\(folder)/b", contents: Data())
      let modes = try ["a.vggw", "b"].map {
        try FileManager.default.attributesOfItem(atPath: "\(folder)/\($0)")[.posixPermissions] as? Int
      }
      #expect(modes[0] != nil && modes[0] == modes[1])
    }
  }

  /// Values that nobody gets to read.
  private struct NoValues: TensorValues {
    let count: Int
    func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) {}
  }

  /// A model of any size.
  private func hugeModel(byteCount: Int) throws -> Model {
    let network = try Network(
      .a, inputExtent: Extent(side: 32), widths: [1, 1, 1, 1, 1024], denseWidths: [byteCount / 4096 + 1])
    let tensors = network.tensorRequirements.map { requirement in
      Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        values: NoValues(count: requirement.shape.reduce(1, *)))
    }
    return try Model(
      network: network, tensors: tensors, preprocessing: nil, provenance: TestModels.provenance)
  }

  @Test func aFullDiskIsReportedBeforeAnythingIsWritten() throws {
    // A file system in memory refuses at once what is larger than itself.
    var status = statvfs()
    try #require(statvfs("/dev/shm", &status) == 0)
    let size = Int(status.f_blocks) * Int(status.f_frsize)
    let model = try hugeModel(byteCount: size + (1 << 20))
    let folder = "/dev/shm/vggconv-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let error = #expect(throws: FileError.self) { try VGGWFile.write(model, to: "\(folder)/a.vggw") }
    #expect(error?.kind == .inputOutput && error?.code == "output.reserve")
    #expect(error?.problem.contains("bytes of free space") == true)
    let left = try names(in: folder)
    #expect(left == [])
  }

  @Test func theLimitOfTheProcessIsNoSignal() throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    // No other test writes as much as this.
    var low = rlimit(rlim_cur: 1 << 30, rlim_max: limit.rlim_max)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
    defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) }
    let model = try hugeModel(byteCount: 1 << 31)
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) { try VGGWFile.write(model, to: "\(folder)/a.vggw") }
      #expect(error?.kind == .inputOutput && error?.code == "output.reserve")
      let left = try names(in: folder)
      #expect(left == [])
    }
  }

  @Test func valuesThatTheirEncodingCannotHoldAreAFault() throws {
    let model = try TestModels.model(TestModels.network())
    for storage in Storage.allCases {
      let wrong = model.mappingTensors { tensor in
        guard tensor.name == "fc7/bias" else { return tensor }
        let values = MemoryValues([1, 2, 0, 1.00001, 3, 1.00001])
        return tensor.replacing(.real(values, as: .float16), storage: storage)
      }
      try withTemporaryFolder { folder in
        let error = #expect(throws: FileError.self) { try VGGWFile.write(wrong, to: "\(folder)/a.vggw") }
        #expect(error?.kind == .fault && error?.place == "tensor fc7/bias, element 3")
        let left = try names(in: folder)
        #expect(left == [])
      }
    }
  }

  @Test func errorsOfValuesComeThrough() throws {
    struct Failing: TensorValues {
      let count: Int
      func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>) throws(FileError) {
        throw FileError(.malformed, code: "test", file: "source", "is broken")
      }
    }
    let model = try TestModels.model(TestModels.network()).mappingTensors {
      $0.replacing(values: Failing(count: $0.count))
    }
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) { try VGGWFile.write(model, to: "\(folder)/a.vggw") }
      #expect(error?.code == "test")
      let left = try names(in: folder)
      #expect(left == [])
    }
  }

  /// A source that loses a few bytes raises no signal, for the rest of its last page reads as zeros.
  @Test func aSourceThatWasCutOffGivesNoFile() throws {
    let model = try TestModels.model(TestModels.network())
    try withTemporaryFolder { folder in
      let source = "\(folder)/source"
      try Data(repeating: 1, count: 5000).write(to: URL(filePath: source))
      let mapped = try MappedFile(path: source)
      try FileHandle(forWritingTo: URL(filePath: source)).truncate(atOffset: 4999)
      let error = #expect(throws: FileError.self) {
        try VGGWFile.write(model, to: "\(folder)/a.vggw", sources: [mapped.bytes])
      }
      #expect(error?.kind == .inputOutput && error?.code == "file.shortened")
      #expect(try names(in: folder) == ["source"])
    }
  }

  @Test func progressAddsUp() throws {
    final class Sum: @unchecked Sendable {
      private let lock = NSLock()
      private(set) var total = 0
      func add(_ count: Int) { lock.withLock { total += count } }
    }
    let model = try TestModels.model(TestModels.network())
    let (written, checked, stored) = (Sum(), Sum(), Sum())
    try withTemporaryFolder { folder in
      try VGGWFile.write(model, to: "\(folder)/a.vggw", progress: written.add)
      let file = try VGGWFile.open(path: "\(folder)/a.vggw")
      try file.checkValues(progress: checked.add)
      try file.checkStoredBytes(progress: stored.add)
      #expect(stored.total == file.tensorRecords.reduce(0) { $0 + $1.storedBytes })
    }
    #expect(written.total == 4 * model.parameterCount && checked.total == written.total)
  }
}

/// A file that is judged before it gets its name.
@Suite struct StagedFileTests {
  @Test func aFileHasNoNameBeforeItIsPublished() throws {
    let model = try TestModels.model(TestModels.network())
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.vggw"
      try {
        let staged = try VGGWFile.stage(model, to: path)
        try staged.file.checkStoredBytes()
        #expect(try staged.file.weightsDigest == VGGWFile.weightsDigest(of: model))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
      }()
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
      let staged = try VGGWFile.stage(model, to: path)
      try staged.publish()
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.vggw"])
      #expect(try VGGWFile.open(path: path).weightsDigest == staged.file.weightsDigest)
    }
  }

  /// Each one is repeated with all weights by whoever verifies the model.
  @Test(arguments: [64, 65]) func passesHaveALimit(_ count: Int) throws {
    var model = try TestModels.model(TestModels.network())
    model.provenance.passes = Array(repeating: .prune(fraction: 0.5), count: count)
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.vggw"
      if count == 64 {
        try VGGWFile.write(model, to: path)
        #expect(try VGGWFile.open(path: path).model.provenance.passes.count == 64)
      } else {
        let error = #expect(throws: FileError.self) { try VGGWFile.write(model, to: path) }
        #expect(error?.description.contains("too many passes") == true)
      }
    }
  }

  @Test(arguments: [
    (
      "quantize --to int8", Pass.quantize(QuantizationSettings(.int8, scaleRule: .largestMagnitude))
    ),
    ("quantize --to fp16 --keep conv1_1,fc8", .quantize(to: .fp16, keeping: ["conv1_1", "fc8"])),
    ("prune --fc 0.9", .prune(fraction: 0.9)), ("prune --drop-fc", .dropDense),
    ("prune --fc 2", .unknown("prune --fc 2")), ("quantize --to int3", .unknown("quantize --to int3")),
    ("quantize --to int4", .unknown("quantize --to int4")), ("", .unknown("")),
    ("quantize", .unknown("quantize")),
  ])
  func passesOfOlderFilesAreText(_ text: String, _ pass: Pass) {
    #expect(Pass(textOfVersion1_2: text) == pass)
    if case .unknown = pass { return }
    // There was one rule for scales, and no word for it.
    #expect(pass.description.replacing(" --scale-rule absmax", with: "") == text)
  }
}
