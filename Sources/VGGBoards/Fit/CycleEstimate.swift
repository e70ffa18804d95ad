/// How many cycles a processor takes for a picture: an estimate, never a measurement.
///
/// Cycles are instructions times cycles per instruction. How many instructions a kernel takes for one operation was counted under
/// qemu; how many cycles a processor takes for one is assumed, as a range. Flash that is slower than the processor, caches
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
  public let kernels: KernelSet
  /// Each kind of kernel that has work.
  public let parts: [Part]

  /// Estimates some work with some kernels.
  public init(of work: [BoardWork], with kernels: KernelSet) {
    self.kernels = kernels
    parts = work.map {
      Part(work: $0, instructionCount: Double($0.operationCount) * kernels.instructionCount(of: $0.kernel))
    }
  }

  /// All instructions.
  public var instructionCount: Double { parts.reduce(0) { $0 + $1.instructionCount } }

  /// The cycles that a processor takes, from the fewest to the most.
  public func cycleCount(on processor: Processor) -> ClosedRange<Double> {
    let range = processor.cyclesPerInstruction
    return instructionCount * range.lowerBound...instructionCount * range.upperBound
  }

  /// The seconds that a board takes at its highest clock, from the fewest to the most.
  public func seconds(on board: Board) -> ClosedRange<Double> {
    let cycles = cycleCount(on: board.processor)
    let clock = Double(board.clockHertz)
    return cycles.lowerBound / clock...cycles.upperBound / clock
  }
}

extension KernelSet {
  /// How many instructions an operation of a kernel takes, on the average over layers of a VGG.
  func instructionCount(of kernel: BoardWork.Kernel) -> Double {
    switch (self, kernel) {
    case (.portable, .convolution): 4.5
    case (.portable, .dense): 4.5
    case (.dsp, .convolution): 1.4
    case (.dsp, .dense): 1.9
    case (.helium, .convolution): 0.35
    case (.helium, .dense): 0.4
    case (.neon, .convolution): 0.35
    case (.neon, .dense): 0.4
    case (_, .pooling): 6
    case (_, .elements): 60
    }
  }
}

extension Processor {
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
