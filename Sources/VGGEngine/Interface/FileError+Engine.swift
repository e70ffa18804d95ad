public import VGGBytes

extension FileError {
  /// What an engine threw, as an error of the file whose model was run.
  public init(_ error: EngineError, file: String) {
    switch error {
    case .shape: self.init(.unsupported, code: "engine.shape", file: file, error.description)
    case .weights(let error), .input(let error): self = error
    case .memory:
      self.init(
        .unavailable, code: "engine.memory", file: file, error.description,
        advice: "allow more with 'ulimit -d' or 'ulimit -v'")
    case .unavailable: self.init(.unavailable, code: "engine.unavailable", file: file, error.description)
    case .tap(let error):
      self = error as? FileError ?? FileError(.fault, code: "engine.tap", file: file, "\(error)")
    }
  }
}
