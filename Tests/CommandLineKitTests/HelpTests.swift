import Foundation
import TestSupport
import Testing

@testable import CommandLineKit

@Suite struct HelpTests {
  @Test func helpOfACommandSaysEverything() {
    #expect(
      tool.help(for: sample, width: 80) == """
        tool sample: does things to files

        USAGE
          tool sample [OPTION...] SOURCE [MORE...]

        EXAMPLES
          tool sample -f a.txt
              Does it by force

        It is only a sample.

        It isn't real.

        ARGUMENTS
          SOURCE  What to read
          MORE    More of it

        OPTIONS
          -o, --output FILE    Write here
              --input FILE     Read this (may be repeated)
              --fraction PART  A part
          -n, --count N        A number (default: 3)
              --seed N         A seed
              --paint WHEN     When (auto, always, never)
          -f, --force          Replace it
              --json           Print results and errors as JSON
          -q, --quiet          Print neither notes nor progress
              --color WHEN     When to use colour (auto, always, never; default: auto)
          -h, --help           Print this help and exit
          -V, --version        Print the version and exit
        """)
  }

  @Test func helpOfTheToolSaysEverything() {
    #expect(
      tool.help(width: 80) == """
        tool: shows how commands work

        USAGE
          tool COMMAND [OPTION...] FILE...

        EXAMPLES
          tool sample -f a.txt
          tool man > tool.1
          tool completions bash > ~/.local/share/bash-completion/completions/tool

        COMMANDS
          sample       does things to files
          single       takes one file
          zoo list     list animals
          zoo feed     feed an animal
          help         show help for the tool or one of its commands
          man          print the manual page
          completions  print a completion script for a shell

        OPTIONS OF EVERY COMMAND
              --json        Print results and errors as JSON
          -q, --quiet       Print neither notes nor progress
              --color WHEN  When to use colour (auto, always, never; default: auto)
          -h, --help        Print this help and exit
          -V, --version     Print the version and exit

        EXIT STATUS
          0   success, and every check passed
          1   a check failed: the answer is no
          64  wrong usage: an unknown command or a bad option
          65  an input is malformed or not supported
          66  an input is missing or cannot be read
          69  a library, a CPU feature or memory is not available
          70  an internal error; please report it
          73  the output exists already or cannot be created
          74  reading or writing failed, for example on a full disk

        Run 'tool help COMMAND' for more about a command.
        """)
  }

  @Test func linesFitTheTerminal() {
    for width in [40, 60, 100] {
      for line in tool.help(for: sample, width: width).split(separator: "\n") where line.hasPrefix("      ") {
        #expect(line.count <= max(width, 50), "\(line)")
      }
    }
  }

  @Test func theManualNamesEverything() {
    for text in [
      ".TH TOOL 1", ".SS \"sample [OPTION...] SOURCE [MORE...]\"", "\\-\\-fraction PART", "Does it by force",
      ".SH EXIT STATUS", "It isn't real.",
    ] {
      #expect(tool.manualPage.contains(text), "\(text)")
    }
  }
}

@Suite struct CompletionTests {
  @Test(arguments: CompletionShell.allCases)
  func scriptsNameEverything(_ shell: CompletionShell) {
    let script = tool.completions(for: shell)
    for word in ["sample", "single", "zoo", "feed", "output", "fraction", "auto always never", "left right"] {
      #expect(script.contains(word), "\(word)")
    }
  }

  /// What bash offers for a line whose last word is being typed.
  @Test(
    arguments: [
      (["tool", "s"], "sample single"),
      (["tool", ""], "sample single zoo help man completions"),
      (["tool", "zoo", ""], "list feed"),
      (["tool", "zoo", "feed", "--f"], "--force"),
      (["tool", "zoo", "feed", "b"], "bear"),
      (["tool", "zoo", "feed", "READ"], "README.md"),
      (["tool", "help", ""], "sample single zoo help man completions"),
      (["tool", "help", "si"], "single"),
      (["tool", "help", "zoo", ""], "list feed"),
      (["tool", "sample", "--fo"], "--force"),
      (["tool", "sample", "a", "--paint", "a"], "auto always"),
      (["tool", "sample", "--paint", "=", "n"], "never"),
      (["tool", "sample", "--paint", "="], "auto always never"),
      (["tool", "sample", "--output", "x"], ""),
      (["tool", "sample", "-o", "x"], ""),
      (["tool", "sample", "x"], ""),
      (["tool", "completions", ""], "bash zsh fish"),
      (["tool", "single", "a", "--color", "n"], "never"),
    ] as [([String], String)])
  func bashOffers(_ line: [String], _ offered: String) throws {
    let words = line.map { "'\($0)'" }.joined(separator: " ")
    let script = """
      set -eu
      complete() { :; }
      \(tool.completions(for: .bash))
      COMP_WORDS=(\(words)); COMP_CWORD=\(line.count - 1)
      _tool || true
      echo "${COMPREPLY[*]-}"
      """
    let process = try CommandProcess.run("/bin/bash", ["-c", script])
    #expect(process.errors.isEmpty)
    #expect(process.output == offered + "\n")
  }

  @Test func zshIsToldEverythingOfAnOption() {
    let script = tool.completions(for: .zsh)
    for text in [
      "'(-o --output)'{-o+,--output=}'[Write here]:FILE:_files'", "'*'--input='[Read this]:FILE:_files'",
      "--paint='[When]:WHEN:(auto always never)'", "'(-f --force)'{-f,--force}'[Replace it]'",
      "'zoo list'*)", "'feed:feed an animal'", "':SIDE:(left right)'",
      "'*:ANIMAL:{compadd bear crab; _files}'", "'1:COMMAND:(sample single zoo help man completions)'",
      "'2::COMMAND:(list feed)'",
    ] {
      #expect(script.contains(text), "\(text)")
    }
  }

  @Test func fishIsToldEverythingOfAnOption() {
    let script = tool.completions(for: .fish)
    for text in [
      "complete -c tool -n '__fish_seen_subcommand_from sample' -l output -s o -r -d 'Write here'",
      "-l paint -r -f -a 'auto always never' -d 'When'",
      "complete -c tool -n '__fish_seen_subcommand_from zoo; and not __fish_seen_subcommand_from list feed' -f -a list",
      "'__fish_seen_subcommand_from zoo; and __fish_seen_subcommand_from feed' -l force -s f",
      "'__fish_seen_subcommand_from zoo; and __fish_seen_subcommand_from feed' -a 'bear crab'",
      "'__fish_seen_subcommand_from help; and not __fish_seen_subcommand_from sample single zoo man completions' -f -a 'sample single zoo man completions'",
    ] {
      #expect(script.contains(text), "\(text)")
    }
  }
}
