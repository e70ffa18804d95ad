import Foundation

/// The first Python on this machine that has what the tests need, nil for none; a machine can have several.
public let pythonInterpreter: String? = {
  let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
  let candidates = (folders + ["/usr/bin"]).map { "\($0)/python3" }
    .filter(FileManager.default.isExecutableFile(atPath:))
  return candidates.first { candidate in
    let probe = try? CommandProcess.run(
      candidate, ["-c", "import numpy, google.protobuf"], environment: ProcessInfo.processInfo.environment)
    return probe?.status == 0
  }
}()

/// What Python said of its failure.
public struct PythonFailure: Error, CustomStringConvertible {
  /// Its error output, or what is missing.
  public let description: String
}

/// Runs a Python program in a folder and returns what it printed; numpy must be there.
@discardableResult
public func python(_ program: String, in folder: String) throws -> String {
  guard let interpreter = pythonInterpreter else {
    throw PythonFailure(
      description: "python3 with numpy and protobuf is needed: run .ci/install-packages")
  }
  let process = try CommandProcess.run(
    interpreter, ["-c", program], in: folder, environment: ProcessInfo.processInfo.environment)
  guard process.status == 0 else { throw PythonFailure(description: process.errors) }
  return process.output
}
