public import CommandLineKit
public import VGGBytes
internal import VGGEngine
internal import VGGVerify

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

extension EngineError {
  /// The same as an error of the file whose model was run.
  func fileError(_ file: String) -> FileError {
    switch self {
    case .shape: FileError(.unsupported, code: "engine.shape", file: file, description)
    case .weights(let error): error
    case .memory:
      FileError(
        .unavailable, code: "engine.memory", file: file, description,
        advice: "allow more with 'ulimit -d' or 'ulimit -v'")
    case .unavailable: FileError(.unavailable, code: "engine.unavailable", file: file, description)
    case .tap(let error): error as? FileError ?? FileError(.fault, code: "engine.tap", file: file, "\(error)")
    }
  }
}

extension VerificationError {
  /// The same as an error of the file that was verified.
  func fileError(_ file: String) -> FileError {
    switch self {
    case .file(let error): error
    case .engine(let error): error.fileError(file)
    }
  }
}
