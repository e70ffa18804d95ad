internal import Glibc

/// Where a command writes: results to standard output, everything else to standard error.
public struct Console: Sendable {
  /// Whether text is coloured.
  public enum ColorChoice: String, CaseIterable, Sendable {
    case auto
    case always
    case never
  }

  /// What of the environment decides how text looks.
  public struct Environment: Sendable {
    var noColor = false
    var isDumb = false
    var columns: Int?

    /// Creates an environment of a plain terminal.
    public init() {}

    /// Reads `NO_COLOR`, `TERM` and `COLUMNS`.
    public static func current() -> Environment {
      func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
      var environment = Environment()
      environment.noColor = value("NO_COLOR")?.isEmpty == false
      environment.isDumb = value("TERM") == "dumb"
      environment.columns = value("COLUMNS").flatMap(Int.init)
      return environment
    }
  }

  /// How a piece of text looks.
  public enum Style: String, Sendable {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
  }

  /// Whether results are JSON.
  public let isJSON: Bool
  /// Whether notes and progress are left out.
  public let isQuiet: Bool
  /// The number of columns of the terminal.
  public let width: Int
  private let tool: String
  private let output: TextStream
  private let errors: TextStream
  private let colorsOutput: Bool
  private let colorsErrors: Bool
  private let showsProgress: Bool

  init(
    _ arguments: Arguments? = nil, tool: String, environment: Environment, output: TextStream,
    errors: TextStream
  ) {
    self.tool = tool
    self.output = output
    self.errors = errors
    isJSON = arguments?[CommonOptions.json] ?? false
    isQuiet = arguments?[CommonOptions.quiet] ?? false
    let choice = arguments?[CommonOptions.color] ?? .auto
    func colors(_ stream: TextStream) -> Bool {
      switch choice {
      case .always: true
      case .never: false
      case .auto: !environment.noColor && !environment.isDumb && stream.isTerminal
      }
    }
    colorsOutput = colors(output)
    colorsErrors = colors(errors)
    showsProgress = !isQuiet && !isJSON && !environment.isDumb && errors.isTerminal
    width = max(40, environment.columns ?? output.columns ?? 80)
  }

  /// Text of a style for standard output; plain where colours are off.
  public func styled(_ text: String, _ style: Style) -> String {
    colorsOutput ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// Prints a result, in the place of a progress bar that may stand on the same terminal.
  public func print(_ text: String) {
    if showsProgress, output.isTerminal { errors.write(Progress.clearLine) }
    output.write(text + "\n")
  }

  /// Prints a note to standard error, unless quiet.
  public func note(_ text: String) {
    if !isQuiet { printError(text) }
  }

  /// Prints what went wrong to standard error, on one line.
  public func complain(_ text: String) {
    printError((colorsErrors ? "\u{1B}[1;31m\(tool):\u{1B}[0m " : "\(tool): ") + Format.visible(text))
  }

  /// A line on standard error, in the place of a progress bar that may stand there.
  func printError(_ text: String) {
    errors.write((showsProgress ? Progress.clearLine : "") + text + "\n")
  }

  /// A progress bar on standard error; invisible where that is no terminal.
  public func progress(_ label: String, total: Int, unit: Progress.Unit = .bytes) -> Progress {
    Progress(
      label, total: total, unit: unit, isVisible: showsProgress, width: errors.columns ?? width,
      write: errors.write)
  }
}
