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
