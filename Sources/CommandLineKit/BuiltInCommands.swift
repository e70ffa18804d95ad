extension CommandLineTool {
  /// The commands that every tool has. They print what is made of the table of commands.
  var builtInCommands: [Command] {
    let shells = CompletionShell.allCases.map(\.rawValue)
    return [
      Command(
        "help", abstract: "show help for the tool or one of its commands", examples: [],
        positionals: [Positional("COMMAND", help: "The command to explain", count: .any, .command)],
        options: []
      ) { arguments, console in
        let words = arguments.positionals
        if words.count == 1, let text = help(forGroup: words[0], width: console.width) {
          console.print(text)
          return .success
        }
        console.print(
          words.isEmpty
            ? help(width: console.width)
            : help(for: try command(named: words[...]), width: console.width))
        return .success
      },
      Command(
        "man", abstract: "print the manual page",
        examples: [.init("man > \(name).1", "Save it where man looks for it, in a folder man1")],
        positionals: [], options: []
      ) { _, console in
        console.print(manualPage)
        return .success
      },
      Command(
        "completions", abstract: "print a completion script for a shell",
        examples: [
          .init("completions bash > ~/.local/share/bash-completion/completions/\(name)", "For bash"),
          .init("completions zsh > _\(name)", "For zsh; put the file in a folder of $fpath"),
          .init("completions fish > ~/.config/fish/completions/\(name).fish", "For fish"),
        ],
        positionals: [Positional("SHELL", help: "The shell to complete in", .choice(shells))], options: []
      ) { arguments, console in
        if let shell = CompletionShell(rawValue: arguments.positionals[0]) {
          console.print(completions(for: shell))
        }
        return .success
      },
    ]
  }
}
