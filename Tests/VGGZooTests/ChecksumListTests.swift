import Foundation
import TestSupport
import Testing
import VGGBytes
import VGGZoo

@Suite struct ChecksumListTests {
  private static let sum = String(repeating: "0123456789abcdef", count: 4)

  private func paths(_ text: String) throws -> [String] {
    let bytes = ByteRegion(copying: Array(text.replacing("SUM", with: Self.sum).utf8))
    let entries = try ChecksumList(TextFile(bytes, path: "SUMS")).entries
    #expect(entries.allSatisfy { $0.sum == Self.sum })
    return entries.map(\.path)
  }

  @Test(
    arguments: [
      ("SUM  a.h5\n", ["a.h5"]), ("SUM *a.h5", ["a.h5"]), ("SUM a.h5\r\n", ["a.h5"]),
      ("\u{FEFF}SUM  a\n", ["a"]), ("# made by\n\n\r\nSUM  a\n", ["a"]), ("  SUM  a\n", ["a"]),
      ("SUM\t a\n", ["a"]), ("SUM\ta\n", ["a"]), ("SUM   a \n", [" a "]),
      ("\\SUM  a\\nb\\\\nc\\rd\n", ["a\nb\\nc\rd"]), ("SUM  a\\nb\n", ["a\\nb"]),
      ("SHA256 (a (1).h5) = SUM\n", ["a (1).h5"]), ("SHA256(a)= SUM\n", ["a"]), ("SHA2-256(a)= SUM\n", ["a"]),
      ("\\SHA256 (a\\nb) = SUM\n", ["a\nb"]), ("SUM  SHA256 (a) = b\n", ["SHA256 (a) = b"]),
      ("SUM a\nSUM  b\n", ["a", " b"]), ("SUM a\nSUM *b\n", ["a", "*b"]),
      ("SUM  a\nSHA256 (b) = SUM\n", ["a", "b"]),
    ] as [(String, [String])])
  func linesAreReadAsSha256sumReadsThem(_ text: String, _ expected: [String]) throws {
    #expect(try paths(text) == expected)
    #expect(try paths(text.replacing("SUM", with: Self.sum.uppercased())) == expected)
  }

  @Test(
    arguments: [
      ("", "lists no files"), ("# nothing\n", "lists no files"), ("SUM\n", "without the name of a file"),
      ("SUM ", "without the name of a file"), ("SUM  -\n", "standard input"),
      ("SHA256 (-) = SUM\n", "standard input"),
      ("a.h5: SUM\n", "the name of the file in front"),
      ("0123456789abcdef0123456789abcdef  a\n", "a sum by MD5"),
      ("MD5 (a) = 0123456789abcdef0123456789abcdef\n", "a sum by MD5"),
      ("SHA512 (a) = SUMSUM\n", "a sum by SHA512"),
      ("SUMSUM  a\n", "a sum by SHA-512"), ("SUM  a\nSUM b\n", "not a checksum"),
      ("\\SUM  a\\tb\n", "not a checksum"),
      ("\\SUM  a\\\n", "not a checksum"), ("SHA256 (a) = 0123\n", "not a checksum"),
      ("SUM0  a\n", "not a checksum"),
      ("hello\n", "not a checksum"), ("SUM  a\n  \n", "not a checksum"),
    ])
  func otherLinesAreNamed(_ text: String, _ problem: String) {
    let error = #expect(throws: FileError.self) { try paths(text) }
    #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
  }

  @Test(arguments: ["a", "a b", "a\\nb", "a\nb", "a\rb", " *a", "\\", "(a) = b"])
  func whatIsWrittenIsRead(_ path: String) throws {
    #expect(try paths(ChecksumList.line(Self.sum, path) + "\n") == [path])
  }
}
