internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
internal import VGGModel
internal import VGGNative
internal import VGGZoo

private let checkOption = Option(
  "check", short: "c", valueName: "SUMS", help: "Check the files that this list names")

/// Prints or checks SHA-256 sums; native files are checked inside too.
let checksumCommand = Command(
  "checksum", abstract: "print or check SHA-256 sums; look inside vggconv models",
  discussion: """
    Prints lines that 'sha256sum -c' reads, and reads the lists that it reads: also with --tag, comments and the line ends of \
    Windows. Names in a list are relative to the current folder. Every block of a vggconv model is also checked against \
    the digests in the file, so damage is found and located even without a list.
    """,
  examples: [
    .init("checksum *.vggw > SUMS", "Make a list"),
    .init("checksum --check SUMS", "Check it, as in CI"),
  ],
  positionals: [Positional("FILE", help: "Any file", count: .any)],
  options: [checkOption, EngineArguments.threads]
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
      console.print(ChecksumList.line(sum.description, path))
    }
  }
  if console.isJSON { console.print((["ok": true, "files": .array(results)] as JSONValue).pretty) }
  return .success
}

/// The sum of a file, after a native file has been checked inside.
private func checksum(of path: String, _ console: Console) throws(FileError) -> Digest {
  let file = try MappedFile(path: path)
  let kind = FileKind(of: file.bytes)
  if kind == .native || kind == .damagedNative {
    let native = try VGGWFile.open(file.bytes, path: path)
    let valueBytes = native.model.parameterCount * MemoryLayout<Float>.size
    let progress = console.progress("checking", total: file.bytes.count + valueBytes)
    defer { progress.finish() }
    try native.checkStoredBytes { progress.advance(by: $0) }
    try native.checkValues { progress.advance(by: $0) }
  }
  return sha256(of: file.bytes)
}

/// Checks every line of a list and says which files are not what it says.
private func checkFiles(in list: String, _ console: Console) throws(FileError) -> ExitStatus {
  let entries = try ChecksumList(TextFile(MappedFile(path: list))).entries
  var results: [JSONValue] = []
  var failures = 0
  for entry in entries {
    let (expected, path) = (entry.sum, entry.path)
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
      console.print("\(Format.visible(path)): " + console.styled(verdict, verdict == "OK" ? .green : .red))
    }
  }
  if console.isJSON {
    console.print((["ok": .bool(failures == 0), "files": .array(results)] as JSONValue).pretty)
  } else if failures > 0 {
    console.complain("\(list): \(failures) of \(results.count) files are not what the list says")
  }
  return failures == 0 ? .success : .checkSaidNo
}
