public import CommandLineKit
public import VGGBytes

extension FileError: ReportableError {
  /// The status to exit with, by the class of the failure.
  public var exitStatus: ExitStatus {
    switch kind {
    case .missing, .unreadable: .noInput
    case .malformed, .unsupported: .badData
    case .unavailable: .unavailable
    case .cannotCreate: .cannotCreate
    case .inputOutput: .inputOutput
    case .fault: .software
    }
  }

  /// One line for people.
  public var message: String { description }

  /// What is known, for scripts.
  public var details: [(name: String, value: String)] {
    let fields: [(String, String?)] = [
      ("code", code), ("file", file), ("problem", problem), ("place", place),
      ("offset", offset.map(String.init)),
      ("seen", seen), ("allowed", allowed), ("advice", advice),
    ]
    return fields.compactMap { name, value in value.map { (name, $0) } }
  }
}
