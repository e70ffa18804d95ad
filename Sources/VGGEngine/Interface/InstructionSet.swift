internal import CVGGKernels

/// A family of processor instructions that the kernels exist for.
public enum InstructionSet: String, CaseIterable, Sendable {
  /// The baseline of the architecture.
  case portable
  /// AArch64 Advanced SIMD.
  case neon
  /// x86-64 with AVX2, FMA and F16C.
  case avx2
  /// x86-64 with AVX-512 F, BW, DQ and VL.
  case avx512

  /// Whether this machine has it.
  public var isAvailable: Bool { vgk_isa_is_available(kernelValue) }

  /// The best one that this machine has.
  public static var best: InstructionSet {
    let best = vgk_best_isa()
    return allCases.first { $0.kernelValue == best } ?? .portable
  }

  /// What the kernels call it.
  var kernelValue: VGKISA {
    switch self {
    case .portable: .portable
    case .neon: .neon
    case .avx2: .avx2
    case .avx512: .avx512
    }
  }
}
