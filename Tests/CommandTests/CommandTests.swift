import Foundation
import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGInterchange

/// The command as a process: flags, output, files, exit statuses.
@Suite struct CommandTests {
  private func run(_ arguments: String..., in folder: String = packageRoot) throws -> CommandProcess {
    try CommandProcess.run(arguments, in: folder)
  }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  @Test func helpAndVersionAreResults() throws {
    for arguments in [
      ["help"], ["--help"], ["help", "import"], ["import", "--help"], ["--version"], ["man"],
    ] {
      let process = try CommandProcess.run(arguments)
      #expect(process.status == 0 && !process.output.isEmpty && process.errors.isEmpty, "\(arguments)")
    }
    #expect(try run().status == 64)
  }

  @Test(
    arguments: [
      (["imprt", "x"], "unknown command 'imprt'; did you mean import?"),
      (["import"], "SOURCE is missing"),
      (["import", "a.h5", "--to", "int3"], "--to is 'int3'; allowed: fp32, fp16, bf16, int8"),
      (["import", "a.h5", "--prune-fc", "2"], "--prune-fc is '2'; allowed: a number from 0.0 to 1.0"),
      (["import", "a.h5", "b.h5"], "unexpected argument 'b.h5'"),
      (["import", "a.h5", "--lrn", "5,1"], "--lrn is '5,1'; allowed: four numbers"),
      (["quantize", "a.vggw", "-o", "b"], "--to is missing"),
      (["quantize", "a.vggw", "--to", "fp16"], "-o is missing"),
      (["prune", "a.vggw", "-o", "b"], "either --fc FRACTION or --drop-fc"),
      (["summary", "D", "--input", "0"], "--input is '0'; allowed: a side"),
    ] as [([String], String)])
  func wrongUsageIsSaid(_ arguments: [String], _ message: String) throws {
    let process = try CommandProcess.run(arguments)
    #expect(process.status == 64)
    #expect(process.errorLines.first?.hasPrefix("vggconv: \(message)") == true, "\(process.errors)")
    #expect(process.output.isEmpty)
  }

  @Test func missingFilesAreSaid() throws {
    let process = try run("inspect", "/nowhere/model.vggw")
    #expect(process.status == 66)
    #expect(process.errors.contains("/nowhere/model.vggw: cannot be opened: No such file or directory"))
    let folder = try run("inspect", fixture("keras"))
    #expect(folder.status == 66 && folder.errors.contains("a folder"))
  }

  @Test func errorsAreJSONToo() throws {
    let process = try run("inspect", fixture("bad/truncated.h5"), "--json")
    #expect(process.status == 65)
    let error = try #require(try json(process)["error"])
    #expect(try json(process)["ok"]?.bool == false)
    #expect(error["file"]?.string == fixture("bad/truncated.h5"))
    for key in ["code", "problem", "seen", "allowed", "message"] {
      #expect(error[key]?.string != nil, "\(key)")
    }
  }

