import Foundation
import TestSupport
import Testing

@testable import CommandLineKit

/// Whole runs of the tool, with files in the place of standard output and standard error.
@Suite struct ToolTests {
  private struct Run {
    let status: ExitStatus
    let output: String
    let errors: String
  }

  private func run(_ line: String) throws -> Run {
    try withTemporaryFolder { folder in
      func open(_ name: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil)
        return try #require(FileHandle(forWritingAtPath: "\(folder)/\(name)"))
      }
      let (output, errors) = (try open("output"), try open("errors"))
      let status = tool.run(
        words(line), environment: Console.Environment(), output: output.fileDescriptor,
        errors: errors.fileDescriptor)
      return Run(
        status: status, output: try String(contentsOfFile: "\(folder)/output", encoding: .utf8),
        errors: try String(contentsOfFile: "\(folder)/errors", encoding: .utf8))
    }
  }

  @Test(
    arguments: [
      ("sample a.txt", .success, "sampled a.txt\n", ""),
      ("--quiet sample a.txt", .success, "sampled a.txt\n", ""),
      ("zoo list", .success, "ant\n", ""),
      ("single a", .checkSaidNo, "", ""),
      ("--version", .success, "tool 1.2\n", ""),
      ("zoo feed -V", .success, "tool 1.2\n", ""),
      ("sampel", .usage, "", "tool: unknown command 'sampel'; did you mean sample?\nsee 'tool help'\n"),
      ("sample", .usage, "", "tool: SOURCE is missing: What to read\nsee 'tool help sample'\n"),
      ("zoo feed crab", .usage, "", "tool: crabs eat nothing\nsee 'tool help zoo feed'\n"),
      ("zoo feed bear", .badData, "", "tool: bear.txt: is \"hungry\"\\nand \\u{1B}[31mangry\n"),
      ("zoo feed dodo", .software, "", "tool: UnknownAnimal()\n"),
      (
        "completions tcsh", .usage, "",
        "tool: SHELL is 'tcsh'; allowed: bash, zsh, fish\nsee 'tool help completions'\n"
      ),
      ("--quiet", .usage, "", "tool: no command given\nsee 'tool help'\n"),
    ] as [(String, ExitStatus, String, String)])
  func aLineGivesStatusAndText(_ line: String, _ status: ExitStatus, _ output: String, _ errors: String)
    throws
  {
    let run = try run(line)
    #expect(run.status == status)
    #expect(run.output == output)
    #expect(run.errors == errors)
  }

  @Test(
    arguments: [
      ("zoo feed bear --json", ["code": "bear.hungry", "offset": "12", "message": HungryBear().message]),
      ("zoo feed dodo --json", ["code": "software", "message": "UnknownAnimal()"]),
      ("--json zoo feed", ["code": "usage", "message": "ANIMAL is missing: Which", "command": "zoo feed"]),
      (
        "sample --jsn --json",
        ["code": "usage", "command": "sample", "message": "unknown option --jsn; did you mean --json?"]
      ),
    ])
  func errorsAreObjectsToo(_ line: String, _ expected: [String: String]) throws {
    let run = try run(line)
    let object = try #require(JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    #expect(object["ok"] as? Bool == false)
    #expect(object["error"] as? [String: String] == expected)
    #expect(run.errors.hasPrefix("tool: "))
  }

  /// What is around a command sees its arguments and its status; help is no command.
  @Test(arguments: [("zoo feed -f bear", ExitStatus.badData), ("single a", .usage), ("single -h", .success)])
  func somethingMayBeAroundCommands(_ line: String, _ status: ExitStatus) throws {
    let surrounded = CommandLineTool(
      name: "tool", version: "1.2", abstract: "shows how commands work", commands: [single, zooFeed],
      around: { arguments, command in
        if arguments[force] { throw HungryBear() }
        return try command() == .checkSaidNo ? .usage : .success
      })
    let nowhere = try #require(FileHandle(forWritingAtPath: "/dev/null"))
    let seen = surrounded.run(
      words(line), environment: Console.Environment(), output: nowhere.fileDescriptor,
      errors: nowhere.fileDescriptor)
    #expect(seen == status)
  }

  @Test func withoutWordsTheHelpIsAnError() throws {
    let run = try run("")
    #expect(run.status == .usage && run.output.isEmpty && run.errors.contains("EXAMPLES"))
  }

  @Test(arguments: ["--help", "help", "-h", "--color never --help"])
  func helpIsAResult(_ line: String) throws {
    let run = try run(line)
    #expect(run.status == .success && run.errors.isEmpty && run.output.contains("EXIT STATUS"))
  }

  @Test(arguments: ["help zoo feed", "zoo feed --help"])
  func helpOfACommandIsAResult(_ line: String) throws {
    let run = try run(line)
    #expect(run.status == .success && run.output.hasPrefix("tool zoo feed: feed an animal\n"))
  }

  @Test(arguments: ["help zoo", "zoo --help", "zoo -h"])
  func helpOfAGroupListsItsCommands(_ line: String) throws {
    let run = try run(line)
    #expect(run.status == .success && run.errors.isEmpty)
    #expect(
      run.output == """
        COMMANDS
          zoo list  list animals
          zoo feed  feed an animal

        Run 'tool help zoo COMMAND' for more about a command.

        """)
  }

  @Test func aFullDiskIsSaid() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let status = tool.run(
      ["sample", "a"], environment: Console.Environment(), output: full.fileDescriptor,
      errors: FileHandle.nullDevice.fileDescriptor)
    #expect(status == .inputOutput)
  }

  @Test func aReaderThatHasGoneIsNoError() throws {
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let status = tool.run(
      ["man"], environment: Console.Environment(), output: pipe.fileHandleForWriting.fileDescriptor,
      errors: FileHandle.nullDevice.fileDescriptor)
    #expect(status == .success)
  }
}
