/// A shell that completions are written for.
enum CompletionShell: String, CaseIterable {
  case bash
  case zsh
  case fish
}

extension CommandLineTool {
  /// A script that completes commands, options and their values in a shell. Where a file is meant, the shell completes files.
  func completions(for shell: CompletionShell) -> String {
    switch shell {
    case .bash: bashCompletions
    case .zsh: zshCompletions
    case .fish: fishCompletions
    }
  }

  /// The first words of all commands, each once.
  private var firstWords: [String] {
    var words: [String] = []
    for word in commands.map({ $0.nameWords[0] }) where !words.contains(word) { words.append(word) }
    return words
  }

  /// The commands of each group, by the first word of their names.
  private var groups: [(name: String, commands: [Command])] {
    firstWords.compactMap { word in
      let members = commands.filter { $0.nameWords.count == 2 && $0.nameWords[0] == word }
      return members.isEmpty ? nil : (word, members)
    }
  }

  // MARK: bash

  private var bashCompletions: String {
    var lines = [
      "_\(name)() {",
      "  local word=${COMP_WORDS[COMP_CWORD]} words= files=",
      "  local line=\"${COMP_WORDS[*]:1:COMP_CWORD-1} \"",
      "  # bash takes the '=' of --name=value for a word of its own.",
      "  [[ $word == = ]] && { word=; line+='= '; }",
      "  line=${line/% = / }",
      "  case $line in",
    ]
    // What stands behind 'help' is what stands at the beginning of a line.
    for start in ["", "help "] {
      let first = start.isEmpty ? " " : start
      lines.append("    '\(first)') words='\(firstWords.joined(separator: " "))' ;;")
      for group in groups {
        let words = group.commands.map { $0.nameWords[1] }.joined(separator: " ")
        lines.append("    '\(start)\(group.name) ') words='\(words)' ;;")
      }
    }
    for command in commands {
      for option in command.allOptions where option.valueName != nil {
        let spellings = ["--\(option.name)"] + (option.short.map { ["-\($0)"] } ?? [])
        let patterns = spellings.map { "'\(command.name) '*'\($0) '" }.joined(separator: " | ")
        lines.append("    \(patterns)) words='\(option.choices.joined(separator: " "))' ;;")
      }
      let options = command.allOptions.map { "--\($0.name)" }.joined(separator: " ")
      let values = command.positionals.flatMap(\.words).joined(separator: " ")
      let files = command.positionals.contains { $0.isFileOrWord } ? " files=-f" : ""
      lines.append(
        "    '\(command.name) '*) if [[ $word == -* ]]; then words='\(options)'; else words='\(values)'\(files); fi ;;"
      )
    }
    lines += [
      "  esac",
      "  # Nothing to choose from: bash completes files.",
      "  COMPREPLY=($(compgen $files -W \"$words\" -- \"$word\"))",
      "}", "complete -o default -F _\(name) \(name)",
    ]
    return lines.joined(separator: "\n")
  }

  // MARK: zsh

  private var zshCompletions: String {
    var lines = ["#compdef \(name)", "_\(name)() {", "  local -a commands", "  if (( CURRENT == 2 )); then"]
    let groupNames = groups.map(\.name)
    let single = commands.filter { !groupNames.contains($0.nameWords[0]) }
    let choices =
      single.map { ($0.name, $0.abstract) }
      + groups.map { group in (group.name, group.commands.map { $0.nameWords[1] }.joined(separator: ", ")) }
    lines += zshDescribe(choices, indent: "    ") + ["  fi", "  case \"$words[2] $words[3]\" in"]
    for command in commands {
      let count = command.nameWords.count
      lines.append("    '\(command.name)\(count == 1 ? " " : "")'*)")
      lines.append("      shift \(count) words; (( CURRENT -= \(count) ))")
      let specs = command.allOptions.map(zshSpec) + command.positionals.map(zshSpec)
      lines.append("      _arguments " + specs.joined(separator: " \\\n        ") + " ;;")
    }
    for group in groups {
      lines.append("    '\(group.name) '*)")
      lines += zshDescribe(group.commands.map { ($0.nameWords[1], $0.abstract) }, indent: "      ")
      lines.append("      ;;")
    }
    lines += ["  esac", "}", "if [[ $funcstack[1] == _\(name) ]]; then"]
    lines += ["  _\(name) \"$@\"", "else", "  compdef _\(name) \(name)", "fi"]
    return lines.joined(separator: "\n")
  }

