/// A parsed command line.
public struct Arguments: Sendable {
  private var values: [String: [String]] = [:]
  /// The arguments that are no options, in order.
  public private(set) var positionals: [String] = []

  /// The value of an option, nil where it was not given.
  public subscript<Value>(option: Option<Value>) -> Value? {
    values[option.specification.name]?.last.flatMap(option.parse)
  }

  /// The values of an option that may be repeated, in order.
  public func all<Value>(_ option: Option<Value>) -> [Value] {
    (values[option.specification.name] ?? []).compactMap(option.parse)
  }

  /// Whether a switch was given.
  public subscript(option: Switch) -> Bool { values[option.specification.name] != nil }

  /// Parses the words behind a command's name. Options may stand before, between and behind the other arguments.
  ///
  /// - Throws: Where an option is unknown, is given twice, lacks its value or has one that is not allowed, or the number of other
  ///   arguments is wrong. With `--help` and `--version` the other arguments are not checked.
  init(_ words: [String], of command: Command) throws(UsageError) {
    var remaining = words[...]
    var optionsHaveEnded = false
    while let word = remaining.popFirst() {
      if optionsHaveEnded || word == "-" || !word.hasPrefix("-") {
        positionals.append(word)
      } else if word == "--" {
        optionsHaveEnded = true
      } else if word.hasPrefix("--") {
        try parseLong(word.dropFirst(2), &remaining, command)
      } else {
        try parseShort(word.dropFirst(), &remaining, command)
      }
    }
    if !self[CommonOptions.help], !self[CommonOptions.version] { try checkPositionals(command) }
  }

  /// `--name`, `--name value` or `--name=value`
  private mutating func parseLong(
    _ word: Substring, _ remaining: inout ArraySlice<String>, _ command: Command
  ) throws(UsageError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard let option = command.allOptions.first(where: { $0.name == name }) else {
      let hint =
        nearest(to: name, among: command.allOptions.map(\.name)).map { "; did you mean --\($0)?" } ?? ""
      throw UsageError("unknown option --\(name)\(hint)", command: command.name)
    }
    if option.valueName == nil {
      guard parts.count == 1 else {
        throw UsageError("--\(name) does not take a value", command: command.name)
      }
      try add("", of: option, command)
    } else {
      let value =
        try parts.count == 2 ? String(parts[1]) : takeValue(of: option, "--\(name)", &remaining, command)
      try add(value, of: option, command)
    }
  }

  /// `-f`, `-qf`, `-o value` or `-ovalue`
  private mutating func parseShort(
    _ letters: Substring, _ remaining: inout ArraySlice<String>, _ command: Command
  ) throws(UsageError) {
    var letters = letters
    while let letter = letters.popFirst() {
      guard let option = command.allOptions.first(where: { $0.short == letter }) else {
        throw UsageError("unknown option -\(letter)", command: command.name)
      }
      if option.valueName == nil {
        try add("", of: option, command)
        continue
      }
      let value =
        try letters.isEmpty ? takeValue(of: option, "-\(letter)", &remaining, command) : String(letters)
      try add(value, of: option, command)
      return
    }
  }

  /// The word behind an option. One that begins with two dashes is taken for the next option, not for a value: `-o --force` must
  /// not write a file named `--force`.
  private func takeValue(
    of option: OptionSpecification, _ spelling: String, _ remaining: inout ArraySlice<String>,
    _ command: Command
  ) throws(UsageError) -> String {
    guard let value = remaining.popFirst(), !value.hasPrefix("--") else {
      throw UsageError("\(spelling) needs a value: \(option.valueName ?? "")", command: command.name)
    }
    return value
  }

  private mutating func add(_ value: String, of option: OptionSpecification, _ command: Command)
    throws(UsageError)
  {
    if let allowed = option.complaint(value) {
      throw UsageError("--\(option.name) is '\(value)'; allowed: \(allowed)", command: command.name)
    }
    guard option.isRepeatable || values[option.name] == nil else {
      throw UsageError("--\(option.name) is given twice", command: command.name)
    }
    values[option.name, default: []].append(value)
  }

  private func checkPositionals(_ command: Command) throws(UsageError) {
    var rest = positionals[...]
    for positional in command.positionals {
      var taken = rest.prefix(1)
      if positional.count == .oneOrMore || positional.count == .any { taken = rest }
      if taken.isEmpty, positional.count == .one || positional.count == .oneOrMore {
        throw UsageError("\(positional.name) is missing: \(positional.fullHelp)", command: command.name)
      }
      for value in taken where !positional.choices.isEmpty && !positional.choices.contains(value) {
        let allowed = positional.choices.joined(separator: ", ")
        throw UsageError("\(positional.name) is '\(value)'; allowed: \(allowed)", command: command.name)
      }
      rest = rest.dropFirst(taken.count)
    }
    if let superfluous = rest.first {
      throw UsageError("unexpected argument '\(superfluous)'", command: command.name)
    }
  }
}

/// The known word that a misspelt one most likely is, nil where none is near.
func nearest(to word: String, among known: [String]) -> String? {
  let distances = known.map { (word: $0, distance: editDistance(word, $0)) }
  let best = distances.min { $0.distance < $1.distance }
  return best.flatMap { $0.distance <= max(1, word.count / 3) ? $0.word : nil }
}

/// The number of insertions, deletions, substitutions and swaps of neighbours between two words (Damerau).
private func editDistance(_ first: String, _ second: String) -> Int {
  let (first, second) = (Array(first), Array(second))
  var rows = [Array(0...second.count)]
  for row in first.indices {
    var current = [row + 1]
    for column in second.indices {
      let substituted = rows[row][column] + (first[row] == second[column] ? 0 : 1)
      var best = min(rows[row][column + 1] + 1, current[column] + 1, substituted)
      if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
        best = min(best, rows[row - 1][column - 1] + 1)
      }
      current.append(best)
    }
    rows.append(current)
  }
  return rows[first.count][second.count]
}
