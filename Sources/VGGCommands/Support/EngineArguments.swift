internal import CommandLineKit
internal import VGGBytes
internal import VGGEngine

/// Options that decide how a network is run.
enum EngineArguments {
  /// An instruction set, or the best one that there is.
  enum InstructionSetChoice: String, CaseIterable, Sendable {
    case auto
    case avx512
    case avx2
    case neon
    case portable
  }

  static let engine = Option<EngineKind>(
    choice: "engine", valueName: "ENGINE",
    help: "The fast engine, or the reference, which sums in double precision", standard: .fast)
  static let instructionSet = Option<InstructionSetChoice>(
    choice: "isa", valueName: "SET", help: "The instruction set of the kernels", standard: .auto)
  static let threads = Option<Int>(
    "threads", valueName: "NUMBER", help: "The number of threads", range: 1...1024,
    standard: "one per processor")
  static let savesMemory = Switch(
    "low-memory", help: "Keep no second, reordered copy of the weights; slower")

  /// All of them.
  static let all: [any OptionDeclaration] = [engine, instructionSet, threads, savesMemory]

  /// How the user wants a network to be run.
  static func options(_ arguments: Arguments) -> EngineOptions {
    EngineOptions(
      kind: arguments[engine] ?? .fast, threadCount: arguments[threads] ?? processorCount,
      instructionSet: arguments[instructionSet].flatMap { InstructionSet(rawValue: $0.rawValue) } ?? .best,
      savesMemory: arguments[savesMemory])
  }
}
