import Foundation
import TestSupport
import Testing
import VGGModel
import VGGNative
import VGGTensors

/// What others rely on: the schema's generated code and the specification, proven by a reader that was written from it.
@Suite struct ContractTests {
  /// Runs a program and returns its status and what it printed.
  private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  @Test func generatedCodeIsThatOfTheSchemas() throws {
    try withTemporaryFolder { folder in
      let result = try run(["bash", "\(packageRoot)/schemas/generate.sh", folder])
      try #require(result.status == 0, "protoc-c of protobuf-c-compiler is needed: \(result.output)")
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.contains(".pb-c.") }
      #expect(names.count >= 2)
      for name in names {
        let fresh = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        let committed = try? String(contentsOfFile: "\(packageRoot)/\(name)", encoding: .utf8)
        #expect(fresh == committed, "\(name) is stale: run schemas/generate.sh")
      }
    }
  }

  static let golden = fixture("native/vgg_a_lrn_1.0.vggw")
  static let goldenOfGroups = fixture("native/vgg_a_lrn_1.4.vggw")
  static let goldenOfIntegers = fixture("native/vgg_a_lrn_1.5.vggw")
  static let goldenOfEqualization = fixture("native/vgg_d_1.6.vggw")

  /// A file that was written once and for all: readers must stay able to read it, writers must not drift.
  @Test func filesOfTheFirstVersionAreRead() throws {
    let file = try VGGWFile.open(path: Self.golden)
    try file.checkStoredBytes()
    try file.checkValues()
    #expect(
      file.weightsDigest.description == "e67e15b4c27c2b432f58bb0e4e476bbb35943528bf51876aa7e583a38fe1b4e5")
    #expect(file.model.network.architecture == .aLRN && file.formatVersion == (1, 0))
    #expect(Set(file.tensorRecords.map { "\($0.elementType) \($0.storage)" }).count == 8)
    // Its passes were text, and are no longer: everything else is written as it was.
    #expect(file.model.provenance.passes == [.unknown("quantize int8")])
    try withTemporaryFolder { folder in
      let again = "\(folder)/again.vggw"
      try VGGWFile.write(file.model, to: again, tool: file.tool)
      #expect(FileManager.default.contentsEqual(atPath: fixture("native/vgg_a_lrn_1.3.vggw"), andPath: again))
      var older = file.model
      older.provenance.passes = []
      try VGGWFile.write(older, to: again, overwrite: true, tool: file.tool)
      #expect(try VGGWFile.open(path: again).formatVersion == (1, 0))
    }
  }

  /// The same for codes of four bits, groups and zero points; the file is `CodedModels.model()` as 1.4 first wrote it.
  @Test func filesOfGroupsAreRead() throws {
    let file = try VGGWFile.open(path: Self.goldenOfGroups)
    try file.checkStoredBytes()
    try file.checkValues()
    #expect(file.model.network.architecture == .aLRN && file.formatVersion == (1, 4))
    let kinds = file.tensorRecords.map {
      "\($0.elementType.name) \($0.parameters.map { "\($0.grouping) \($0.zeroPointCount > 0)" } ?? "")"
    }
    #expect(Set(kinds).count >= 10)
    try withTemporaryFolder { folder in
      try VGGWFile.write(file.model, to: "\(folder)/again.vggw", tool: file.tool)
      #expect(FileManager.default.contentsEqual(atPath: Self.goldenOfGroups, andPath: "\(folder)/again.vggw"))
    }
  }

  /// The same for models of integers; the file is `TestModels.integerModel()` as 1.5 first wrote it.
  @Test func filesOfIntegersAreRead() throws {
    let file = try VGGWFile.open(path: Self.goldenOfIntegers)
    try file.checkStoredBytes()
    try file.checkValues()
    #expect(file.model.network.architecture == .aLRN && file.formatVersion == (1, 5))
    let arithmetic = try #require(file.model.integerArithmetic)
    #expect(arithmetic == (try TestModels.integerModel()).integerArithmetic)
    try withTemporaryFolder { folder in
      try VGGWFile.write(file.model, to: "\(folder)/again.vggw", tool: file.tool)
      #expect(
        FileManager.default.contentsEqual(atPath: Self.goldenOfIntegers, andPath: "\(folder)/again.vggw"))
    }
  }

  /// The same for passes with numbers for each channel.
  @Test func filesOfEqualizationAreRead() throws {
    let file = try VGGWFile.open(path: Self.goldenOfEqualization)
    try file.checkStoredBytes()
    try file.checkValues()
    #expect(file.formatVersion == (1, 6) && file.model.provenance.passes == EqualizationPassTests.passes)
    try withTemporaryFolder { folder in
      try VGGWFile.write(file.model, to: "\(folder)/again.vggw", tool: file.tool)
      #expect(
        FileManager.default.contentsEqual(atPath: Self.goldenOfEqualization, andPath: "\(folder)/again.vggw"))
    }
  }

  @Test func theExampleOfTheSpecificationIsARealHeader() throws {
    let text = try String(contentsOfFile: "\(packageRoot)/schemas/FORMAT.md", encoding: .utf8)
    let header = try #require(FileManager.default.contents(atPath: Self.golden)).prefix(128)
    let example = stride(from: 0, to: 128, by: 16).map { offset in
      let bytes = header[offset..<offset + 16].map { String(format: "%02x", $0) }.joined(separator: " ")
      return String(format: "%02x", offset) + "  " + bytes
    }
    #expect(text.contains(example.joined(separator: "\n")))
  }

  @Test func aReaderOfTheSpecificationAgrees() throws {
    let interpreter = try #require(
      pythonInterpreter, "python3 with numpy and protobuf is needed: run .ci/install-packages")
    try withTemporaryFolder { folder in
      let compiled = try run([
        "protoc", "--proto_path=\(packageRoot)/schemas", "--python_out=\(folder)", "vggw.proto",
      ])
      try #require(compiled.status == 0, "protoc of protobuf-compiler is needed: \(compiled.output)")
      let models =
        try [
          TestModels.model(TestModels.network(.aLRN), firstEncoding: 0),
          TestModels.model(TestModels.network(.d), firstEncoding: 3, density: 0.1),
          TestModels.model(TestModels.partialNetwork(8, .sigmoid, nil)),
          TestModels.model(TestModels.partialNetwork(8, .relu, Pooling(global: .average))),
          TestModels.model(TestModels.partialNetwork(10, .linear, Pooling())),
        ] + TestModels.encodings.indices.map(TestModels.largeModel)
        + CodedModels.firstEncodings.map { try CodedModels.model(firstEncoding: $0) }
        + IntegerArithmetic.Rounding.allCases.map { try TestModels.integerModel(.c, $0) }
        + CodedModels.largeQuantizations.map { try CodedModels.largeModel($0.type, $0.grouping, $0.storage) }
      let paths = models.indices.map { "\(folder)/\($0).vggw" }
      for (model, path) in zip(models, paths) { try VGGWFile.write(model, to: path, tool: "test \(path)") }
      let result = try run(
        [interpreter, "\(packageRoot)/Tests/Readers/read_vggw.py", folder] + paths + [
          Self.golden, Self.goldenOfGroups, Self.goldenOfIntegers, Self.goldenOfEqualization,
        ])
      try #require(result.status == 0, "\(result.output)")
      let lines = result.output.split(separator: "\n")
      try #require(lines.count == models.count + 4)
      for (line, (model, path)) in zip(lines, zip(models, paths)) {
        let report = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(try report["weightsDigest"] as? String == VGGWFile.weightsDigest(of: model).description)
        #expect(report["labels"] as? [String] == model.labels)
        #expect(report["tool"] as? String == "test \(path)")
        #expect((report["tensors"] as? [Any])?.count == model.tensors.count)
      }
    }
  }
}
