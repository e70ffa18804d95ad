/// What is wrong with a file: where, what was seen there, what is allowed, and what to do about it.
///
/// Everything that is read from a file is untrusted, so every reader of the package throws this one type. It is
/// rendered as one line for people and as separate fields for scripts.
public struct FileError: Error, Equatable, Sendable {
  /// The class of the failure; decides the exit status of the command.
  public enum Kind: String, Sendable {
    /// The file does not exist.
    case missing
    /// The file exists but cannot be opened or read.
    case unreadable
    /// The bytes are not what their format requires.
    case malformed
    /// The bytes are well formed, but say something that is not supported, or is no VGG.
    case unsupported
    /// A library, an instruction set or memory that is needed is not there.
    case unavailable
    /// The output cannot be created or would be overwritten.
    case cannotCreate
    /// Reading or writing failed on the way, as on a full disk.
    case inputOutput
    /// A fault of this program.
    case fault
  }

  /// The class of the failure.
  public var kind: Kind
  /// A stable identifier for scripts, such as `caffe.blob.shape`.
  public var code: String
  /// The file's path as the user gave it.
  public var file: String
  /// What is wrong, as a clause without a full stop.
  public var problem: String
  /// The offset in bytes from the beginning of the file.
  public var offset: Int?
  /// The tensor, layer or field concerned.
  public var place: String?
  /// The value found.
  public var seen: String?
  /// The values that would have been right.
  public var allowed: String?
  /// What the user can do.
  public var advice: String?

  /// Creates an error; only what is known needs to be given.
  public init(
    _ kind: Kind, code: String, file: String, _ problem: String, offset: Int? = nil, place: String? = nil,
    seen: String? = nil, allowed: String? = nil, advice: String? = nil
  ) {
    self.kind = kind
    self.code = code
    self.file = file
    self.problem = problem
    self.offset = offset
    self.place = place
    self.seen = seen
    self.allowed = allowed
    self.advice = advice
  }
}

extension FileError: CustomStringConvertible {
  /// One line: file, problem, place and offset, seen and allowed, advice. Control characters are made visible.
  public var description: String {
    var details: [String] = []
    if let place { details.append(place) }
    if let offset { details.append("offset \(offset)") }
    if let seen { details.append("seen \(seen)") }
    if let allowed { details.append("allowed \(allowed)") }
    var line = "\(file): \(problem)"
    if !details.isEmpty { line += " (\(details.joined(separator: ", ")))" }
    if let advice { line += "; \(advice)" }
    return FileError.onOneLine(line)
  }

  /// Names come from untrusted files: a control character must neither break the line nor reach the terminal.
  static func onOneLine(_ text: String) -> String {
    var line = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
        line += "\\u{\(String(scalar.value, radix: 16))}"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line
  }
}
