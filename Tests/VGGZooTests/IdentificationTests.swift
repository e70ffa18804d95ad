import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGZoo

/// What is said of small files, with tables made up for them.
@Suite struct IdentificationTests {
  private static let content = Data("a model of thirty-odd bytes, in a table".utf8)
  // By md5sum, sha1sum and sha256sum.
  private static let md5 = "45056d6314792780c3d241504a10dbf8"
  private static let sha1 = "65fd0960d7e82afe4b74ee77f33f2a541a166826"
  private static let sha256 = "ee27b95060afe6ca2a0b890eb7f5ff974a643e03bb5fcea685fc116e8661410d"

  private func entry(
    _ name: String, _ byteCount: Int?, _ digests: [FileDigest], format: PublishedFile.Format = .keras
  ) -> PublishedFile {
    PublishedFile(
      name, by: "us", format: format, byteCount: byteCount, digests: digests, architecture: .d,
      classCount: 10,
      addresses: [])
  }

  private func identify(
    _ content: Data = content, as name: String = "copy.h5", among files: [PublishedFile],
    progress: (Int) -> Void = { _ in }
  ) throws -> Zoo.Identification {
    try withTemporaryFolder { folder in
      try content.write(to: URL(filePath: "\(folder)/\(name)"))
      return try Zoo(files).identify(MappedFile(path: "\(folder)/\(name)"), progress: progress)
    }
  }

  @Test(arguments: [FileDigest(.md5, md5), FileDigest(.sha1, sha1), FileDigest(.sha256, sha256)])
  func digestsAreThoseOfTheUsualTools(_ digest: FileDigest) throws {
    let file = entry("model.h5", Self.content.count, [digest])
    #expect(try identify(among: [file]) == .published(file, proof: digest))
  }

  @Test func theStrongestDigestDecides() throws {
    let wrong = String(repeating: "0", count: 32)
    let file = entry(
      "model.h5", Self.content.count, [FileDigest(.md5, wrong), FileDigest(.sha256, Self.sha256)])
    #expect(try identify(among: [file]) == .published(file, proof: FileDigest(.sha256, Self.sha256)))
    let prefix = entry(
      "model.h5", Self.content.count, [FileDigest(.sha256, "00000000"), FileDigest(.md5, Self.md5)])
    #expect(prefix.digest == FileDigest(.md5, Self.md5))
  }

  @Test func firstDigitsAreCompared() throws {
    let right = entry("model.h5", Self.content.count, [FileDigest(.sha256, String(Self.sha256.prefix(8)))])
    #expect(try identify(among: [right]) == .published(right, proof: FileDigest(.sha256, Self.sha256)))
    let wrong = entry("copy.h5", Self.content.count, [FileDigest(.sha256, "00000000")])
    #expect(
      try identify(among: [wrong]) == .different(from: wrong, found: FileDigest(.sha256, Self.sha256)))
  }

  @Test func amongFilesOfOneLengthTheDigestDecides() throws {
    let others = ["a", "b"].map {
      entry($0, Self.content.count, [FileDigest(.md5, String(repeating: $0, count: 32))])
    }
    let right = entry("c", Self.content.count, [FileDigest(.md5, Self.md5)])
    #expect(
      try identify(as: "a", among: others + [right]) == .published(right, proof: FileDigest(.md5, Self.md5)))
  }

  @Test func aNameWithAnotherLengthIsDifferent() throws {
    let file = entry("copy.h5", 100, [FileDigest(.md5, Self.md5)])
    // Even if, by some wonder, the digest were right.
    #expect(try identify(among: [file]) == .different(from: file, found: FileDigest(.md5, Self.md5)))
    let lengthOnly = entry("copy.h5", 100, [])
    #expect(try identify(among: [lengthOnly]) == .different(from: lengthOnly, found: nil))
  }

  @Test func aLengthWithAnotherDigestIsDifferent() throws {
    let zeros = FileDigest(.md5, String(repeating: "0", count: 32))
    let file = entry("model.h5", Self.content.count, [zeros])
    #expect(try identify(among: [file]) == .different(from: file, found: FileDigest(.md5, Self.md5)))
  }

  @Test func aNameAloneProvesNothing() throws {
    let nameOnly = entry("copy.h5", nil, [])
    #expect(try identify(among: [nameOnly]) == .unproven(nameOnly))
    let sameLength = entry("copy.h5", Self.content.count, [])
    #expect(try identify(among: [sameLength]) == .unproven(sameLength))
    // Nor does a length without a digest.
    #expect(try identify(as: "other.h5", among: [sameLength]) == .unknown)
  }

  @Test func filesOfUnknownLengthAreFoundByTheirFirstBytes() throws {
    let archive = Data([0x1F, 0x8B]) + Self.content
    let digest = FileDigest(.md5, "feab93016f7466ceae68f9b1b1d8b97d")
    let file = entry("model.tar.gz", nil, [digest], format: .archive)
    #expect(try identify(archive, among: [file]) == .published(file, proof: digest))
    #expect(try identify(among: [file]) == .unknown)
  }

  @Test func whatIsImpossibleIsNotRead() throws {
    let files = [
      entry("a", Self.content.count + 1, [FileDigest(.md5, Self.md5)]),
      entry("b", nil, [FileDigest(.md5, Self.md5)], format: .onnx),
    ]
    var bytesRead = 0
    #expect(try identify(among: files) { bytesRead += $0 } == .unknown)
    #expect(bytesRead == 0)
    _ = try identify(among: [entry("c", Self.content.count, [FileDigest(.md5, Self.md5)])]) {
      bytesRead += $0
    }
    #expect(bytesRead == Self.content.count)
  }

  @Test func longFilesAreHashedInPieces() throws {
    let long = Data((0..<700_001).map { UInt8(truncatingIfNeeded: ($0 &* 31) >> 3) })
    let digest = FileDigest(.sha1, "caad6bbdc3a58e30bbd5ae78e1b2f72e264d6788")
    let file = entry("long", long.count, [digest])
    #expect(try identify(long, among: [file]) == .published(file, proof: digest))
  }

  @Test func anEmptyFileIsNoFault() throws {
    #expect(try identify(Data(), among: Zoo.published.files) == .unknown)
  }
}
