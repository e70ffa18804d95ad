import Foundation
import TestSupport
import Testing

/// What is printed fits a terminal of 80 columns.
@Suite struct WidthTests {
  private static let environment = ["PATH": "/usr/bin:/bin", "COLUMNS": "80"]

  private func tooLong(_ arguments: [String], in folder: String = packageRoot) throws -> [String] {
    let process = try CommandProcess.run(arguments, in: folder, environment: Self.environment)
    #expect(process.status == 0 && !process.output.isEmpty, "\(arguments): \(process.errors)")
    return process.output.split(separator: "\n").map(String.init).filter { $0.count > 80 }
  }

  /// The names of all commands, by the help itself.
  private func commands() throws -> [[String]] {
    let help = try CommandProcess.run(["help"], environment: Self.environment).output
    let section = try #require(help.split(separator: "COMMANDS\n").last?.split(separator: "\nOPTIONS").first)
    return section.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }.map { line in
      let name = line.dropFirst(2).prefix(
        upTo: line.range(of: "  ", range: line.index(line.startIndex, offsetBy: 2)..<line.endIndex)?
          .lowerBound ?? line.endIndex)
      return name.split(separator: " ").map(String.init)
    }
  }

  @Test func helpFits() throws {
    let commands = try commands()
    #expect(commands.count > 12 && commands.contains(["zoo", "list"]))
    #expect(try tooLong(["help"]).isEmpty)
    for command in commands { #expect(try tooLong(["help"] + command).isEmpty, "\(command)") }
  }

  @Test(arguments: ["A", "A-LRN", "B", "C", "D", "E"]) func summaryFits(_ network: String) throws {
    for input in ["224", "480x640"] {
      #expect(try tooLong(["summary", network, "--input", input]).isEmpty)
      // In one piece: a table that is too wide goes on below.
      let text = try CommandProcess.run(["summary", network, "--input", input]).output
      #expect(text.split(separator: "\n").count { $0.hasPrefix("conv1_1") } == 1)
    }
  }

  @Test func tablesFit() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.copyItem(atPath: fixture("caffe/vgg_b.caffemodel"), toPath: "\(folder)/b")
      #expect(try CommandProcess.run(["import", "b", "-o", "m"], in: folder).status == 0)
      for arguments in [
        ["zoo", "list"], ["summary", "m"], ["summary", "b"], ["inspect", "m", "--tensors"],
        ["bench", "m", "--repeat", "1"],
        ["quantize", "m", "--to", "fp16", "-o", "q"],
        ["prune", "m", "--fc", "0.5", "-o", "p", "--max-distance", "2"],
      ] {
        let lines = try tooLong(arguments, in: folder).filter {
          !$0.contains("SHA") && !$0.contains(" weights ") && !$0.contains(" (")
        }
        #expect(lines.isEmpty, "\(arguments)")
      }
    }
  }

  /// What a file stores, not what float32 would take.
  @Test(
    arguments: [
      (["--to", "int8"], "int8"), (["--to", "fp16"], "float16"), ([], "float32"),
      (["--prune-fc", "0.9"], "sparse float32 and float32"),
      (["--to", "int8", "--prune-fc", "0.5"], "int8 and sparse int8"),
    ] as [([String], String)])
  func summarySaysWhatIsStored(_ options: [String], _ types: String) throws {
    try withTemporaryFolder { folder in
      let model = "\(folder)/m.vggw"
      let source = fixture("keras/vgg_d_digits.h5")
      try #require(
        try CommandProcess.run(["import", source, "-o", model, "--no-verify"] + options).status == 0)
      let text = try CommandProcess.run(["summary", model]).output.split(separator: "\n")[0]
      #expect(
        Set(text.split(separator: "weights, ").last?.split(separator: " and ") ?? [])
          == Set(types.split(separator: " and ")), "\(text)")
      let file = try Data(contentsOf: URL(filePath: model)).count
      let tensors = try CommandProcess.run(["inspect", model, "--json"]).output
      let stored = tensors.split(separator: "\n").compactMap { line in
        line.split(separator: "\"storedBytes\": ").last.flatMap { Int($0.prefix { $0.isNumber }) }
      }.reduce(0, +)
      let json = try CommandProcess.run(["summary", model, "--json"]).output
      #expect(json.contains("\"weightBytes\": \(stored)") && stored < file && stored > 0)
    }
    let paper = try CommandProcess.run(["summary", "D"]).output
    #expect(paper.hasPrefix("VGG-16 (D), 1000 classes, input 224x224x3: 553 MB as float32\n"))
  }
}

/// What `make install` puts where.
@Suite struct InstallTests {
  @Test func completionsAreInstalledWhereShellsLook() throws {
    try withTemporaryFolder { folder in
      let process = try CommandProcess.run(
        "/usr/bin/make",
        [
          "-s", "-o", "release", "install", "VGGCONV=\(CommandProcess.executable)", "DESTDIR=\(folder)",
          "PREFIX=/usr",
        ])
      try #require(process.status == 0, "\(process.errors)")
      for (path, beginning) in [
        ("bash-completion/completions/vggconv", "_vggconv() {"),
        ("zsh/site-functions/_vggconv", "#compdef vggconv"),
        ("fish/vendor_completions.d/vggconv.fish", "complete -c vggconv"),
        ("man/man1/vggconv.1", ".TH VGGCONV 1"),
      ] {
        let text = try String(contentsOfFile: "\(folder)/usr/share/\(path)", encoding: .utf8)
        #expect(text.hasPrefix(beginning), "\(path)")
      }
      #expect(FileManager.default.isExecutableFile(atPath: "\(folder)/usr/bin/vggconv"))
    }
  }
}
