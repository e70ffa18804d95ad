extension CommandLineTool {
  /// The manual page in roff.
  var manualPage: String {
    let title = ".TH \(name.uppercased()) 1 \"\" \"\(name) \(version)\" \"User Commands\""
    var lines = [title, ".SH NAME", "\(escaped(name)) \\- \(escaped(abstract))"]
    lines += [".SH SYNOPSIS", ".B \(escaped(name))", ".I COMMAND", "[\\fIOPTION\\fR...] \\fIFILE\\fR..."]
    lines.append(".SH COMMANDS")
    for command in commands { lines += section(of: command) }
    lines.append(".SH COMMON OPTIONS")
    for option in CommonOptions.all { lines += item(option.usage, option.fullHelp) }
    lines.append(".SH EXIT STATUS")
    for entry in ExitStatus.documented { lines += item("\(entry.status.rawValue)", entry.meaning) }
    lines.append(".SH ENVIRONMENT")
    lines += item("NO_COLOR", "If set and not empty, output is not coloured unless --color asks for it")
    lines += item("TERM", "If it is 'dumb', output is not coloured and no progress is shown")
    lines += item("COLUMNS", "Overrides the width of the terminal")
    return lines.joined(separator: "\n")
  }

  private func section(of command: Command) -> [String] {
    var lines = [".SS \"\(escaped(command.usage))\"", escaped(command.abstract) + "."]
    for paragraph in command.paragraphs { lines += [".PP", escaped(paragraph)] }
    for positional in command.positionals { lines += item(positional.name, positional.fullHelp) }
    for option in command.options { lines += item(option.usage, option.fullHelp) }
    for example in command.examples {
      lines += [".PP", escaped(example.explanation) + ":", ".PP", ".nf", ".RS"]
      lines += [escaped("\(name) \(example.line)"), ".RE", ".fi"]
    }
    return lines
  }

  private func item(_ title: String, _ text: String) -> [String] {
    [".TP", "\\fB\(escaped(String(title.drop { $0 == " " })))\\fR", escaped(text) + "."]
  }

  /// Text that roff does not take for a command, with dashes that can be copied into a shell.
  private func escaped(_ text: String) -> String {
    let text = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("\"", with: "\\(dq")
    return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text
  }
}
