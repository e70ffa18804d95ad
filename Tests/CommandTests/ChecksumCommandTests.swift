import Foundation
import TestSupport
import Testing

/// `checksum --check` beside `sha256sum --check`.
@Suite struct ChecksumCommandTests {
  private static let folder = fixture("field/checksum-lists")
  private static let lists = [
    "bom.txt", "bsd.txt", "comment.txt", "crlf.txt", "dot.txt", "empty.txt", "escaped.txt", "hashonly.sha256",
    "j.json",
    "md5.txt", "missing.txt", "model.h5.sha256", "namefirst.txt", "onespace.txt", "onespace_crlf.txt",
    "sha1.txt",
    "sha512.txt", "star.txt", "tab.txt", "upper.txt", "utf16.txt", "wrong.txt",
  ]

  private func check(_ list: String, in folder: String) throws -> CommandProcess {
    try CommandProcess.run(["checksum", "--check", list], in: folder)
  }

  /// Of the same files the same is said, but that a byte-order mark does no harm, and that a list of nothing is bad data.
  @Test(arguments: lists) func listsAreJudgedAsBySha256sum(_ list: String) throws {
    let ours = try check(list, in: Self.folder)
    let theirs = try CommandProcess.run(
      "/usr/bin/sha256sum", ["--check", list], in: Self.folder, environment: ["LC_ALL": "C"])
    if list == "bom.txt" {
      #expect(ours.status == 0 && ours.output == "model.h5: OK\n" && theirs.status == 1)
    } else if theirs.errors.contains("no properly formatted") {
      #expect(ours.status == 65 && ours.output.isEmpty && ours.errorLines.count == 1)
    } else {
      func verdicts(_ text: String) -> [String] {
        text.split(separator: "\n").map {
          String(
            $0.prefix(
              upTo: $0.range(of: ": OK")?.upperBound ?? $0.range(of: ": FAILED")?.upperBound ?? $0.endIndex))
        }
      }
      #expect(ours.status == theirs.status)
      #expect(verdicts(ours.output) == verdicts(theirs.output) && !theirs.output.isEmpty)
    }
  }

  @Test(
    arguments: [
      ("md5.txt", "has a sum by MD5, and SHA-256 is needed (line 1"), ("sha1.txt", "by SHA-1"),
      ("sha512.txt", "by SHA-512"),
      ("hashonly.sha256", "has a sum without the name of a file"),
      ("namefirst.txt", "name of the file in front"),
      ("utf16.txt", "is UTF-16 text; save it as UTF-8"), ("empty.txt", "lists no files"),
      ("model.h5", "is a binary file"),
    ])
  func whatIsNoListIsNamed(_ list: String, _ phrase: String) throws {
    let process = try check(list, in: Self.folder)
    #expect(process.status == 65 && process.errors.contains(phrase), "\(process.errors)")
  }

  /// Lists of names that need escapes, by both programs, read by both.
  @Test(arguments: [[], ["--tag"], ["--binary"]])
  func strangeNamesGoBothWays(_ options: [String]) throws {
    try withTemporaryFolder { folder in
      let names = ["a b", " lead", "*star", "back\\slash", "new\nline", "Hündin", "(x) = y"]
      for name in names { try Data(name.utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
      let theirs = try CommandProcess.run("/usr/bin/sha256sum", options + names, in: folder)
      let ours = try CommandProcess.run(["checksum"] + names, in: folder)
      if options.isEmpty { #expect(ours.output == theirs.output) }
      for (list, text) in [("theirs", theirs.output), ("ours", ours.output)] {
        try text.write(toFile: "\(folder)/\(list)", atomically: true, encoding: .utf8)
        let checked = try check(list, in: folder)
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
        #expect(checked.output.split(separator: "\n").count { $0.hasSuffix(": OK") } == names.count)
        #expect(
          try CommandProcess.run("/usr/bin/sha256sum", ["--check", "--status", list], in: folder).status == 0)
      }
    }
  }
}
