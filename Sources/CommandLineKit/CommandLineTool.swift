internal import Glibc

/// A tool of several commands.
public struct CommandLineTool: Sendable {
  let name: String
  let version: String
  let abstract: String
  private let ownCommands: [Command]
  private let surrounding: Surrounding

  /// What is done around a command: calls it, with what holds for all of it.
  public typealias Surrounding = @Sendable (Arguments, () throws -> ExitStatus) throws -> ExitStatus

  /// Declares a tool. It also gets the commands `help`, `man` and `completions`.
  public init(
    name: String, version: String, abstract: String, commands: [Command],
    around surrounding: @escaping Surrounding = { _, command in try command() }
  ) {
    self.name = name
    self.version = version
    self.abstract = abstract
    ownCommands = commands
    self.surrounding = surrounding
  }

  /// All commands, those that the tool has by itself last.
  var commands: [Command] { ownCommands + builtInCommands }

  /// Does what a command line says and returns the status to exit with.
  ///
  /// - Parameters:
  ///   - words: The words behind the program's name.
  ///   - environment: What decides how text looks.
  ///   - output: The file descriptor for results.
  ///   - errors: The file descriptor for everything else.
  public func run(
    _ words: [String], environment: Console.Environment, output: Int32 = 1, errors: Int32 = 2
  ) -> ExitStatus {
    // A reader that goes away (`| head`) must not end the program while it writes a file.
    _ = signal(SIGPIPE, SIG_IGN)
    // Nor may a limit on the size of files: writing fails then, which is reported.
    _ = signal(SIGXFSZ, SIG_IGN)
    let (output, errors) = (TextStream(output), TextStream(errors))
    func console(_ arguments: Arguments?) -> Console {
      Console(arguments, tool: name, environment: environment, output: output, errors: errors)
    }
    do {
      if words.isEmpty {
        console(nil).printError(help(width: console(nil).width))
        return .usage
      }
      let (command, arguments) = try parse(words)
      let status = try perform(command, arguments, console(arguments))
      guard let failure = output.failure else { return status }
      console(arguments).complain("cannot write to standard output: \(failure)")
      return .inputOutput
    } catch {
      // The words are asked, not the arguments: the error may be that they are wrong.
      let isJSON = words.prefix { $0 != "--" }.contains("--json")
      return report(error, isJSON: isJSON, console(nil))
    }
  }

  /// Finds the command and parses what is behind its name. Options may also stand in front of it.
  ///
  /// - Returns: The command, nil for the tool itself, as in `--help`.
  func parse(_ words: [String]) throws(UsageError) -> (Command?, Arguments) {
    var options: [String] = []
    var rest = words[...]
    while let word = rest.first, word.hasPrefix("-") {
      options.append(rest.removeFirst())
      let isFollowedByValue = CommonOptions.all.contains { "--\($0.name)" == word && $0.valueName != nil }
      if isFollowedByValue, let value = rest.popFirst() { options.append(value) }
    }
    if rest.isEmpty {
      let tool = Command(
        "", abstract: abstract, examples: [], positionals: [], options: [], run: { _, _ in .success })
      let arguments = try Arguments(options, of: tool)
      guard arguments[CommonOptions.help] || arguments[CommonOptions.version] else {
        throw UsageError("no command given")
      }
      return (nil, arguments)
    }
    if let group = rest.first, ["--help", "-h"].contains(rest.dropFirst().first),
      help(forGroup: group, width: 80) != nil
    {
      rest = ["help", group]
    }
    let command = try command(named: rest)
    rest = rest.dropFirst(command.nameWords.count)
    return (command, try Arguments(options + rest, of: command))
  }

  private func perform(_ command: Command?, _ arguments: Arguments, _ console: Console) throws -> ExitStatus {
    if arguments[CommonOptions.version] {
      console.print("\(name) \(version)")
    } else if let command, !arguments[CommonOptions.help] {
      do {
        return try surrounding(arguments) { try command.run(arguments, console) }
      } catch let error as UsageError {
        throw UsageError(error.message, command: error.command ?? command.name)
      }
    } else {
      console.print(command.map { help(for: $0, width: console.width) } ?? help(width: console.width))
    }
    return .success
  }

  /// The command whose name the words begin with.
  func command(named words: ArraySlice<String>) throws(UsageError) -> Command {
    let found = commands.first { words.starts(with: $0.nameWords) }
    if let found { return found }
    let first = words.first ?? ""
    let group = commands.filter { $0.nameWords.count == 2 && $0.nameWords[0] == first }
    if group.isEmpty {
      let hint = nearest(to: first, among: commands.map { $0.nameWords[0] })
      throw UsageError("unknown command '\(first)'" + (hint.map { "; did you mean \($0)?" } ?? ""))
    }
    let known = group.map { $0.nameWords[1] }
    let allowed = known.joined(separator: ", ")
    guard let second = words.dropFirst().first, !second.hasPrefix("-") else {
      throw UsageError("'\(first)' needs a second word: \(allowed)")
    }
    let hint = nearest(to: second, among: known).map { "; did you mean \($0)?" } ?? "; allowed: \(allowed)"
    throw UsageError("unknown command '\(first) \(second)'" + hint)
  }

  private func report(_ error: any Error, isJSON: Bool, _ console: Console) -> ExitStatus {
    let known = error as? any ReportableError
    let status = known?.exitStatus ?? .software
    let message = known?.message ?? "\(error)"
    console.complain(message)
    if let error = error as? UsageError {
      console.printError("see '\(name) help\(error.command.flatMap { $0.isEmpty ? nil : " \($0)" } ?? "")'")
    }
    if isJSON {
      var fields = [(name: "message", value: message)] + (known?.details ?? [])
      if !fields.contains(where: { $0.name == "code" }) { fields.insert(("code", status.code), at: 0) }
      console.print(errorObject(fields))
    }
    return status
  }
}

extension Command {
  /// The words of the name: one, or two for a command of a group.
  var nameWords: [String] { name.split(separator: " ").map(String.init) }
}

/// `{"ok": false, "error": {…}}`
private func errorObject(_ fields: [(name: String, value: String)]) -> String {
  let lines = fields.map { "    \(quoted($0.name)): \(quoted($0.value))" }
  return "{\n  \"ok\": false,\n  \"error\": {\n\(lines.joined(separator: ",\n"))\n  }\n}"
}

/// A text as JSON.
private func quoted(_ text: String) -> String {
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": quoted += "\\\(scalar)"
    case _ where scalar.value < 0x20:
      let digits = String(scalar.value, radix: 16)
      quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}
