extension CommandLineTool {
  /// The help of the tool.
  func help(width: Int) -> String {
    let examples = commands.compactMap(\.examples.first).prefix(4)
    var lines = [
      "\(name): \(abstract)", "", "USAGE", "  \(name) COMMAND [OPTION...] FILE...", "", "EXAMPLES",
    ]
    lines += examples.flatMap { shellLines("\(name) \($0.line)", width: width) }
    lines += ["", "COMMANDS"] + columns(commands.map { ($0.name, $0.abstract) }, width: width)
    lines += ["", "OPTIONS OF EVERY COMMAND"] + optionLines(CommonOptions.all, width: width)
    lines += ["", "EXIT STATUS"]
    lines += columns(ExitStatus.documented.map { ("\($0.status.rawValue)", $0.meaning) }, width: width)
    lines += ["", "Run '\(name) help COMMAND' for more about a command."]
    return lines.joined(separator: "\n")
  }

  /// The help of a group of commands, nil where there is no such group.
  func help(forGroup group: String, width: Int) -> String? {
    let members = commands.filter { $0.nameWords.count == 2 && $0.nameWords[0] == group }
    guard !members.isEmpty else { return nil }
    let lines = ["COMMANDS"] + columns(members.map { ($0.name, $0.abstract) }, width: width)
    return (lines + ["", "Run '\(name) help \(group) COMMAND' for more about a command."]).joined(
      separator: "\n")
  }

  /// The help of a command.
  func help(for command: Command, width: Int) -> String {
    var lines = Format.wrapped("\(name) \(command.name): \(command.abstract)", indent: 0, width: width)
    lines += ["", "USAGE", "  \(name) \(command.usage)"]
    if !command.examples.isEmpty { lines += ["", "EXAMPLES"] }
    for example in command.examples {
      lines += shellLines("\(name) \(example.line)", width: width)
      lines += Format.wrapped(example.explanation, indent: 6, width: width)
    }
    for paragraph in command.paragraphs { lines += [""] + Format.wrapped(paragraph, indent: 0, width: width) }
    if !command.positionals.isEmpty {
      lines += ["", "ARGUMENTS"]
      lines += columns(command.positionals.map { ($0.name, $0.fullHelp) }, width: width)
    }
    lines += ["", "OPTIONS"] + optionLines(command.allOptions, width: width)
    return lines.joined(separator: "\n")
  }

  private func optionLines(_ options: [OptionSpecification], width: Int) -> [String] {
    columns(options.map { ($0.usage, $0.fullHelp) }, width: width)
  }

  /// Two columns, the second wrapped.
  private func columns(_ rows: [(String, String)], width: Int) -> [String] {
    let indent = min(34, (rows.map(\.0.count).max() ?? 0) + 4)
    return rows.flatMap { title, text in
      var lines = Format.wrapped(text, indent: indent, width: width)
      let head = "  \(title)"
      if head.count + 2 <= indent, let first = lines.first {
        lines[0] = head + first.dropFirst(head.count)
      } else {
        lines.insert(head, at: 0)
      }
      return lines
    }
  }

  /// A line for a shell, broken so that it can be copied.
  private func shellLines(_ line: String, width: Int) -> [String] {
    // The mark at the end of a broken line needs two columns.
    let lines = Format.wrapped(line, indent: 4, width: width - 2)
    return lines.enumerated().map { index, line in
      (index == 0 ? String(line.dropFirst(2)) : line) + (index < lines.count - 1 ? " \\" : "")
    }
  }
}

extension Command {
  /// The discussion in paragraphs.
  var paragraphs: [String] { discussion.split(separator: "\n").map(String.init) }
}

extension OptionSpecification {
  /// The help with the possible choices, the default, and whether the option may be repeated.
  var fullHelp: String {
    withRemarks(
      help, choices.isEmpty ? nil : choices.joined(separator: ", "), standard.map { "default: \($0)" },
      isRepeatable ? "may be repeated" : nil)
  }
}

extension Positional {
  /// The help with the possible choices.
  var fullHelp: String { withRemarks(help, choices.isEmpty ? nil : choices.joined(separator: ", ")) }
}

/// A help text with remarks in parentheses behind it: `When to use colour (auto, always, never; default: auto)`.
private func withRemarks(_ help: String, _ remarks: String?...) -> String {
  let remarks = remarks.compactMap(\.self)
  return remarks.isEmpty ? help : "\(help) (\(remarks.joined(separator: "; ")))"
}
