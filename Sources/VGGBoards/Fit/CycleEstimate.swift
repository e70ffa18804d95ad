/// How many cycles a processor takes for a picture: an estimate, never a measurement.
///
/// Cycles are instructions times cycles per instruction. How many instructions a kernel takes for an operation and for an output was counted
/// under qemu; how many cycles a processor takes for one is assumed, as a range. Flash that is slower than the processor, caches
/// and interrupts are within that range only where they cost little.
public struct CycleEstimate: Equatable, Sendable {
  /// One kind of kernel.
  public struct Part: Equatable, Sendable {
    /// What is computed.
    public let work: BoardWork
    /// The instructions that it takes.
    public let instructionCount: Double
  }

  /// What computes.
  public let processor: Processor
  /// Each kind of kernel that has work.
  public let parts: [Part]

  /// Estimates some work on a processor.
  public init(of work: [BoardWork], on processor: Processor) {
    self.processor = processor
    parts = work.map {
      let count = processor.instructionCounts(of: $0.kernel)
      return Part(
        work: $0,
        instructionCount: Double($0.operationCount) * count.operation + Double($0.outputCount) * count.output)
    }
  }

  /// All instructions.
  public var instructionCount: Double { parts.reduce(0) { $0 + $1.instructionCount } }

  /// The cycles, from the fewest to the most.
  public var cycleCount: ClosedRange<Double> {
    let range = processor.cyclesPerInstruction
    return instructionCount * range.lowerBound...instructionCount * range.upperBound
  }

  /// The seconds at a clock, from the fewest to the most.
  public func seconds(atHertz clock: Int) -> ClosedRange<Double> {
    let cycles = cycleCount
    return cycles.lowerBound / Double(clock)...cycles.upperBound / Double(clock)
  }
}

extension Processor {
  /// How many instructions a kernel takes for an operation, and besides for an output code, as `Tests/Boards/costs.sh` counts them. Cortex-M7 and
  /// M33 run what was counted for a Cortex-M4; nobody counted for Xtensa, which is taken for a RISC-V.
  func instructionCounts(of kernel: BoardWork.Kernel) -> (operation: Double, output: Double) {
    switch (self, kernel) {
    case (.cortexM0Plus, .convolution): (8.80, 188)
    case (.cortexM0Plus, .dense): (8.50, 255)
    case (.cortexM0Plus, .pooling): (10.3, 0)
    case (.cortexM0Plus, .elements): (130, 0)
    case (.cortexM4, .convolution), (.cortexM7, .convolution), (.cortexM33, .convolution): (1.22, 102)
    case (.cortexM4, .dense), (.cortexM7, .dense), (.cortexM33, .dense): (2.75, 158)
    case (.cortexM4, .pooling), (.cortexM7, .pooling), (.cortexM33, .pooling): (8.7, 0)
    case (.cortexM4, .elements), (.cortexM7, .elements), (.cortexM33, .elements): (45, 0)
    case (.cortexM55, .convolution): (0.19, 91)
    case (.cortexM55, .dense): (0.25, 156)
    case (.cortexM55, .pooling): (8.7, 0)
    case (.cortexM55, .elements): (50, 0)
    case (.cortexA53, .convolution): (0.68, 71)
    case (.cortexA53, .dense): (0.56, 125)
    case (.cortexA53, .pooling): (7.7, 0)
    case (.cortexA53, .elements): (34, 0)
    case (.riscV32, .convolution), (.xtensaLX7, .convolution): (5.36, 107)
    case (.riscV32, .dense), (.xtensaLX7, .dense): (5.00, 188)
    case (.riscV32, .pooling), (.xtensaLX7, .pooling): (8.6, 0)
    case (.riscV32, .elements), (.xtensaLX7, .elements): (59, 0)
    }
  }

  /// How many cycles an instruction of a kernel takes, an assumption: below 1 where two are issued at a time, above where loads wait.
  public var cyclesPerInstruction: ClosedRange<Double> {
    switch self {
    case .cortexM0Plus: 1.2...2.0
    case .cortexM4, .cortexM33: 1.1...1.6
    case .cortexM7: 0.6...1.1
    case .cortexM55: 1.0...2.0
    case .cortexA53: 0.6...1.2
    case .xtensaLX7: 1.0...1.6
    case .riscV32: 1.1...1.8
    }
  }
}