  private func zshDescribe(_ choices: [(String, String)], indent: String) -> [String] {
    let items = choices.map { "\(indent)  '\($0.0):\(zshEscaped($0.1))'" }
    return ["\(indent)commands=("] + items + [
      "\(indent))", "\(indent)_describe command commands", "\(indent)return",
    ]
  }

  private func zshSpec(_ option: OptionSpecification) -> String {
    let long = "--\(option.name)" + (option.valueName == nil ? "" : "=")
    let value = option.valueName.map { ":\(zshEscaped($0)):" + zshValues(option.choices) } ?? ""
    let rest = "'[\(zshEscaped(option.help))]\(value)'"
    let star = option.isRepeatable ? "'*'" : ""
    guard let short = option.short else { return "\(star)\(long)\(rest)" }
    let both = "{-\(short)\(option.valueName == nil ? "" : "+"),\(long)}"
    return (option.isRepeatable ? star : "'(-\(short) --\(option.name))'") + both + rest
  }

  private func zshSpec(_ positional: Positional) -> String {
    let star = positional.count == .any || positional.count == .oneOrMore ? "*" : ""
    let title = zshEscaped(positional.name)
    switch positional.content {
    case .file, .choice: return "'\(star):\(title):\(zshValues(positional.choices))'"
    case .fileOr(let words): return "'\(star):\(title):{compadd \(words.joined(separator: " ")); _files}'"
    case .command:
      let second = groups.flatMap { $0.commands.map { $0.nameWords[1] } }
      return "'1:\(title):\(zshValues(firstWords))' '2::\(title):\(zshValues(second))'"
    }
  }

  private func zshValues(_ choices: [String]) -> String {
    choices.isEmpty ? "_files" : "(\(choices.joined(separator: " ")))"
  }

  private func zshEscaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "'\\''").replacing("[", with: "\\[")
      .replacing("]", with: "\\]").replacing(":", with: "\\:")
  }

  // MARK: fish

  private var fishCompletions: String {
    func quoted(_ text: String) -> String {
      "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
    func seen(_ words: [String]) -> String {
      words.map { "__fish_seen_subcommand_from \($0)" }.joined(separator: "; and ")
    }
    var lines: [String] = []
    func complete(_ condition: String, _ rest: String) {
      lines.append("complete -c \(name) -n \(quoted(condition)) \(rest)")
    }
    for group in groups {
      let words = group.commands.map { $0.nameWords[1] }.joined(separator: " ")
      complete("__fish_use_subcommand", "-f -a \(group.name) -d \(quoted(words))")
      for command in group.commands {
        complete(
          "\(seen([group.name])); and not \(seen([words]))",
          "-f -a \(command.nameWords[1]) -d \(quoted(command.abstract))")
      }
    }
    for command in commands {
      if command.nameWords.count == 1 {
        complete("__fish_use_subcommand", "-f -a \(command.name) -d \(quoted(command.abstract))")
      }
      for option in command.allOptions {
        var rest = "-l \(option.name)"
        if let short = option.short { rest += " -s \(short)" }
        if option.valueName != nil { rest += " -r" }
        if !option.choices.isEmpty { rest += " -f -a \(quoted(option.choices.joined(separator: " ")))" }
        complete(seen(command.nameWords), rest + " -d \(quoted(option.help))")
      }
      for positional in command.positionals {
        let words = quoted(positional.words.joined(separator: " "))
        switch positional.content {
        case .file: break
        case .choice: complete(seen(command.nameWords), "-f -a \(words)")
        case .fileOr: complete(seen(command.nameWords), "-a \(words)")
        case .command:
          let others = firstWords.filter { $0 != command.name }.joined(separator: " ")
          complete(
            "\(seen(command.nameWords)); and not \(seen([others]))", "-f -a \(quoted(others))")
        }
      }
    }
    return lines.joined(separator: "\n")
  }
}

extension Positional {
  /// The words that a shell offers for it; commands' names are known to the tool only.
  fileprivate var words: [String] {
    switch content {
    case .file, .command: []
    case .fileOr(let words), .choice(let words): words
    }
  }

  fileprivate var isFileOrWord: Bool {
    if case .fileOr = content { true } else { false }
  }
}
