import Foundation
import JSONKit
import TestSupport
import Testing

/// `zoo list` and `zoo identify` as a process.
@Suite struct ZooCommandTests {
  private func run(_ arguments: String...) throws -> CommandProcess { try CommandProcess.run(arguments) }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  @Test func theListHasWhatIsKnown() throws {
    let files = try #require(json(run("zoo", "list", "--json"))["files"]?.array)
    let keras = try #require(files.first { $0["name"]?.string?.hasSuffix("tf_kernels_notop.h5") == true })
    #expect(keras["bytes"]?.integer == 58_889_256)
    #expect(keras["digests"]?["MD5"]?.string == "6d6bbae143d832006294945121d1f1fc")
    #expect(keras["hasTop"]?.bool == false)
    #expect(keras["preprocessing"]?["channelOrder"]?.string == "bgr")
    #expect(keras["addresses"]?.array?.count == 2)
    let theano = try #require(files.first { $0["name"]?.string?.contains("th_kernels.h5") == true })
    #expect(theano["bytes"] == .null && theano["digests"]?["MD5"] == nil)
    let text = try run("zoo", "list")
    #expect(text.status == 0 && text.output.contains("VGG_ILSVRC_19_layers.caffemodel"))
    let listed = text.output.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
    #expect(listed.map { $0.dropFirst(2) } == files.compactMap { $0["name"]?.string?[...] })
  }

  @Test func anUnpublishedFileIsSaidToBeWhatItIs() throws {
    let path = fixture("keras/vgg_d_digits.h5")
    let report = try json(run("zoo", "identify", path, "--json"))
    let file = try #require(report["files"]?.array?.first)
    let inspected = try json(run("inspect", path, "--json"))
    #expect(file["verdict"]?.string == "unpublished" && report["ok"]?.bool == true)
    for key in ["generation", "architecture", "classCount", "parameterCount", "weightsDigest", "hasTop"] {
      #expect(file["content"]?[key] == inspected[key] && inspected[key] != nil, "\(key)")
    }
    let text = try run("zoo", "identify", path)
    #expect(text.status == 0 && text.output.contains("keras-2-weights"))
    #expect(text.output.contains(try #require(inspected["weightsDigest"]?.string)))
  }

  @Test func aPublishedNameWithOtherBytesIsAFailedCheck() throws {
    try withTemporaryFolder { folder in
      let name = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
      try FileManager.default.copyItem(atPath: fixture("bad/control_ok.h5"), toPath: "\(folder)/\(name)")
      let process = try run("zoo", "identify", "\(folder)/\(name)")
      #expect(process.status == 1 && process.errors.isEmpty)
      for part in [
        "expected 553,467,096", "% of it is there", "expected 64373286793e3c8b2b4e3219cbf3544b", "found",
        "VGG-11 (A)", "https://storage.googleapis.com/",
      ] {
        #expect(process.output.contains(part), "\(part)")
      }
      let report = try json(run("zoo", "identify", "\(folder)/\(name)", "--json"))
      let file = try #require(report["files"]?.array?.first)
      #expect(report["ok"]?.bool == false && file["verdict"]?.string == "different")
      #expect(file["published"]?["bytes"]?.integer == 553_467_096)
      #expect(file["found"]?["MD5"]?.string?.count == 32)
      #expect(file["content"]?["architecture"]?.string == "A")
    }
  }

  @Test func aPublishedNameThatCannotBeReadIsAFailedCheckToo() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/VGG_ILSVRC_16_layers.caffemodel"
      try "<!DOCTYPE html><title>404</title>".write(toFile: path, atomically: true, encoding: .utf8)
      let process = try run("zoo", "identify", path)
      #expect(process.status == 1)
      #expect(process.output.contains("is a web page") && process.output.contains("a6196bc498e4"))
    }
  }

  @Test func aNameOfWhichNothingElseIsKnown() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/vgg16_weights.h5"
      try FileManager.default.copyItem(atPath: fixture("bad/control_ok.h5"), toPath: path)
      let process = try run("zoo", "identify", path)
      #expect(process.status == 0 && process.output.contains("no length or digest"))
    }
  }

  @Test(arguments: ["keras_3.15.1_nested_unzipped", "keras_3.15.1_a.weights.json"])
  func sourcesOfSeveralFilesAreLookedInto(_ name: String) throws {
    let process = try run("zoo", "identify", fixture("keras_real/\(name)"))
    #expect(process.status == 0 && process.output.contains("keras-3-"), "\(process.errors)")
  }

  @Test func errorsHaveTheirStatus() throws {
    let (missing, bad, good) = ("/nowhere/vgg.h5", fixture("bad/truncated.h5"), fixture("bad/control_ok.h5"))
    #expect(try run("zoo", "identify", missing).status == 66)
    let alone = try run("zoo", "identify", bad, "--json")
    #expect(alone.status == 65)
    #expect(try json(alone)["error"]?["code"]?.string == "hdf5.truncated")
    // One bad file does not hide the others.
    let several = try run("zoo", "identify", bad, good, missing, "--json")
    #expect(several.status == 66 && several.errorLines.count == 2)
    let files = try #require(json(several)["files"]?.array)
    #expect(files.map { $0["ok"]?.bool } == [false, true, false])
    #expect(files[0]["error"]?["code"]?.string == "hdf5.truncated")
    #expect(try run("zoo", "identify").status == 64)
    let misspelt = try run("zoo", "identfy", good)
    #expect(misspelt.status == 64 && misspelt.errors.contains("did you mean identify"))
  }

  /// What is not there is not spoken of.
  @Test func helpNamesWhatThereIs() throws {
    for words in [
      ["help"], ["man"], ["completions", "bash"], ["completions", "fish"], ["completions", "zsh"],
    ] {
      let text = try CommandProcess.run(words).output
      #expect(text.contains("zoo") && text.contains("identify"), "\(words)")
      #expect(!text.contains("fetch"), "\(words)")
    }
    #expect(try run("help", "zoo", "identify").output.contains("Is the download complete and genuine?"))
  }

  @Test(arguments: ["savedmodel", "tfjs", "vgg.mlpackage"]) func foldersAreNamed(_ name: String) throws {
    let folder = fixture("field/other-kinds/\(name)")
    let (identified, imported) = try (run("zoo", "identify", folder), run("import", folder))
    #expect(identified.status == 65 && identified.errors == imported.errors, "\(identified.errors)")
  }
}
