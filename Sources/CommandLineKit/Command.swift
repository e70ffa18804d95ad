/// A command: what it takes and what it does. Parser, help, manual and completions all come from this one description.
public struct Command: Sendable {
  /// An example and what it does.
  public struct Example: Sendable {
    let line: String
    let explanation: String

    /// Creates an example.
    public init(_ line: String, _ explanation: String) {
      self.line = line
      self.explanation = explanation
    }
  }

  let name: String
  let abstract: String
  let discussion: String
  let examples: [Example]
  let positionals: [Positional]
  let options: [OptionSpecification]
  let run: @Sendable (Arguments, Console) throws -> ExitStatus

  /// Declares a command.
  ///
  /// - Parameters:
  ///   - name: The word after the tool's name, or two for one of a group, as in `zoo fetch`.
  ///   - abstract: What it does, one line without a full stop.
  ///   - discussion: What else there is to know; a line break starts a paragraph.
  ///   - examples: Real uses.
  ///   - positionals: The arguments that are known by their place.
  ///   - options: The options and switches.
  ///   - run: Does it.
  public init(
    _ name: String, abstract: String, discussion: String = "", examples: [Example], positionals: [Positional],
    options: [any OptionDeclaration], run: @escaping @Sendable (Arguments, Console) throws -> ExitStatus
  ) {
    self.name = name
    self.abstract = abstract
    self.discussion = discussion
    self.examples = examples
    self.positionals = positionals
    self.options = options.map(\.specification)
    self.run = run
  }

  /// All options that the command knows.
  var allOptions: [OptionSpecification] { options + CommonOptions.all }

  /// What a command line of the command looks like.
  var usage: String {
    ([name, "[OPTION...]"] + positionals.map(\.usage)).joined(separator: " ")
  }
}

/// Options that every command has.
public enum CommonOptions {
  /// Results and errors as JSON.
  public static let json = Switch("json", help: "Print results and errors as JSON")
  /// No notes and no progress.
  public static let quiet = Switch("quiet", short: "q", help: "Print neither notes nor progress")
  static let color = Option<Console.ColorChoice>(
    choice: "color", valueName: "WHEN", help: "When to use colour", standard: .auto)
  static let help = Switch("help", short: "h", help: "Print this help and exit")
  static let version = Switch("version", short: "V", help: "Print the version and exit")

  static let all = [
    json.specification, quiet.specification, color.specification, help.specification, version.specification,
  ]
}
