import Testing

@testable import CommandLineKit

@Suite struct ArgumentsTests {
  @Test func optionsMayStandAnywhere() throws {
    let lines = [
      "-o out a b --count -3 -f", "a -oout --count=-3 b -f", "a b -f --output=out --count -3",
      "--count=-3 -fo out a b", "-fn-3 -oout a b",
    ]
    for line in lines {
      let arguments = try Arguments(words(line), of: sample)
      #expect(arguments[output] == "out" && arguments[count] == -3 && arguments[force], "\(line)")
      #expect(arguments.positionals == ["a", "b"], "\(line)")
      #expect(arguments[fraction] == nil)
    }
  }

  @Test func twoDashesEndOptions() throws {
    let arguments = try Arguments(["--input", "x", "--input=y", "--", "-f", "--output"], of: sample)
    #expect(arguments.all(input) == ["x", "y"])
    #expect(arguments.positionals == ["-f", "--output"] && !arguments[force])
  }

  @Test func aSingleDashIsAnArgument() throws {
    #expect(try Arguments(["-"], of: sample).positionals == ["-"])
  }

  static let mistakes: [(line: String, message: String)] = [
    ("a --ouput x", "unknown option --ouput; did you mean --output?"),
    ("a --zebra", "unknown option --zebra"),
    ("a -x", "unknown option -x"),
    ("a --output --force", "--output needs a value: FILE"),
    ("a -o --", "-o needs a value: FILE"),
    ("a --output=", "--output is ''; allowed: any text that is not empty"),
    ("a --seed -1", "--seed is '-1'; allowed: a whole number of at least 0"),
    ("a --output", "--output needs a value: FILE"),
    ("a -o", "-o needs a value: FILE"),
    ("a --force=1", "--force does not take a value"),
    ("a -o x -o y", "--output is given twice"),
    ("a -f --force", "--force is given twice"),
    ("a --fraction 1.5", "--fraction is '1.5'; allowed: a number from 0.0 to 1.0"),
    ("a --fraction nan", "--fraction is 'nan'; allowed: a number from 0.0 to 1.0"),
    ("a --count many", "--count is 'many'; allowed: a whole number from -5 to 5"),
    ("a --paint red", "--paint is 'red'; allowed: auto, always, never"),
    ("a --color red", "--color is 'red'; allowed: auto, always, never"),
    ("", "SOURCE is missing: What to read"),
  ]

  @Test(arguments: mistakes)
  func mistakesSayWhatIsAllowed(_ line: String, _ message: String) {
    let error = #expect(throws: UsageError.self) {
      try Arguments(words(line), of: sample)
    }
    #expect(error?.message == message)
    #expect(error?.command == "sample")
  }

  @Test func superfluousArgumentsAreRefused() {
    let error = #expect(throws: UsageError.self) { try Arguments(["a", "left", "b"], of: single) }
    #expect(error?.message == "unexpected argument 'b'")
  }

  @Test func choicesOfPositionalsAreChecked() throws {
    #expect(try Arguments(["a", "left"], of: single).positionals == ["a", "left"])
    let error = #expect(throws: UsageError.self) { try Arguments(["a", "up"], of: single) }
    #expect(error?.message == "SIDE is 'up'; allowed: left, right")
  }

  @Test func helpNeedsNoArguments() throws {
    #expect(try Arguments(["--help"], of: sample)[CommonOptions.help])
  }

  @Test(
    arguments: [
      ("sampel a", "unknown command 'sampel'; did you mean sample?"),
      ("convert a", "unknown command 'convert'"),
      ("zoo", "'zoo' needs a second word: list, feed"),
      ("zoo --json", "'zoo' needs a second word: list, feed"),
      ("zoo lsit", "unknown command 'zoo lsit'; did you mean list?"),
      ("zoo burn", "unknown command 'zoo burn'; allowed: list, feed"),
      ("--jsn sample a", "unknown option --jsn; did you mean --json?"),
      ("--color", "--color needs a value: WHEN"),
      ("--quiet", "no command given"),
    ])
  func wrongCommandsAreExplained(_ line: String, _ message: String) {
    let error = #expect(throws: UsageError.self) { try tool.parse(words(line)) }
    #expect(error?.message == message)
  }

  @Test func commonOptionsMayStandInFrontOfTheCommand() throws {
    let (command, arguments) = try tool.parse(words("--json --color never zoo feed -f a"))
    #expect(command?.name == "zoo feed" && arguments.positionals == ["a"])
    #expect(arguments[CommonOptions.json] && arguments[CommonOptions.color] == .never && arguments[force])
  }

  @Test(arguments: [
    ("0", 0), ("30000000", 30_000_000), ("30M", 30_000_000), ("30m", 30_000_000), ("1.5G", 1_500_000_000),
    ("64Mi", 64 << 20), ("64MiB", 64 << 20), ("2kB", 2000), ("1.0005K", 1000), ("7B", 7), ("0.5Ki", 512),
    ("9223372036854775807", .max), ("9223372036854775808", nil), ("9223372036854775807K", nil), ("1e9", nil),
    ("1.5", nil), ("", nil), ("M", nil), (".5M", nil), ("-1", nil), ("1T", nil), ("1 M", nil), ("5i", nil),
    ("9999999999999999999999G", nil), ("1.2.3M", nil), ("nan", nil), ("infM", nil), ("٣M", nil),
  ])
  func numbersOfBytes(_ text: String, _ number: Int?) throws {
    let size = Option(byteCount: "size", help: "How large")
    #expect(size.parse(text) == number)
  }
}

/// The words of a line.
func words(_ line: String) -> [String] {
  line.split(separator: " ").map(String.init)
}
