/**
 * Instruction sets: what is compiled in and what the machine offers.
 */
#ifndef VGK_ISA_H
#define VGK_ISA_H

#include <stdbool.h>

/**
 * An instruction set that kernels exist for; a larger value is a better one within one architecture.
 *
 * Those that are about integers have kernels of their own for layers of integers (vgk_integer.h); all other kernels are
 * those of the next smaller one.
 */
typedef enum __attribute__((enum_extensibility(closed))) {
  /** The baseline of the architecture that was compiled for. */
  VGKISAPortable = 0,
  /** AArch64 Advanced SIMD. */
  VGKISANeon = 1,
  /** Integers: Advanced SIMD and its dot products, where they were compiled for. */
  VGKISANeonDot = 2,
  /** x86-64 with AVX2, FMA and F16C. */
  VGKISAAvx2 = 3,
  /** Integers: AVX2 and AVX-VNNI. */
  VGKISAAvxVnni = 4,
  /** x86-64 with AVX-512 F, BW, DQ and VL. */
  VGKISAAvx512 = 5,
  /** Integers: AVX-512 and its VNNI. */
  VGKISAAvx512Vnni = 6,
} VGKISA;

/** Whether the kernels for `isa` are compiled in and both processor and operating system support it. */
bool vgk_isa_is_available(VGKISA isa);

/** The best available instruction set that is not about integers only. */
VGKISA vgk_best_isa(void);

/** The best available instruction set for layers of integers. */
VGKISA vgk_best_integer_isa(void);

/** The name of `isa` in lower case, such as `avx512` or `avx512vnni`; a string with static lifetime. */
const char *_Nonnull vgk_isa_name(VGKISA isa);

#endif
