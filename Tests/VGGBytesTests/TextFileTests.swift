import Testing
import VGGBytes

@Suite struct TextFileTests {
  private func lines(_ bytes: [UInt8]) throws(FileError) -> [String] {
    try TextFile(ByteRegion(copying: bytes), path: "x").lines
  }

  @Test(
    arguments: [
      ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]),
      ("a\rb\r", ["a", "b"]), ("a\n\n", ["a", ""]), ("\na", ["", "a"]), ("a\r\n\r\nb", ["a", "", "b"]),
      ("a\n\rb", ["a", "", "b"]), ("\u{FEFF}a\r\n", ["a"]), ("a \u{FEFF}b\n", ["a \u{FEFF}b"]),
      ("Hündin\te\u{301}\n", ["Hündin\te\u{301}"]),
    ] as [(String, [String])])
  func endsOfLinesDoNotMatter(_ text: String, _ expected: [String]) throws {
    #expect(try lines(Array(text.utf8)) == expected)
  }

  @Test(
    arguments: [
      ([0x63, 0x61, 0x00, 0x74], "is a binary file, not text"), ([0x89, 0x50, 0x1A, 0x0A], "is a binary"),
      ([0xFF, 0xFE, 0x63, 0x00], "is UTF-16 text"), ([0xFE, 0xFF, 0x00, 0x63], "is UTF-16 text"),
      ([0x63, 0, 0x61, 0, 0x74, 0], "is UTF-16 text"), ([0, 0x63, 0, 0x61, 0, 0x74], "is UTF-16 text"),
      ([0x48, 0xFC, 0x6E, 0x64], "is not UTF-8 text"),
    ] as [([UInt8], String)])
  func whatIsNoTextIsNamed(_ bytes: [UInt8], _ problem: String) {
    let error = #expect(throws: FileError.self) { try lines(bytes) }
    #expect(error?.problem.hasPrefix(problem) == true)
    #expect(error?.advice != nil)
  }
}
