/**
 * Instruction sets: what is compiled in and what the machine offers.
 */
#ifndef VGK_ISA_H
#define VGK_ISA_H

#include <stdbool.h>

/** An instruction set that kernels exist for; a larger value is a better one within one architecture. */
typedef enum __attribute__((enum_extensibility(closed))) {
  /** The baseline of the architecture that was compiled for. */
  VGKISAPortable = 0,
  /** AArch64 Advanced SIMD. */
  VGKISANeon = 1,
  /** x86-64 with AVX2, FMA and F16C. */
  VGKISAAvx2 = 2,
  /** x86-64 with AVX-512 F, BW, DQ and VL. */
  VGKISAAvx512 = 3,
} VGKISA;

/** Whether the kernels for `isa` are compiled in and both processor and operating system support it. */
bool vgk_isa_is_available(VGKISA isa);

/** The best available instruction set. */
VGKISA vgk_best_isa(void);

/** The name of `isa` in lower case: `portable`, `neon`, `avx2` or `avx512`; a string with static lifetime. */
const char *_Nonnull vgk_isa_name(VGKISA isa);

#endif
