internal import CommandLineKit
internal import JSONKit
internal import VGGFile
internal import VGGModel

private let checkOption = Option(
  "check", short: "c", valueName: "SUMS", help: "Check the files that this list names")

/// Prints or checks SHA-256 sums; native files are checked inside too.
let checksumCommand = Command(
  "checksum", abstract: "print or check SHA-256 sums; look inside native files",
  discussion: """
    Prints lines that 'sha256sum -c' reads, and reads what 'sha256sum' prints. Of a native file every block and every tensor is checked \
    against the digests in it, so that damage is found and located even without a list of sums.
    """,
  examples: [
    .init("checksum *.vggw > SUMS", "Make a list"),
    .init("checksum --check SUMS", "Check it, as in CI"),
  ],
  positionals: [Positional("FILE", help: "Any file", count: .any)], options: [checkOption]
) { arguments, console in
  if let list = arguments[checkOption] {
    guard arguments.positionals.isEmpty else {
      throw UsageError("--check takes the files from the list: give no others")
    }
    return try checkFiles(in: list, console)
  }
  guard !arguments.positionals.isEmpty else {
    throw UsageError("FILE is missing: which files to sum, or --check SUMS")
  }
  var results: [JSONValue] = []
  for path in arguments.positionals {
    let sum = try checksum(of: path, console)
    if console.isJSON {
      results.append(["file": .string(path), "sha256": .string(sum.description)])
    } else {
      console.print(sumLine(sum.description, path))
    }
  }
  if console.isJSON { console.print((["ok": true, "files": .array(results)] as JSONValue).pretty) }
  return .success
}

/// The sum of a file, after a native file has been checked inside.
private func checksum(of path: String, _ console: Console) throws(FileError) -> Digest {
  let file = try MappedFile(path: path)
  if FileKind(of: file.bytes) == .native {
    let progress = console.progress("checking", total: file.bytes.count)
    defer { progress.finish() }
    try VGGWFile.open(file.bytes, path: path).checkStoredBytes { progress.advance(by: $0) }
  }
  return sha256(of: file.bytes)
}

/// Checks every line of a list and says which files are not what it says.
private func checkFiles(in list: String, _ console: Console) throws(FileError) -> ExitStatus {
  let text = try MappedFile(path: list).bytes.withBytes { String(decoding: $0, as: UTF8.self) }
  var results: [JSONValue] = []
  var failures = 0
  for (number, line) in text.split(separator: "\n").enumerated() {
    guard let (expected, path) = parseSumLine(line) else {
      throw FileError(
        .malformed, code: "checksum.line", file: list, "has a line that is no checksum",
        place: "line \(number + 1)",
        seen: String(line.prefix(80)), allowed: "64 hexadecimal digits, two spaces, a name")
    }
    var verdict = "OK"
    do throws(FileError) {
      let seen = try checksum(of: path, console).description
      if seen != expected { verdict = "FAILED: SHA-256 is \(seen), expected \(expected)" }
    } catch {
      verdict = "FAILED: \(error)"
    }
    if verdict != "OK" { failures += 1 }
    results.append(["file": .string(path), "ok": .bool(verdict == "OK"), "verdict": .string(verdict)])
    if !console.isJSON {
      console.print("\(path): " + console.styled(verdict, verdict == "OK" ? .green : .red))
    }
  }
  guard !results.isEmpty else {
    throw FileError(
      .malformed, code: "checksum.empty", file: list, "lists no files", allowed: "one line a file")
  }
  if console.isJSON {
    console.print((["ok": .bool(failures == 0), "files": .array(results)] as JSONValue).pretty)
  } else if failures > 0 {
    console.complain("\(list): \(failures) of \(results.count) files are not what the list says")
  }
  return failures == 0 ? .success : .checkSaidNo
}

/// A line as `sha256sum` writes it: a name with a backslash or a line break is escaped, and the line begins with a backslash.
private func sumLine(_ sum: String, _ path: String) -> String {
  let escaped = path.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
  return (escaped == path ? "" : "\\") + "\(sum)  \(escaped)"
}

private func parseSumLine(_ line: Substring) -> (sum: String, path: String)? {
  var line = line
  let isEscaped = line.hasPrefix("\\")
  if isEscaped { line = line.dropFirst() }
  let sum = line.prefix(64).lowercased()
  let rest = line.dropFirst(64)
  // Two spaces, or a space and an asterisk for binary mode.
  guard sum.count == 64, sum.allSatisfy(\.isHexDigit), rest.hasPrefix("  ") || rest.hasPrefix(" *"),
    rest.count > 2
  else {
    return nil
  }
  var path = String(rest.dropFirst(2))
  if isEscaped {
    path = path.replacing("\\n", with: "\n").replacing("\\\\", with: "\\")
  }
  return (sum, path)
}
