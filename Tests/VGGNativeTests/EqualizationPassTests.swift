import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel

@testable import VGGNative

/// Passes with numbers for each channel in a manifest: what is written is read, and what does not suit the network is refused.
@Suite struct EqualizationPassTests {
  static let equalization = ChannelEqualization([
    .init("conv1_1", exponents: [1, -2]), .init("conv4_3", exponents: [24, 0, -24]),
    .init("conv5_3", exponents: [0, 0, 3, 0, 0]), .init("fc6", exponents: [1, 2, 3, 4, 5, 6, 7]),
  ])
  static let means = InputMeans(
    [
      .init("conv1_1", means: [0.125, -3, 0x1p-1074]), .init("fc6", means: [1, 2, 3, 4, 5]),
      .init("fc7", means: [0, -0.0, 1e300, 4, 5, 6, 7]),
    ], roundingPassCount: 2)
  static let rounding: [Pass] = [.quantize(to: .fp16), .quantize(to: .int8)]
  static let passes = [.equalize(equalization)] + rounding + [.correctBiases(means)]

  static func model(_ passes: [Pass], _ architecture: Architecture = .d) throws -> Model {
    var model = try TestModels.model(TestModels.network(architecture))
    model.provenance.passes = passes
    return model
  }

  @Test func whatIsWrittenIsRead() throws {
    let written = try bytes(of: Self.model(Self.passes))
    let file = try open(written)
    #expect(file.formatVersion == (1, 6) && file.model.provenance.passes == Self.passes)
    #expect(try bytes(of: file.model) == written)
  }

  /// A file without these passes is written as before.
  @Test func othersNeedNoNewVersion() throws {
    #expect(try open(bytes(of: Self.model(Self.rounding))).formatVersion == (1, 5))
    #expect(try open(bytes(of: Self.model([.dropDense]))).formatVersion == (1, 3))
  }

  @Test func layersThatWereLeftOutLaterNeedNotBeThere() throws {
    var model = try TestModels.model(TestModels.network().withoutDense)
    let passes = Self.rounding + [.correctBiases(Self.means)]
    model.provenance.passes = passes + [.dropDense]
    let written = try bytes(of: model)
    #expect(try open(written).model.provenance.passes == passes + [.dropDense])
    model.provenance.passes = passes
    #expect(throws: FileError.self) { try open(bytes(of: model)) }
  }

  private static func layer(_ name: String, _ exponents: [Int]) -> Pass {
    // Written as it is: only layers of zeros are left out.
    .equalize(ChannelEqualization([.init(name, exponents: exponents)]))
  }

  private static func correction(_ name: String, _ means: [Double], _ count: Int = 2) -> [Pass] {
    rounding + [.correctBiases(InputMeans([.init(name, means: means)], roundingPassCount: count))]
  }

  static let forged: [(passes: [Pass], architecture: Architecture, code: String, seen: String)] = [
    // Across the normalisation, which takes nothing back.
    ([layer("conv1_1", [1, 1])], .aLRN, "equalize.layers", "conv1_1 has no layer"),
    ([layer("fc8", [1, 1, 1, 1])], .d, "equalize.layers", "fc8 has no layer"),
    ([layer("pool1", [1, 1])], .d, "equalize.layers", "pool1 has no layer"),
    ([layer("conv1_1", [1, 1, 1])], .d, "equalize.layers", "3 exponents for 2"),
    ([layer("conv1_1", [25, 1])], .d, "equalize.layers.exponents", "25"),
    ([layer("conv1_1", [1, -25])], .d, "equalize.layers.exponents", "-25"),
    (
      [
        .equalize(
          .init([
            .init("fc6", exponents: Array(repeating: 1, count: 7)), .init("conv1_1", exponents: [1, 1]),
          ]))
      ],
      .d, "equalize.layers", "another order"
    ),
    (
      [.equalize(.init([.init("conv1_1", exponents: [1, 1]), .init("conv1_1", exponents: [1, 1])]))], .d,
      "equalize.layers", "twice"
    ),
    (correction("conv1_1", [1, 2]), .d, "correct_biases.layers", "2 means for 3"),
    (correction("fc6", [1, 2, 3]), .d, "correct_biases.layers", "3 means for 5"),
    (correction("pool1", [1, 2]), .d, "correct_biases.layers", "pool1"),
    (correction("conv1_1", [1, 2, .nan]), .d, "correct_biases.layers.input_means", "nan"),
    (correction("conv1_1", [1, 2, -.infinity]), .d, "correct_biases.layers.input_means", "-inf"),
    (correction("conv1_1", [1, 2, 3], 3), .d, "correct_biases.rounding_passes", "3"),
    (correction("conv1_1", [1, 2, 3], 0), .d, "correct_biases.rounding_passes", "0"),
  ]

  @Test(arguments: forged.indices) func whatDoesNotSuitTheNetworkIsRefused(_ index: Int) throws {
    let (passes, architecture, code, seen) = Self.forged[index]
    let written = try forgedBytes(Self.model(passes, architecture))
    let error = try #require(throws: FileError.self) { try open(written) }
    #expect(error.kind == .malformed && error.code == "vggw.manifest.passes.\(code)", "\(error)")
    #expect(error.seen?.contains(seen) == true, "\(error)")
  }

  /// A model as a file, though its passes are none that a reader accepts: its manifest is put to a sound file's data.
  private func forgedBytes(_ model: Model) throws -> [UInt8] {
    var sound = model
    sound.provenance.passes = []
    let whole = try bytes(of: sound)
    let file = try open(whole)
    let header = try Header(reading: ByteRegion(copying: whole), path: "x")
    let manifest = Manifest(
      tool: file.tool, network: model.network, tensors: file.tensorRecords,
      preprocessing: model.preprocessing, labels: model.labels, integerArithmetic: nil,
      provenance: model.provenance)
    let bytes = manifest.packed
    let forged = Header(
      manifestOffset: header.manifest.lowerBound, manifest: bytes, minorVersion: 6,
      requiredFeatures: header.requiredFeatures)
    return forged.bytes + whole[Header.byteCount..<header.manifest.lowerBound] + bytes
  }

  /// Any byte of the manifest may be another one: a model or an error comes of it, never a trap.
  @Test func forgedManifestsGiveAModelOrAnError() throws {
    let whole = try bytes(of: Self.model(Self.passes))
    let header = try Header(reading: ByteRegion(copying: whole), path: "x")
    let manifest = Array(whole[header.manifest])
    let start = try #require(manifest.firstRange(of: Array("conv4_3".utf8) + [0x12])).lowerBound
    for position in manifest.indices.suffix(from: start - 40).prefix(400) {
      for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
        var forged = manifest
        forged[position] = value
        let newHeader = Header(
          manifestOffset: header.manifest.lowerBound, manifest: forged, minorVersion: 6,
          requiredFeatures: header.requiredFeatures)
        do throws(FileError) {
          _ = try open(newHeader.bytes + whole[Header.byteCount..<header.manifest.lowerBound] + forged)
        } catch {
          #expect(error.kind == .malformed || error.kind == .unsupported)
        }
      }
    }
  }
}
