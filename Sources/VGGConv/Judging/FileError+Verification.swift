internal import VGGBytes
internal import VGGEngine
internal import VGGVerify

extension FileError {
  /// What a verification threw, as an error of the file that was verified.
  init(_ error: VerificationError, file: String) {
    switch error {
    case .file(let error): self = error
    case .engine(let error): self.init(error, file: file)
    }
  }
}
