import Foundation
import JSONKit
import TestSupport
import Testing

/// `fit` and the table of boards.
@Suite struct FitCommandTests {
  private func run(_ arguments: String..., in folder: String = packageRoot) throws -> CommandProcess {
    try CommandProcess.run(["fit"] + arguments, in: folder)
  }

  private func json(_ process: CommandProcess) throws -> JSONValue {
    try JSONValue(parsing: Array(process.output.utf8))
  }

  /// What is committed is what the program knows: `vggconv fit --boards --json > schemas/boards.json` writes it.
  @Test func boardsAreThoseOfTheFile() throws {
    let process = try run("--boards", "--json")
    #expect(process.status == 0)
    #expect(
      process.output == String(decoding: try bytes(of: "\(packageRoot)/schemas/boards.json"), as: UTF8.self))
    #expect(try JSONSchema("boards.schema.json").problems(of: json(process)) == [])
    let text = try run("--boards").output
    for board in try #require(json(process)["boards"]?.array) {
      #expect(text.contains(try #require(board["name"]?.string)))
      #expect(try #require(board["source"]?.string).count > 10)
    }
  }

  @Test func modelThatFitsSaysSo() throws {
    let source = fixture("keras/vgg_d_digits.h5")
    let process = try run(source, "--board", "nucleo-h743zi")
    #expect(process.status == 0 && process.output.contains(": fits"), "\(process.output)\(process.errors)")
    #expect(process.output.contains("not measured"))
    let report = try json(run(source, "--board", "nucleo-h743zi", "--json"))
    #expect(try JSONSchema("fit.schema.json").problems(of: report) == [])
    #expect(report["ok"]?.bool == true && report["remedies"]?.array?.isEmpty == true)
    // A source has to be imported and quantised first, and the commands for that are given.
    #expect(report["preparation"]?.array?.count == 2)
    let flash = try #require(report["flash"])
    let parts = ["weightBytes", "constantBytes", "codeBytes"].compactMap { flash[$0]?.integer }
    #expect(flash["bytes"]?.integer == parts.reduce(0, +) && flash["memory"]?.string == "flash")
  }

  @Test func modelThatDoesNotFitSaysWhatWould() throws {
    let process = try run("vgg16", "--board", "stm32f746g-disco", "--json")
    #expect(process.status == 1)
    let report = try json(process)
    #expect(try JSONSchema("fit.schema.json").problems(of: report) == [])
    #expect(report["ok"]?.bool == false && report["flash"]?["missingBytes"]?.integer ?? 0 > 100_000_000)
    let remedies = try #require(report["remedies"]?.array)
    #expect(!remedies.isEmpty)
    for remedy in remedies {
      let saved = [remedy["flashBytesSaved"], remedy["ramBytesSaved"]].compactMap { $0?.integer }
      #expect(saved.contains { $0 > 0 }, "\(remedy)")
    }
    #expect(remedies.last?["fits"]?.bool == true)
    let text = try run("vgg16", "--board", "stm32f746g-disco")
    #expect(text.status == 1 && text.output.contains("DOES NOT FIT") && text.output.contains("--drop-fc"))
  }

  /// Only what exists is proposed: the help of each command knows each option.
  @Test func proposedCommandsExist() throws {
    let report = try json(run("vgg16", "--flash", "8K", "--ram", "1M", "--json"))
    let commands =
      (report["preparation"]?.array ?? []).compactMap(\.string)
      + (report["remedies"]?.array ?? []).flatMap { ($0["commands"]?.array ?? []).compactMap(\.string) }
    #expect(commands.count >= 4)
    for command in commands {
      let words = command.split(separator: " ").map(String.init)
      #expect(words[0] == "vggconv")
      let help = try CommandProcess.run(["help", words[1]]).output
      for word in words where word.hasPrefix("-") { #expect(help.contains(word), "\(command)") }
    }
  }

  /// Limits by option go before those of the board; without any, everything is only stated.
  @Test func limitsCanBeStated() throws {
    let source = fixture("keras/vgg_d_digits.h5")
    #expect(try run(source).status == 0)
    #expect(try run(source, "--flash", "1Mi", "--ram", "192Ki").status == 0)
    #expect(try run(source, "--flash", "1K").status == 1)
    #expect(try run(source, "--board", "nucleo-h743zi", "--ram", "4Ki").status == 1)
    // Weights that are read need no flash.
    #expect(try run(source, "--flash", "20K", "--ram", "192Ki").status == 1)
    #expect(try run(source, "--flash", "20K", "--ram", "192Ki", "--window", "4Ki").status == 0)
  }

  @Test func wrongCommandLinesAreRefused() throws {
    let cases: [(arguments: [String], problem: String)] = [
      (["D", "--board", "abacus"], "--board is 'abacus'; known: alif-ensemble-e7, "),
      ([], "NET|FILE is missing"),
      (["D", "--flash", "much"], "--flash is 'much'; allowed: a number of bytes"),
      (["D", "--input", "8"], "an input of 8x8 does not fit"),
    ]
    for (arguments, problem) in cases {
      let process = try CommandProcess.run(["fit"] + arguments)
      #expect(process.status == 64 && process.errors.contains(problem), "\(arguments): \(process.errors)")
    }
    #expect(try run("no-such-file.vggw").status == 66)
  }
}
