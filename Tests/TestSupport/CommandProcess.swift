public import Foundation

/// A finished run of the built command.
public struct CommandProcess: Sendable {
  /// The exit status; negative: the signal that ended it.
  public let status: Int32
  /// What it wrote to standard output.
  public let output: String
  /// What it wrote to standard error.
  public let errors: String

  /// The lines written to standard error, without empty ones.
  public var errorLines: [String] { errors.split(separator: "\n").map(String.init) }

  /// The path of the built `vggconv`, beside the running tests.
  public static var executable: String {
    var folder = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    // Swift's test runner may live in a tool's folder: then the tests are in the build folder that is named first.
    if !FileManager.default.fileExists(atPath: folder.appending(path: "vggconv").path) {
      folder =
        Bundle.allBundles.map(\.bundleURL).map { $0.deletingLastPathComponent() }
        .first { FileManager.default.fileExists(atPath: $0.appending(path: "vggconv").path) } ?? folder
    }
    return folder.appending(path: "vggconv").path
  }

  /// Runs the built command and waits for it.
  ///
  /// - Parameters:
  ///   - arguments: The arguments.
  ///   - folder: The working folder.
  ///   - environment: The whole environment.
  public static func run(
    _ arguments: [String], in folder: String = packageRoot,
    environment: [String: String] = ["PATH": "/usr/bin:/bin"]
  ) throws -> CommandProcess {
    try run(executable, arguments, in: folder, environment: environment)
  }

  /// Runs any program and waits for it.
  ///
  /// - Parameter watch: Called with the process as soon as it runs.
  public static func run(
    _ program: String, _ arguments: [String], in folder: String = packageRoot,
    environment: [String: String] = ["PATH": "/usr/bin:/bin"], watch: (Process) -> Void = { _ in }
  ) throws -> CommandProcess {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(filePath: folder)
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    // Files, not pipes: nothing can fill up while nobody reads.
    let scratch = FileManager.default.temporaryDirectory.appending(path: "vggconv-run-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let (output, errors) = (scratch.appending(path: "output"), scratch.appending(path: "errors"))
    for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    watch(process)
    process.waitUntilExit()
    return CommandProcess(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }
}
