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
              --input FILE     Read this; may be repeated
              --fraction PART  A part
          -n, --count N        A number; 3 if not given
              --seed N         A seed
              --paint WHEN     When (auto, always, never)
          -f, --force          Replace it
              --json           Print the result as one JSON object
          -q, --quiet          Print no notes and no progress
              --color WHEN     Colour the text (auto, always, never); auto if not given
          -h, --help           Print this help
          -V, --version        Print the version
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
          help         say how the tool or a command is used
          man          print the manual page
          completions  print a script with which a shell completes commands

        OPTIONS OF EVERY COMMAND
              --json        Print the result as one JSON object
          -q, --quiet       Print no notes and no progress
              --color WHEN  Colour the text (auto, always, never); auto if not given
          -h, --help        Print this help
          -V, --version     Print the version

        EXIT STATUS
          0   done, and the answer is yes
          1   done, and a check said no
          64  the command line is wrong
          65  an input is malformed or unsupported
          66  an input is missing or cannot be read
          69  a library, an instruction set or memory is not there
          70  a fault of this program
          73  the output cannot be created or exists already
          74  reading or writing failed, as on a full disk

        'tool help COMMAND' says more of a command.
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
