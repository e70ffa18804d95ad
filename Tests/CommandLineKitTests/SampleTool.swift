@testable import CommandLineKit

// A tool that uses everything once.

let output = Option("output", short: "o", valueName: "FILE", help: "Write here")
let input = Option("input", valueName: "FILE", help: "Read this", isRepeatable: true)
let fraction = Option<Double>("fraction", valueName: "PART", help: "A part", range: 0...1)
let count = Option<Int>("count", short: "n", valueName: "N", help: "A number", range: -5...5, standard: "3")
let seed = Option<Int>("seed", valueName: "N", help: "A seed", range: 0...Int.max)
let paint = Option<Console.ColorChoice>(choice: "paint", valueName: "WHEN", help: "When")
let force = Switch("force", short: "f", help: "Replace it")

let sample = Command(
  "sample", abstract: "does things to files", discussion: "It is only a sample.\nIt isn't real.",
  examples: [.init("sample -f a.txt", "Does it by force")],
  positionals: [
    Positional("SOURCE", help: "What to read"), Positional("MORE", help: "More of it", count: .any),
  ],
  options: [output, input, fraction, count, seed, paint, force]
) { arguments, console in
  console.print("sampled \(arguments.positionals[0])")
  return .success
}

let single = Command(
  "single", abstract: "takes one file", examples: [],
  positionals: [
    Positional("FILE", help: "What to read"),
    Positional("SIDE", help: "Which", count: .noneOrOne, .choice(["left", "right"])),
  ],
  options: []
) { _, _ in .checkSaidNo }

let zooList = Command(
  "zoo list", abstract: "list animals", examples: [], positionals: [], options: []
) { _, console in
  console.print("ant")
  return .success
}

let zooFeed = Command(
  "zoo feed", abstract: "feed an animal", examples: [],
  positionals: [Positional("ANIMAL", help: "Which", count: .oneOrMore, .fileOr(["bear", "crab"]))],
  options: [force]
) { arguments, _ in
  switch arguments.positionals[0] {
  case "bear": throw HungryBear()
  case "crab": throw UsageError("crabs eat nothing")
  default: throw UnknownAnimal()
  }
}

struct HungryBear: ReportableError {
  var exitStatus: ExitStatus { .badData }
  var message: String { "bear.txt: is \"hungry\"\nand \u{1B}[31mangry" }
  var details: [(name: String, value: String)] { [("code", "bear.hungry"), ("offset", "12")] }
}

struct UnknownAnimal: Error {}

let tool = CommandLineTool(
  name: "tool", version: "1.2", abstract: "shows how commands work",
  commands: [sample, single, zooList, zooFeed])

/// Swift Testing has a type of this name too.
typealias ExitStatus = CommandLineKit.ExitStatus
