/// What a command tells the shell; the numbers are those of `sysexits.h`.
public struct ExitStatus: RawRepresentable, Equatable, Sendable {
  /// The number.
  public let rawValue: Int32

  /// Creates a status.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// Done, and the answer is yes.
  public static let success = ExitStatus(rawValue: 0)
  /// Done, and a check said no.
  public static let checkSaidNo = ExitStatus(rawValue: 1)
  /// The command line is wrong.
  public static let usage = ExitStatus(rawValue: 64)
  /// An input is malformed or unsupported.
  public static let badData = ExitStatus(rawValue: 65)
  /// An input is missing or cannot be read.
  public static let noInput = ExitStatus(rawValue: 66)
  /// A library, an instruction set or memory is not there.
  public static let unavailable = ExitStatus(rawValue: 69)
  /// A fault of the program.
  public static let software = ExitStatus(rawValue: 70)
  /// The output cannot be created.
  public static let cannotCreate = ExitStatus(rawValue: 73)
  /// Reading or writing failed.
  public static let inputOutput = ExitStatus(rawValue: 74)

  /// All of them, for the help and for scripts.
  static let documented: [(status: ExitStatus, code: String, meaning: String)] = [
    (.success, "success", "success, and every check passed"),
    (.checkSaidNo, "checkSaidNo", "a check failed: the answer is no"),
    (.usage, "usage", "wrong usage: an unknown command or a bad option"),
    (.badData, "badData", "an input is malformed or not supported"),
    (.noInput, "noInput", "an input is missing or cannot be read"),
    (.unavailable, "unavailable", "a library, a CPU feature or memory is not available"),
    (.software, "software", "an internal error; please report it"),
    (.cannotCreate, "cannotCreate", "the output exists already or cannot be created"),
    (.inputOutput, "inputOutput", "reading or writing failed, for example on a full disk"),
  ]

  /// What the JSON of an error without a more precise code says.
  var code: String { Self.documented.first { $0.status == self }?.code ?? "\(rawValue)" }
}

/// An error that knows what to tell the user and the shell.
public protocol ReportableError: Error {
  /// The status to exit with.
  var exitStatus: ExitStatus { get }
  /// One line that says what is wrong and what to do.
  var message: String { get }
  /// The same in parts, for scripts: names in lower camel case and values, in order. `code` names the kind of error.
  var details: [(name: String, value: String)] { get }
}

/// A wrong command line.
public struct UsageError: ReportableError, Equatable {
  /// What is wrong and what is allowed.
  public var message: String
  /// The command concerned, nil for none.
  public var command: String?

  /// Creates an error.
  public init(_ message: String, command: String? = nil) {
    self.message = message
    self.command = command
  }

  /// Always ``ExitStatus/usage``.
  public var exitStatus: ExitStatus { .usage }
  /// The command concerned.
  public var details: [(name: String, value: String)] { command.map { [("command", $0)] } ?? [] }
}
