internal import CommandLineKit
internal import VGGEngine

/// Options that decide how a network is run.
enum EngineArguments {
  /// An instruction set, or the best one that there is.
  enum InstructionSetChoice: String, CaseIterable, Sendable {
    case auto
    case avx512VNNI = "avx512vnni"
    case avx512
    case avxVNNI = "avxvnni"
    case avx2
    case neonDot = "neondot"
    case neon
    case portable
  }

  static let engine = Option<EngineKind>(
    choice: "engine", valueName: "ENGINE",
    help: "The fast engine, or the reference, which sums in double precision", standard: .fast)
  static let instructionSet = Option<InstructionSetChoice>(
    choice: "isa", valueName: "SET", help: "The instruction set of the kernels", standard: .auto)
  /// For the command as a whole, see `Workers.current`: every command that works long has it.
  static let threads = Option<Int>(
    "threads", valueName: "NUMBER", help: "The number of threads; the outcome is the same", range: 1...1024,
    standard: "one per processor")
  static let savesMemory = Switch(
    "low-memory", help: "Keep no second, reordered copy of the weights; slower")

  /// All of them.
  static let all: [any OptionDeclaration] = [engine, instructionSet, threads, savesMemory]

  /// How the user wants a network to be run.
  static func options(_ arguments: Arguments) -> EngineOptions {
    EngineOptions(
      kind: arguments[engine] ?? .fast,
      instructionSet: arguments[instructionSet].flatMap { InstructionSet(rawValue: $0.rawValue) } ?? .best,
      savesMemory: arguments[savesMemory])
  }
}
