/// An option with a value, such as `--output FILE`.
public struct Option<Value: Sendable>: Sendable {
  /// The option without its type.
  public let specification: OptionSpecification
  let parse: @Sendable (String) -> Value?

  /// Declares an option.
  ///
  /// - Parameters:
  ///   - name: The long name without dashes.
  ///   - short: The letter of the short form.
  ///   - valueName: What the help calls the value.
  ///   - help: What the option does, one sentence without a full stop.
  ///   - allowed: What values are allowed, for the error message.
  ///   - choices: All values, where there are only a few.
  ///   - standard: What holds where the option is not given, for the help.
  ///   - isRepeatable: Whether it may be given several times.
  ///   - parse: Makes the value of the text, nil where it is not allowed.
  public init(
    _ name: String, short: Character? = nil, valueName: String, help: String, allowed: String = "",
    choices: [String] = [], standard: String? = nil, isRepeatable: Bool = false,
    parse: @escaping @Sendable (String) -> Value?
  ) {
    self.parse = parse
    specification = OptionSpecification(
      name: name, short: short, valueName: valueName, help: help, choices: choices,
      standard: standard, isRepeatable: isRepeatable,
      complaint: { text in
        parse(text) == nil ? (choices.isEmpty ? allowed : choices.joined(separator: ", ")) : nil
      })
  }
}

extension Option where Value == String {
  /// Declares an option whose value is any text, such as a path.
  public init(
    _ name: String, short: Character? = nil, valueName: String, help: String, standard: String? = nil,
    isRepeatable: Bool = false
  ) {
    self.init(
      name, short: short, valueName: valueName, help: help, allowed: "any text that is not empty",
      standard: standard, isRepeatable: isRepeatable, parse: { $0.isEmpty ? nil : $0 })
  }
}

extension Option where Value == Int {
  /// Declares an option whose value is a whole number in a range.
  public init(
    _ name: String, short: Character? = nil, valueName: String, help: String, range: ClosedRange<Int>,
    standard: String? = nil
  ) {
    let limits =
      range.upperBound == .max
      ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
    self.init(
      name, short: short, valueName: valueName, help: help, allowed: "a whole number \(limits)",
      standard: standard,
      parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } })
  }
}

extension Option where Value == Double {
  /// Declares an option whose value is a number in a range.
  public init(
    _ name: String, short: Character? = nil, valueName: String, help: String, range: ClosedRange<Double>,
    standard: String? = nil
  ) {
    self.init(
      name, short: short, valueName: valueName, help: help,
      allowed: "a number from \(range.lowerBound) to \(range.upperBound)", standard: standard,
      parse: { text in Double(text).flatMap { range.contains($0) ? $0 : nil } })
  }
}

extension Option where Value: CaseIterable & RawRepresentable<String> {
  /// Declares an option whose value is one of a few words.
  public init(
    choice name: String, short: Character? = nil, valueName: String, help: String, standard: Value? = nil
  ) {
    self.init(
      name, short: short, valueName: valueName, help: help, choices: Value.allCases.map(\.rawValue),
      standard: standard?.rawValue,
      parse: { Value(rawValue: $0) })
  }
}

/// An option without a value, such as `--force`.
public struct Switch: Sendable {
  /// The option without its type.
  public let specification: OptionSpecification

  /// Declares a switch.
  public init(_ name: String, short: Character? = nil, help: String) {
    specification = OptionSpecification(
      name: name, short: short, valueName: nil, help: help, choices: [], standard: nil,
      isRepeatable: false, complaint: { _ in nil })
  }
}

/// An argument that is known by its place, such as a file.
public struct Positional: Sendable {
  /// How many there are.
  public enum Count: Sendable {
    case one
    case oneOrMore
    case noneOrOne
    case any
  }

  /// What can stand there, as far as a shell can offer it.
  public enum Content: Sendable {
    case file
    /// A file, or one of some words.
    case fileOr([String])
    /// One of a few words and nothing else.
    case choice([String])
    /// The name of a command.
    case command
  }
  let name: String
  let help: String
  let count: Count
  let content: Content

  /// Declares an argument; the last one may be repeated.
  ///
  /// - Parameters:
  ///   - name: What the help calls it.
  ///   - help: What it is, one sentence without a full stop.
  ///   - count: How many there are.
  ///   - content: What can stand there.
  public init(_ name: String, help: String, count: Count = .one, _ content: Content = .file) {
    self.name = name
    self.help = help
    self.count = count
    self.content = content
  }

  /// All values, where there are only a few.
  var choices: [String] {
    if case .choice(let words) = content { words } else { [] }
  }

  /// `FILE`, `FILE...` or `[FILE]`.
  var usage: String {
    switch count {
    case .one: name
    case .oneOrMore: "\(name)..."
    case .noneOrOne: "[\(name)]"
    case .any: "[\(name)...]"
    }
  }
}

/// An option or switch without its type: what the parser, the help and the completions need to know of it.
public struct OptionSpecification: Sendable {
  let name: String
  let short: Character?
  /// Nil for a switch.
  let valueName: String?
  let help: String
  let choices: [String]
  /// What holds where the option is not given.
  let standard: String?
  let isRepeatable: Bool
  /// What would be allowed instead of a text, nil where the text is.
  let complaint: @Sendable (String) -> String?

  /// `-o, --output FILE`
  var usage: String {
    (short.map { "-\($0), " } ?? "    ") + "--\(name)" + (valueName.map { " \($0)" } ?? "")
  }
}

/// What can be listed among a command's options.
public protocol OptionDeclaration: Sendable {
  /// The option without its type.
  var specification: OptionSpecification { get }
}

extension Option: OptionDeclaration {}
extension Switch: OptionDeclaration {}
