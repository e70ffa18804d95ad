internal import JSONKit
public import VGGBytes
public import VGGModel

/// A list of the names of classes, as people and other tools write it.
///
/// Text has one name a line; `n01440764 tench, Tinca tinca` (Caffe's `synset_words.txt`) and `0 tench` are names behind
/// an identifier that is left out. JSON is a list of names, or says the name of each class: `{"0": "tench"}`,
/// `{"0": ["n01440764", "tench"]}` (Keras' `imagenet_class_index.json`) or `{"tench": 0}` (`class_indices`).
public enum LabelFile {
  /// Reads the names of a network's classes.
  ///
  /// - Throws: `malformed` where the file is no list of names, or one of another length than the network has classes.
  public static func labels(in file: MappedFile, for network: Network) throws(FileError) -> [String] {
    let labels = try labels(in: file)
    guard let classCount = network.classCount else {
      throw failure(
        file.path, "network", "names classes, but the model has none", seen: "\(labels.count) names",
        advice: "leave out --labels")
    }
    guard labels.count == classCount else {
      throw failure(
        file.path, "count", "names \(labels.count) classes, but the model has \(classCount)",
        advice: labels.count == classCount + 1
          ? "the first name may be of a background class, which this model does not have"
          : "give one name for each class, in the order of the classes")
    }
    return labels
  }

  /// Reads a list of names, however many there are.
  public static func labels(in file: MappedFile) throws(FileError) -> [String] {
    try labels(in: TextFile(file))
  }

  /// Reads a list of names from a text, however many there are.
  public static func labels(in text: TextFile) throws(FileError) -> [String] {
    let first = text.text.unicodeScalars.first { !$0.properties.isWhitespace }
    let isJSON = first == "{" || first == "["
    let labels = try isJSON ? JSONLabels(text).labels : plainLabels(text)
    if let empty = labels.firstIndex(of: "") {
      throw failure(text.path, "empty", "has no name for a class", place: "class \(empty)")
    }
    guard !labels.isEmpty else { throw failure(text.path, "none", "names no classes") }
    return labels
  }

  // MARK: Text

  private static func plainLabels(_ file: TextFile) throws(FileError) -> [String] {
    var lines = file.lines.map(\.trimmed)
    while lines.last == "" { lines.removeLast() }
    if let empty = lines.firstIndex(of: "") {
      throw failure(
        file.path, "empty", "has an empty line between its names", place: "line \(empty + 1)",
        advice: "remove the line, or write the name of the class")
    }
    if let names = withoutSynsets(lines) { return names }
    return try withoutNumbers(lines, file) ?? lines
  }

  /// The words behind WordNet's identifiers; nil where not every line begins with one.
  private static func withoutSynsets(_ lines: [String]) -> [String]? {
    var names: [String] = []
    for line in lines {
      let identifier = line.unicodeScalars.prefix(9)
      let rest = String(line.unicodeScalars.dropFirst(9))
      guard identifier.count == 9, identifier.first == "n",
        identifier.dropFirst().allSatisfy({ ("0"..."9").contains($0) }),
        rest.unicodeScalars.first?.properties.isWhitespace == true
      else { return nil }
      names.append(rest.trimmed)
    }
    return names.isEmpty ? nil : names
  }

  /// The names behind the numbers of the classes (`0 tench`, `0: tench`, `0,tench`); nil where not every line has one.
  ///
  /// - Throws: Where the numbers are not in order, so that the lines are not in the order of the classes.
  private static func withoutNumbers(_ lines: [String], _ file: TextFile) throws(FileError) -> [String]? {
    var numbers: [Int] = []
    var names: [String] = []
    for line in lines {
      let digits = line.prefix { ("0"..."9").contains($0) }
      let rest = line.dropFirst(digits.count)
      guard let number = Int(digits), let separator = rest.first, " \t:,;".contains(separator) else {
        return nil
      }
      numbers.append(number)
      names.append(String(rest.drop { " \t:,;".contains($0) }))
    }
    guard let least = numbers.min(), least <= 1, numbers.sorted() == Array(least..<least + numbers.count)
    else {
      return nil
    }
    if let wrong = numbers.indices.first(where: { numbers[$0] != least + $0 }) {
      throw failure(
        file.path, "order", "numbers its classes, but not in order", place: "line \(wrong + 1)",
        seen: "\(numbers[wrong])", allowed: "\(least + wrong)", advice: "sort the lines by their numbers")
    }
    return names
  }

  static func failure(
    _ path: String, _ code: String, _ problem: String, place: String? = nil, seen: String? = nil,
    allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "labels.\(code)", file: path, problem, place: place, seen: seen, allowed: allowed,
      advice: advice)
  }
}

/// Names of classes in JSON.
private struct JSONLabels {
  let labels: [String]

  init(_ file: TextFile) throws(FileError) {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue(parsing: Array(file.text.utf8))
    } catch {
      throw LabelFile.failure(
        file.path, "json", "begins like JSON, but is not JSON: \(error.problem)",
        place: "character \(error.offset)",
        advice: "write JSON (in Python with json.dump), or one name a line")
    }
    func failure(_ problem: String, place: String? = nil, seen: String? = nil) -> FileError {
      LabelFile.failure(
        file.path, "json", problem, place: place, seen: seen,
        allowed: "a list of names, or an object of class numbers and names")
    }
    if let elements = json.array {
      labels = try elements.enumerated().map { (index, element) throws(FileError) in
        guard let name = JSONLabels.name(element) else {
          throw failure("has no name for a class", place: "class \(index)")
        }
        return name
      }
      return
    }
    var names: [Int: String] = [:]
    for (key, value) in json.object ?? [] {
      let (number, name) = value.integer.map { ($0, key) } ?? (Int(key) ?? -1, JSONLabels.name(value) ?? "")
      guard number >= 0, !name.isEmpty else {
        throw failure("is JSON, but not a list of class names", place: key)
      }
      guard names.updateValue(name.trimmed, forKey: number) == nil else {
        throw failure("names a class twice", place: "class \(number)")
      }
    }
    if let missing = (0..<names.count).first(where: { names[$0] == nil }) {
      throw failure("has no name for a class", place: "class \(missing)", seen: "\(names.count) names")
    }
    labels = (0..<names.count).compactMap { names[$0] }
  }

  /// `"tench"`, or the last text of `["n01440764", "tench"]`.
  private static func name(_ value: JSONValue) -> String? {
    if let name = value.string { return name.trimmed }
    guard let parts = value.array, parts.count == 2, parts[0].string != nil else { return nil }
    return parts[1].string?.trimmed
  }
}

extension String {
  /// The text without white space at both ends.
  fileprivate var trimmed: String {
    let head = unicodeScalars.drop { $0.properties.isWhitespace }
    return String(String.UnicodeScalarView(head.reversed().drop { $0.properties.isWhitespace }.reversed()))
  }
}
