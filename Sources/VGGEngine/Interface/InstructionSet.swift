internal import CVGGKernels

/// A family of processor instructions that the kernels exist for.
public enum InstructionSet: String, CaseIterable, Sendable {
  /// The baseline of the architecture.
  case portable
  /// AArch64 Advanced SIMD.
  case neon
  /// The same with dot products of bytes, for layers of integers.
  case neonDot = "neondot"
  /// x86-64 with AVX2, FMA and F16C.
  case avx2
  /// The same with AVX-VNNI, for layers of integers.
  case avxVNNI = "avxvnni"
  /// x86-64 with AVX-512 F, BW, DQ and VL.
  case avx512
  /// The same with AVX-512 VNNI, for layers of integers.
  case avx512VNNI = "avx512vnni"

  /// Whether this machine has it.
  public var isAvailable: Bool { vgk_isa_is_available(kernelValue) }

  /// The best one that this machine has.
  public static var best: InstructionSet {
    let best = vgk_best_integer_isa()
    return allCases.first { $0.kernelValue == best } ?? .portable
  }

  /// What the kernels call it.
  var kernelValue: VGKISA {
    switch self {
    case .portable: .portable
    case .neon: .neon
    case .neonDot: .neonDot
    case .avx2: .avx2
    case .avxVNNI: .avxVnni
    case .avx512: .avx512
    case .avx512VNNI: .avx512Vnni
    }
  }
}
