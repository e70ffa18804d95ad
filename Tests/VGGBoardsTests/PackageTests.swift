import Foundation
import ModelTestSupport
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGTensors

@testable import VGGBoards

@Suite("Packages for boards")
struct PackageTests {
  private static let provenance = Provenance(
    sourceName: "integers", sourceByteCount: 0, format: "test", generation: "test")

  private func model(
    _ architecture: Architecture, _ rounding: IntegerArithmetic.Rounding
  ) throws -> Model {
    let network = try Network(
      architecture, inputExtent: Extent(side: 32), widths: [4, 8, 8, 8, 8], denseWidths: [12, 12, 5])
    return try IntegerModels.model(network, rounding: rounding, provenance: Self.provenance)
  }

  @Test(
    "Each layer of each network gives the host's codes", arguments: Architecture.allCases,
    IntegerArithmetic.Rounding.allCases)
  func packages(architecture: Architecture, rounding: IntegerArithmetic.Rounding) throws {
    try withTemporaryFolder { folder in
      let model = try model(architecture, rounding)
      var options = BoardOptions()
      let package = try BoardPackage(writing: model, to: "\(folder)/a", options)
      #expect(package.proof.layerCount == model.network.layers.count)
      #expect(package.proof.codeCount > 0 && !package.proof.readsWeights)
      // What `fit` says of the network is what the package takes, to the byte.
      let image = try #require(package.files.first { $0.name == "model_weights.bin" })
      #expect(package.needs.weightByteCount == image.byteCount)
      var build = BoardBuild(processor: .cortexM4)
      (build.rounding, build.labels) = (rounding, model.labels)
      build.preparesPictures = model.preprocessing != nil
      #expect(try build.needs(of: model.network, for: Extent(side: 32)).0 == package.needs)
      options.windowByteCount = 1024
      options.digest = .crc32
      options.expandsWeights = true
      #expect(try BoardPackage(writing: model, to: "\(folder)/b", options).proof.readsWeights)
      #expect(throws: FileError.self) { try BoardPackage(writing: model, to: "\(folder)/b", options) }
    }
  }

  @Test(
    "The compiled package proves itself, and refuses a changed image; the same model gives the same bytes")
  func compiled() throws {
    try withTemporaryFolder { folder in
      let model = try model(.aLRN, .tflm)
      var options = BoardOptions()
      options.embedding = .none
      let package = try BoardPackage(writing: model, to: "\(folder)/a", options)
      _ = try BoardPackage(writing: model, to: "\(folder)/b", options)
      for file in package.files {
        #expect(
          try Data(contentsOf: URL(filePath: "\(folder)/a/\(file.name)"))
            == Data(contentsOf: URL(filePath: "\(folder)/b/\(file.name)")), "\(file.name)")
      }
      let sources = package.files.map(\.name).filter { $0.hasSuffix(".c") }
      let compiler = try CommandProcess.run(
        "/usr/bin/cc",
        ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-I."] + sources
          + ["-o", "selftest"],
        in: "\(folder)/a")
      #expect(compiler.status == 0, "\(compiler.errors)")
      #expect(try CommandProcess.run("\(folder)/a/selftest", [], in: "\(folder)/a").status == 0)
      let image = URL(filePath: "\(folder)/a/model_weights.bin")
      var bytes = try Data(contentsOf: image)
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: image)
      let damaged = try CommandProcess.run("\(folder)/a/selftest", [], in: "\(folder)/a")
      #expect(damaged.status == 1 && damaged.errors.contains("status 5"))
    }
  }

  @Test("A model of floats, a small window and a small arena are refused by name")
  func refusals() throws {
    try withTemporaryFolder { folder in
      let model = try model(.a, .tflm)
      func code(_ model: Model, _ change: (inout BoardOptions) -> Void) -> String? {
        var options = BoardOptions()
        change(&options)
        do throws(FileError) {
          _ = try BoardPackage(writing: model, to: "\(folder)/a", options)
        } catch { return error.code }
        return nil
      }
      #expect(code(model.dequantized) { _ in } == "export.board.integers")
      #expect(code(model) { $0.windowByteCount = 16 } == "export.board.window")
      #expect(code(model) { $0.arenaLimit = 100 } == "export.board.arena")
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/a"))
    }
  }
}
