internal import CommandLineKit
internal import VGGBytes

/// The command-line tool: all its commands.
private let vggconv = CommandLineTool(
  name: "vggconv", version: toolVersion,
  abstract: "converts, shrinks, runs and verifies VGG networks",
  commands: [
    importCommand, inspectCommand, summaryCommand, verifyCommand, runCommand, evaluateCommand,
    benchCommand, quantizeCommand,
    pruneCommand, exportCommand, fitCommand, checksumCommand, zooListCommand, zooIdentifyCommand,
  ],
  around: { arguments, command in
    guard let count = arguments[EngineArguments.threads] else { return try command() }
    return try Workers.$current.withValue(Workers(count: count), operation: command)
  })

/// Does what a command line says.
///
/// - Parameter arguments: The words behind the program's name.
/// - Returns: The status to exit with.
public func run(_ arguments: [String]) -> Int32 {
  vggconv.run(arguments, environment: .current()).rawValue
}

/// The version of the tool; part of every model's provenance.
let toolVersion = "0.1.0"
