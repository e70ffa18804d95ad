/// A board: what of it decides whether a model fits, and how fast it runs.
public struct Board: Equatable, Sendable {
  /// A memory that lies at neighbouring addresses.
  public struct Memory: Equatable, Sendable {
    /// What the manufacturer calls it.
    public let name: String
    /// How long it is.
    public let byteCount: Int
    /// Whether it is a chip of its own beside the microcontroller, which is slower.
    public let isExternal: Bool

    /// Creates a memory.
    public init(_ name: String, byteCount: Int, isExternal: Bool = false) {
      (self.name, self.byteCount, self.isExternal) = (name, byteCount, isExternal)
    }
  }

  /// What `--board` calls it: small letters, digits, dots and hyphens.
  public let name: String
  /// The board and its microcontroller.
  public let title: String
  /// The processor that runs the model.
  public let processor: Processor
  /// The highest clock of the processor that its manufacturer allows.
  public let clockHertz: Int
  /// Memory-mapped flash, the one that programs are in by default first; empty where programs are loaded into RAM.
  public let flash: [Memory]
  /// RAM that data can be in, the fastest first.
  public let ram: [Memory]
  /// Documents of the manufacturer that say so.
  public let source: String
}

/// A processor, as far as it decides how many cycles a kernel takes.
public enum Processor: String, CaseIterable, Sendable {
  case cortexM0Plus = "Cortex-M0+"
  case cortexM4 = "Cortex-M4"
  case cortexM7 = "Cortex-M7"
  case cortexM33 = "Cortex-M33"
  case cortexM55 = "Cortex-M55"
  case cortexA53 = "Cortex-A53"
  case xtensaLX7 = "Xtensa LX7"
  case riscV32 = "RISC-V RV32IMC"

  /// The kernels of the runtime that are compiled for it.
  public var kernels: KernelSet {
    switch self {
    case .cortexM4, .cortexM7, .cortexM33: .dsp
    case .cortexM55: .helium
    case .cortexA53: .neon
    case .cortexM0Plus, .xtensaLX7, .riscV32: .portable
    }
  }
}

/// Which kernels of the runtime a compiler chooses for a processor.
public enum KernelSet: String, CaseIterable, Sendable {
  /// Plain C, a product at a time.
  case portable
  /// Two products at a time (Arm's DSP extension).
  case dsp
  /// Vectors of 128 bits of a Cortex-M (MVE).
  case helium
  /// Vectors of 128 bits of a Cortex-A.
  case neon
}