  @Test func importNamesItsOutputAfterTheSource() throws {
    try withTemporaryFolder { folder in
      let names = [
        ("vgg.h5", "vgg.vggw"), ("vgg.weights.h5", "vgg.vggw"), ("noextension", "noextension.vggw"),
      ]
      for (name, output) in names {
        let inner = "\(folder)/\(name).d"
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: fixture("bad/control_ok.h5"), toPath: "\(inner)/\(name)")
        #expect(try run("import", name, in: inner).status == 0)
        #expect(FileManager.default.fileExists(atPath: "\(inner)/\(output)"))
      }
    }
  }

  @Test func anExistingFileIsReplacedOnlyByForce() throws {
    try withModel { model, folder in
      let before = try Data(contentsOf: URL(filePath: model))
      let other = fixture("keras/vgg_b.h5")
      let refused = try run("import", other, "-o", model)
      #expect(refused.status == 73 && refused.errors.contains("--force replaces it"))
      #expect(try Data(contentsOf: URL(filePath: model)) == before)
      #expect(try run("import", other, "-o", model, "--force").status == 0)
      #expect(try Data(contentsOf: URL(filePath: model)) != before)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vggw"])
    }
  }

  @Test func anUnwritableFolderIsSaid() throws {
    let process = try run("import", fixture("bad/control_ok.h5"), "-o", "/nowhere/model.vggw")
    #expect(process.status == 73)
    #expect(process.errorLines.count == 1)
  }

  @Test func theSameInputGivesTheSameBytes() throws {
    try withModel("keras/vgg_d_digits.h5", extraOptions[2]) { first, _ in
      try withModel("keras/vgg_d_digits.h5", extraOptions[2]) { second, _ in
        let (one, two) = (
          try Data(contentsOf: URL(filePath: first)), try Data(contentsOf: URL(filePath: second))
        )
        #expect(one == two)
      }
    }
  }

  private let extraOptions = [[], ["--to", "fp16"], ["--prune-fc", "0.5", "--to", "int8"]]

  @Test func inspectHasTheContractsKeys() throws {
    try withModel { model, _ in
      for (path, format) in [(model, "vggw"), (fixture("keras/vgg_d_digits.h5"), "keras")] {
        let report = try json(run("inspect", path, "--json"))
        #expect(report["format"]?.string == format)
        #expect(report["architecture"]?.string == "D")
        #expect(report["classCount"]?.integer == 10)
        #expect(report["inputSize"]?.array?.compactMap(\.integer) == [64, 64])
        #expect(report["hasTop"]?.bool == true)
        #expect(report["weightsDigest"]?.string?.count == 64)
        #expect(report["preprocessing"]?["mean"]?.array?.first?.number == 103.939)
        #expect(report["generation"]?.string?.isEmpty == false)
        let tensors = try #require(report["tensors"]?.array)
        #expect(tensors.count == 32)
        let count = tensors.reduce(0) { sum, tensor in
          sum + (tensor["shape"]?.array?.compactMap(\.integer).reduce(1, *) ?? 0)
        }
        #expect(report["parameterCount"]?.integer == count)
        #expect(tensors.contains { $0["name"]?.string == "fc6/weight" })
      }
      let native = try #require(json(run("inspect", model, "--json"))["tensors"]?.array)
      let keys = [
        "name", "shape", "elementType", "layout", "encoding", "offset", "storedBytes", "sha256",
        "valuesSha256",
      ]
      for tensor in native { for key in keys { #expect(tensor[key] != nil, "\(key)") } }
    }
  }

  @Test func aTensorsDigestIsThatOfItsBytes() throws {
    try withModel { model, _ in
      let tensor = try #require(
        json(run("inspect", model, "--json"))["tensors"]?.array?.first { $0["name"]?.string == "fc7/weight" })
      let (offset, count) = (
        try #require(tensor["offset"]?.integer), try #require(tensor["storedBytes"]?.integer)
      )
      let part = try CommandProcess.run(
        "/bin/sh", ["-c", "tail -c +\(offset + 1) '\(model)' | head -c \(count) | sha256sum"])
      #expect(part.output.hasPrefix(try #require(tensor["sha256"]?.string)))
      #expect(tensor["sha256"]?.string == tensor["valuesSha256"]?.string)  // Raw float32 is its own value.
    }
  }

  @Test(arguments: ["A", "A-LRN", "B", "C", "D", "E", "vgg16", "VGG-19"])
  func summaryCountsWhatThePaperCounts(_ name: String) throws {
    let counts = [
      "A": 132_863_336, "A-LRN": 132_863_336, "B": 133_047_848, "C": 133_638_952, "D": 138_357_544,
      "E": 143_667_240,
      "vgg16": 138_357_544, "VGG-19": 143_667_240,
    ]
    let report = try json(run("summary", name, "--json"))
    #expect(report["parameterCount"]?.integer == counts[name])
    let text = try run("summary", name)
    #expect(text.status == 0 && text.output.contains("pool5") && text.output.contains("7x7x512"))
  }

  /// Memory as a sum and at its peak, where conv1_2 reads one map of 224x224x64 and writes another one.
  @Test func summaryKnowsThePeakOfMemory() throws {
    let report = try json(run("summary", "D", "--json"))
    #expect(report["activationBytes"]?.integer == 15_238_608 * 4)
    #expect(report["peakActivationBytes"]?.integer == 2 * 224 * 224 * 64 * 4)
    #expect(report["peakLayer"]?.string == "conv1_2")
    let lines = try run("summary", "D").output.split(separator: "\n")
    #expect(
      lines.dropLast().last?.split(separator: " ") == ["peak", "at", "conv1_2", "25.7", "MB"], "\(lines)")
    // On a board, in bytes and with rows that make room: less than a seventh of a fourth.
    let arena = try #require(report["boardArenaBytes"]?.integer)
    #expect((224 * 224 * 3...900_000).contains(arena), "\(arena)")
    #expect(
      lines.last?.split(separator: " ").starts(with: ["arena", "on", "a", "board"]) == true, "\(lines)")
    // Up to nine times the weights of the convolutions.
    let transformed = try #require(report["transformedWeightBytes"]?.integer)
    #expect((4 * 14_714_688 * 4...4 * 14_714_688 * 9).contains(transformed), "\(transformed)")
    #expect(lines.contains { $0.split(separator: " ").starts(with: ["weights", "transformed"]) })
  }

  @Test func theLecturesTotalIsNotRepeated() throws {
    let count = try #require(json(run("summary", "D", "--json"))["activationCount"]?.integer)
    #expect((15_100_000...15_300_000).contains(count))  // Not 24 million.
  }

  @Test func layersOfAnInputThatDoesNotFitAreSaid() throws {
    try withModel { model, _ in
      let process = try run("summary", model, "--input", "224")
      #expect(process.status == 64 && process.errors.contains("does not fit"))
    }
  }

  @Test func evaluateFindsTheAccuracyThatKerasFound() throws {
    try withModel { model, _ in
      let report = try json(run("evaluate", model, fixture("digits_test.npz"), "--json"))
      #expect(report["count"]?.integer == 360 && report["top1Correct"]?.integer == 358)
    }
  }

  @Test func aPictureGetsItsClass() throws {
    try withModel { model, _ in
      let process = try run("run", model, fixture("pictures/digit_7.png"), "--json", "--top", "2")
      let top = try #require(json(process)["results"]?.array?.first?["top"]?.array)
      #expect(top.count == 2 && top[0]["class"]?.integer == 7)
      #expect(try #require(top[0]["probability"]?.number) > 0.9)
    }
  }

  @Test func labelsAreNamed() throws {
    try withModel { model, folder in
      try (0..<10).map { "digit \($0)" }.joined(separator: "\n").write(
        toFile: "\(folder)/labels.txt", atomically: true, encoding: .utf8)
      let process = try run("run", model, fixture("pictures/digit_7.png"), "--labels", "\(folder)/labels.txt")
      #expect(process.output.contains("digit 7"))
    }
  }

  @Test func activationsAreSavedUnderCanonicalNames() throws {
    try withModel { model, folder in
      let reference = fixture("refs/keras_vgg_d_digits.npz")
      #expect(try run("run", model, reference, "--save-activations", "\(folder)/a.npz").status == 0)
      let saved = try NumPyArchive(MappedFile(path: "\(folder)/a.npz"))
      #expect(
        saved.names.contains("conv1_1") && saved.names.contains("pool5") && saved.names.contains("logits"))
      #expect(saved.names.last == "prob")
      #expect(try saved.array("conv3_2")?.shape == [2, 16, 16, 32])
      let ours = try #require(try saved.array("logits"))
      let keras = try #require(try NumPyArchive(MappedFile(path: reference)).array("logits"))
      for (seen, right) in zip(try ours.values(), try keras.values()) {
        #expect((seen - right).magnitude < 1e-3)
      }
    }
  }

  @Test func channelsMayComeFirst() throws {
    try withModel("caffe/vgg_d_digits.caffemodel") { model, folder in
      let reference = fixture("refs/caffe_vgg_d_digits.npz")
      let asIs = try run("run", model, reference, "--json")
      let reordered = try run("run", model, reference, "--layout", "nchw", "--json")
      #expect(asIs.status == 65 && reordered.status == 0)
    }
  }

  @Test(arguments: [("fp16", 0.52), ("bf16", 0.52), ("int8", 0.28)])
  func quantizedModelsAreSmallAndEquivalent(_ precision: String, _ part: Double) throws {
    try withModel { model, folder in
      let small = "\(folder)/small.vggw"
      let process = try run("quantize", model, "--to", precision, "-o", small)
      #expect(process.status == 0 && process.output.contains("conv1_1") && process.output.contains("SQNR"))
      let size = { (path: String) in try Data(contentsOf: URL(filePath: path)).count }
      #expect(Double(try size(small)) < part * Double(try size(model)))
      let verified = try run("verify", fixture("keras/vgg_d_digits.h5"), small)
      #expect(verified.status == 0 && verified.output.contains("EQUIVALENT"), "\(verified.output)")
      let accuracy = try json(run("evaluate", small, fixture("digits_test.npz"), "--json"))
      #expect(try #require(accuracy["top1Correct"]?.integer) >= 356)
      // The same by one command.
      let direct = "\(folder)/direct.vggw"
      #expect(
        try run("import", fixture("keras/vgg_d_digits.h5"), "--to", precision, "-o", direct).status == 0)
      let digests = try [small, direct].map {
        try json(run("inspect", $0, "--json"))["weightsDigest"]?.string
      }
      #expect(digests[0] == digests[1] && digests[0] != nil)
    }
  }

  @Test func prunedModelsShrink() throws {
    try withModel { model, folder in
      let small = "\(folder)/small.vggw"
      // It is written, but nine of ten weights are more than this network can do without.
      let pruned = try run("prune", model, "--fc", "0.9", "-o", small)
      #expect(pruned.status == 1 && pruned.output.contains("FAITHFUL BUT NOT CLOSE"), "\(pruned.output)")
      let tensors = try #require(json(run("inspect", small, "--json"))["tensors"]?.array)
      let fc6 = try #require(tensors.first { $0["name"]?.string == "fc6/weight" })
      // A tenth of the values and a bit for each of them.
      #expect(try #require(fc6["storedBytes"]?.integer) < 256 * 96 * 4 * 14 / 100)
      #expect(fc6["encoding"]?.string == "sparse")
      let features = "\(folder)/features.vggw"
      let dropped = try run("prune", model, "--drop-fc", "-o", features)
      #expect(
        dropped.status == 0 && dropped.output.contains("features now, not classes"), "\(dropped.output)")
      #expect(try json(run("inspect", features, "--json"))["hasTop"]?.bool == false)
      let verified = try run("verify", fixture("keras/vgg_d_digits.h5"), features)
      #expect(verified.status == 1 && verified.output.contains("FAITHFUL BUT NOT CLOSE"))
    }
  }

  @Test func verifyTellsWhatIsDifferent() throws {
    try withModel("keras/vgg_d_digits.h5") { model, folder in
      let same = try run("verify", fixture("caffe/vgg_d_digits_v1.caffemodel"), model)
      // Caffe's poolings round up, Keras's down: the same for the network's own input, but not for others.
      #expect(same.status == 0 && same.output.contains("EQUIVALENT") && same.output.contains("rounds down"))
      let other = try run("verify", fixture("caffe/vgg_b.caffemodel"), model)
      #expect(other.status == 1 && other.output.contains("the source is VGG-13 (B), the model is VGG-16 (D)"))
      #expect(other.output.split(separator: "\n").count == 2, "\(other.output)")
    }
  }

  @Test func anLRNLayerNeedsItsConstants() throws {
    try withTemporaryFolder { folder in
      let refused = try run("import", fixture("keras/vgg_a_lrn.h5"), "-o", "\(folder)/m.vggw")
      #expect(refused.status == 65 && refused.errors.contains("--lrn"))
      let source = fixture("keras/vgg_a_lrn.h5")
      #expect(try run("import", source, "--lrn", "5,0.0001,0.75,1", "-o", "\(folder)/m.vggw").status == 0)
      let verified = try run(
        "verify", source, "\(folder)/m.vggw", "--reference", fixture("refs/keras_vgg_a_lrn.npz"))
      #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
      let digests = try [source, fixture("caffe/vgg_a_lrn.caffemodel")].map { path in
        try json(run("inspect", path, "--lrn", "5,0.0001,0.75,1", "--json"))["weightsDigest"]?.string
      }
      #expect(digests[0] == digests[1] && digests[0] != nil)
    }
  }

  @Test func checksumsAreThoseOfSha256sum() throws {
    try withModel { model, folder in
      let sums = try run("checksum", "model.vggw", in: folder)
      let theirs = try CommandProcess.run("/usr/bin/sha256sum", ["model.vggw"], in: folder)
      #expect(sums.output == theirs.output && sums.status == 0)
      try sums.output.write(toFile: "\(folder)/SUMS", atomically: true, encoding: .utf8)
      #expect(try run("checksum", "--check", "SUMS", in: folder).status == 0)
      // One flipped bit in the middle of the weights.
      var bytes = try Data(contentsOf: URL(filePath: model))
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: URL(filePath: model))
      let damaged = try run("checksum", "--check", "SUMS", in: folder)
      #expect(damaged.status == 1 && damaged.output.contains("FAILED") && damaged.output.contains("tensor "))
      #expect(try run("checksum", "model.vggw", in: folder).status == 65)
    }
  }

  @Test func exportsAreReadByOthers() throws {
    try withModel { model, folder in
      #expect(try run("export", model, "--to", "npz", "-o", "\(folder)/m.npz").status == 0)
      #expect(try run("export", model, "--to", "safetensors", "-o", "\(folder)/m.safetensors").status == 0)
      let archive = try NumPyArchive(MappedFile(path: "\(folder)/m.npz"))
      #expect(archive.names.count == 32)
      #expect(try archive.array("conv1_1/weight")?.shape == [3, 3, 3, 8])
    }
  }

  @Test func aFullDiskLeavesNothing() throws {
    // A limit on the size of files is a disk that is full after as many bytes.
    try withTemporaryFolder { folder in
      let command = "ulimit -f 64; trap '' XFSZ; exec '\(CommandProcess.executable)' import "
      let process = try CommandProcess.run(
        "/bin/bash", ["-c", command + "'\(fixture("keras/vgg_d_digits.h5"))' -o '\(folder)/m.vggw'"])
      #expect([73, 74].contains(process.status), "\(process.status) \(process.errors)")
      #expect(process.errorLines.count == 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }
  }
}
