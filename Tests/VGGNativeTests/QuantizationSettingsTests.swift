import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel

@testable import VGGNative

/// Settings of a change of precision in a manifest.
@Suite struct QuantizationSettingsTests {
  typealias Settings = QuantizationSettings

  /// Settings that need version 1.5 of the format.
  static let newSettings = [
    Settings(.int8), Settings(.int8, keeping: ["fc7"], int8Scales: .tensor),
    Settings(.int8, scaleRule: .largestMagnitude, int8Scales: .tensor),
    Settings(.int8, scaleRule: .percentile(99.5)), Settings(.int8, scaleRule: .percentile(100)),
    Settings(.int4), Settings(.int4, scaleRule: .largestMagnitude, groupLength: .of32),
    Settings(.int4, keeping: ["conv1_1", "fc8"], groupLength: .of128, hasZeroPoints: true),
    Settings(
      .int4, scaleRule: .percentile(1e-9), int8Scales: .tensor, hasZeroPoints: true,
      includesConvolutions: true),
  ]

  private func model(_ settings: Settings) throws -> Model {
    var model = try TestModels.model(TestModels.network())
    model.provenance.passes = [.quantize(settings)]
    return model
  }

  @Test(arguments: newSettings) func allAreReadBack(_ settings: Settings) throws {
    let written = try bytes(of: model(settings))
    let file = try VGGWFile.open(ByteRegion(copying: written), path: "x")
    #expect(file.model.provenance.passes == [.quantize(settings)] && file.formatVersion == (1, 5))
    #expect(try bytes(of: file.model) == written)
  }

  /// What pictures decided needs version 1.6.
  @Test func picturesAreReadBack() throws {
    let data = CalibrationData(pictureCount: 100, sha256: (0..<32).map { UInt8(200 - $0) })
    let settings = Settings(.int4, keeping: ["fc8"], codeRounding: .compensated(data))
    let written = try bytes(of: model(settings))
    let file = try VGGWFile.open(ByteRegion(copying: written), path: "x")
    #expect(file.model.provenance.passes == [.quantize(settings)] && file.formatVersion == (1, 6))
    #expect("\(settings)".contains("--calibrate (100 pictures, SHA-256 c8c7c6c5c4c3c2c1)"))
    let place = try #require(written.firstRange(of: data.sha256))
    // The number of pictures stands in front of the digest; its length, too.
    for (offset, byte, field) in [(-3, 0, "picture_count"), (-1, 31, "pictures_digest")]
      as [(Int, UInt8, String)]
    {
      let header = try Header(reading: ByteRegion(copying: written), path: "x")
      var manifest = Array(written[header.manifest])
      let index = place.lowerBound - header.manifest.lowerBound + offset
      manifest[index] = byte
      let newHeader = Header(
        manifestOffset: header.manifest.lowerBound, manifest: manifest, minorVersion: 6,
        requiredFeatures: header.requiredFeatures)
      let error = #expect(throws: FileError.self) {
        try VGGWFile.open(
          ByteRegion(
            copying: newHeader.bytes + written[Header.byteCount..<header.manifest.lowerBound] + manifest),
          path: "x")
      }
      // A digest that is cut short leaves a byte that means nothing.
      #expect(error?.kind == .malformed)
      if offset == -3 {
        #expect(error?.code == "vggw.manifest.passes.quantize.compensation.\(field)")
      }
    }
  }

  /// What there was before 1.5 is written as it was.
  @Test(arguments: [
    Settings(.fp16), Settings(.bf16, keeping: ["fc6"]),
    Settings(.int8, scaleRule: .largestMagnitude),
    Settings(.int8, keeping: ["fc8"], scaleRule: .largestMagnitude),
  ]) func oldOnesNeedNoNewVersion(_ settings: Settings) throws {
    let file = try VGGWFile.open(ByteRegion(copying: bytes(of: model(settings))), path: "x")
    #expect(file.formatVersion == (1, 3))
    #expect(file.model.provenance.passes == [.quantize(settings)])
  }

  /// Fields as protobuf has them: element type, scale rule, percentile, grouping, group length and two truths.
  private static func message(
    type: UInt8 = 5, rule: UInt8 = 2, percentile: Double = 50, grouping: UInt8 = 1, length: UInt8 = 64
  ) -> [UInt8] {
    let number = withUnsafeBytes(of: percentile.bitPattern.littleEndian) { Array($0) }
    return [0x08, type, 0x18, rule, 0x21] + number + [0x28, grouping, 0x30, length, 0x38, 1, 0x40, 1]
  }

  private func opened(_ forged: [UInt8]) throws -> NativeFile {
    let settings = Settings(
      .int4, scaleRule: .percentile(50), int8Scales: .tensor, hasZeroPoints: true, includesConvolutions: true)
    let whole = try bytes(of: model(settings))
    let header = try Header(reading: ByteRegion(copying: whole), path: "x")
    var manifest = Array(whole[header.manifest])
    let place = try #require(manifest.firstRange(of: Self.message()))
    manifest.replaceSubrange(place, with: forged)
    let newHeader = Header(
      manifestOffset: header.manifest.lowerBound, manifest: manifest, minorVersion: 5,
      requiredFeatures: header.requiredFeatures)
    return try VGGWFile.open(
      ByteRegion(copying: newHeader.bytes + whole[Header.byteCount..<header.manifest.lowerBound] + manifest),
      path: "x")
  }

  @Test func fieldsAreWhereTheSchemaHasThem() throws {
    let file = try opened(Self.message(rule: 1, length: 32))
    #expect(
      file.model.provenance.passes == [
        .quantize(
          Settings(
            .int4, int8Scales: .tensor, groupLength: .of32, hasZeroPoints: true, includesConvolutions: true))
      ])
  }

  @Test(arguments: [
    (message(type: 6), "element_type"), (message(rule: 3), "scale_rule"),
    (message(percentile: 0), "percentile"), (message(percentile: -1), "percentile"),
    (message(percentile: 100.5), "percentile"), (message(percentile: .nan), "percentile"),
    (message(percentile: .infinity), "percentile"), (message(grouping: 2), "int8_grouping"),
    (message(grouping: 9), "int8_grouping"), (message(length: 0), "group_length"),
    (message(length: 63), "group_length"), (message(length: 1), "group_length"),
  ]) func impossibleOnesAreRefused(_ forged: [UInt8], _ field: String) {
    let error = #expect(throws: FileError.self) { try opened(forged) }
    #expect(error?.kind == .malformed && error?.code == "vggw.manifest.passes.quantize.\(field)")
  }
}
