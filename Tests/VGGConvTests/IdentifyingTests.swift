import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGModel
import VGGNative
import VGGZoo

/// What files are told by: sums, digests, and the table of published files.
@Suite struct IdentifyingTests {
  private static let digits = fixture("keras/vgg_d_digits.h5")

  @Test func aListOfSumsIsHeldAgainstItsFiles() throws {
    try withTemporaryFolder { folder in
      let sum = try FileChecksum.sum(of: Self.digits)
      #expect(try sum == sha256(of: MappedFile(path: Self.digits).bytes))
      let wrong = String(repeating: "0", count: 64)
      let lines = [
        ChecksumList.line(sum.description, Self.digits), ChecksumList.line(wrong, Self.digits),
        ChecksumList.line(wrong, "\(folder)/nothing"),
      ]
      try Data(lines.joined(separator: "\n").utf8).write(to: URL(filePath: "\(folder)/SUMS"))
      let verdicts = try FileChecksum.list(at: "\(folder)/SUMS").entries.map { FileChecksum.verdict(on: $0) }
      try #require(verdicts.count == 3)
      #expect(verdicts[0] == .same && verdicts[1] == .different(sum))
      guard case .unreadable(let error) = verdicts[2] else {
        Issue.record("\(verdicts[2])")
        return
      }
      #expect(error.kind == .missing)
    }
  }

  @Test func nativeFilesAreLookedInto() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/model.vggw"
      try OpenedModel(Self.digits).convert(to: path, judging: nil)
      #expect(try FileChecksum.sum(of: path) == sha256(of: MappedFile(path: path).bytes))
      var bytes = try Data(contentsOf: URL(filePath: path))
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: URL(filePath: path))
      let error = try #require(throws: FileError.self) { try FileChecksum.sum(of: path) }
      #expect(error.kind == .malformed)
    }
  }

  private static func zoo(_ name: String, byteCount: Int, sum: String) -> Zoo {
    Zoo([
      PublishedFile(
        name, by: "somebody", format: .keras, byteCount: byteCount, digests: [FileDigest(.sha256, sum)],
        architecture: .d, classCount: 10, addresses: [])
    ])
  }

  @Test func onlyWhatWasNotPublishedIsOpened() throws {
    let file = try MappedFile(path: Self.digits)
    let sum = sha256(of: file.bytes).description
    let genuine = try FileIdentity(
      of: Self.digits, in: Self.zoo("other.h5", byteCount: file.bytes.count, sum: sum))
    guard case .published = genuine.identification else {
      Issue.record("\(genuine.identification)")
      return
    }
    #expect(genuine.content == nil && genuine.unreadable == nil)

    let other = try FileIdentity(
      of: Self.digits, in: Self.zoo(file.name, byteCount: 1, sum: String(sum.reversed())))
    guard case .different = other.identification else {
      Issue.record("\(other.identification)")
      return
    }
    #expect(try other.content?.weightsDigest == OpenedModel(Self.digits).weightsDigest())
    #expect(try FileIdentity(of: Self.digits).identification == .unknown)
  }

  @Test func whatCannotBeReadIsAnErrorUnlessItsNameIsKnown() throws {
    let picture = fixture("pictures/digit_7.png")
    let error = try #require(throws: FileError.self) { try FileIdentity(of: picture) }
    #expect(error.code == "import.kind")
    let known = try FileIdentity(
      of: picture, in: Self.zoo("digit_7.png", byteCount: 1, sum: String(repeating: "0", count: 64)))
    #expect(known.content == nil && known.unreadable == error)
  }
}
