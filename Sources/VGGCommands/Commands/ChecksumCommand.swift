internal import CommandLineKit
internal import JSONKit
internal import VGGBytes
internal import VGGConv
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
    let sum = try FileChecksum.sum(of: path, progress: console)
    if console.isJSON {
      results.append(["file": .string(path), "sha256": .string(sum.description)])
    } else {
      console.print(ChecksumList.line(sum.description, path))
    }
  }
  if console.isJSON { console.print((["ok": true, "files": .array(results)] as JSONValue).pretty) }
  return .success
}

/// Checks every line of a list and says which files are not what it says.
private func checkFiles(in list: String, _ console: Console) throws(FileError) -> ExitStatus {
  var results: [JSONValue] = []
  var failures = 0
  for entry in try FileChecksum.list(at: list).entries {
    let verdict = FileChecksum.verdict(on: entry, progress: console)
    let text =
      switch verdict {
      case .same: "OK"
      case .different(let sum): "FAILED: SHA-256 is \(sum), expected \(entry.sum)"
      case .unreadable(let error): "FAILED: \(error)"
      }
    if verdict != .same { failures += 1 }
    results.append(["file": .string(entry.path), "ok": .bool(verdict == .same), "verdict": .string(text)])
    if !console.isJSON {
      console.print(
        "\(Format.visible(entry.path)): " + console.styled(text, verdict == .same ? .green : .red))
    }
  }
  if console.isJSON {
    console.print((["ok": .bool(failures == 0), "files": .array(results)] as JSONValue).pretty)
  } else if failures > 0 {
    console.complain("\(list): \(failures) of \(results.count) files are not what the list says")
  }
  return failures == 0 ? .success : .checkSaidNo
}
